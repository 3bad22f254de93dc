import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { type Receiver, startReceiver } from './receiver-process.ts';

const SECRET = `whsec_${Buffer.from('a secret of at least 24 bytes').toString('base64')}`;
const folder = mkdtempSync(join(tmpdir(), 'receiver-'));
let receiver: Receiver;

before(async () => {
  receiver = await startReceiver(folder, 'T-');
});
after(async () => {
  await receiver.stop();
  rmSync(folder, { recursive: true });
});

function send(sequence: number | null, body: string, secret = SECRET): Promise<number> {
  const at = new Date();
  const id = `evt_${sequence ?? 'test'}`;
  return fetch(receiver.url, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(secret).sign(id, at, body),
      ...(sequence === null ? {} : { 'waypost-sequence': String(sequence) }),
      ...(sequence === null || sequence < 2 ? {} : { 'waypost-previous': String(sequence - 1) }),
    },
  }).then((response) => response.status);
}

function eventOf(sequence: number): string {
  const job = { id: 'job_a', reference: 'T-1', status: 'created' };
  return JSON.stringify({
    sequence,
    job_sequence: sequence,
    recorded_at: new Date().toISOString(),
    data: { job, changes: {} },
  });
}

/** What the receiver tells of itself, once it has told anything new enough. */
async function countsWith(events: number) {
  for (;;) {
    if (receiver.counts?.events === events) return receiver.counts;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('the receiver answers 2xx only to what it could verify, and knows after a kill what it knew before', async () => {
  assert.equal(await send(1, eventOf(1)), 503, 'no secret yet: try again');
  receiver.setSecret(SECRET);
  assert.equal(await send(null, '{"type":"endpoint.test"}'), 204);
  assert.equal(await send(1, eventOf(1)), 204);
  assert.equal(await send(2, eventOf(2)), 204);
  assert.equal(await send(2, eventOf(2)), 204);
  assert.equal(
    await send(3, eventOf(3), `whsec_${Buffer.from('the secret of somebody else').toString('base64')}`),
    401,
  );
  assert.equal((await countsWith(2)).duplicated, 1);

  const { url } = receiver;
  await receiver.kill();
  await receiver.restart();
  assert.equal(receiver.url, url);
  assert.equal(await send(1, eventOf(1)), 204);
  assert.equal(await send(3, eventOf(3)), 204);
  const counts = await countsWith(3);
  assert.equal(counts.jobs, 1);
  assert.equal(counts.gaps, 0);
  assert.equal(counts.duplicated, 2, 'the duplicate before the kill is remembered, the one after it is seen');
  assert.equal(receiver.refused, 1, 'so is the forged message');
});
