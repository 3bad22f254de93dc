import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import type { MirrorCounts } from './mirror.ts';
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

/** Resolves once the receiver has told so much of itself; a test that waits in vain is ended by the runner. */
async function hears(events: number, duplicated: number, refused: number): Promise<MirrorCounts> {
  for (;;) {
    const { counts } = receiver;
    if (counts?.events === events && counts.duplicated === duplicated && receiver.refused === refused) return counts;
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
  await hears(2, 1, 1);

  const { url } = receiver;
  await receiver.kill();
  await receiver.restart();
  assert.equal(receiver.url, url);
  assert.equal(await send(1, eventOf(1)), 204);
  assert.equal(await send(3, eventOf(3)), 204);
  // The duplicate before the kill is remembered, the one after it is seen.
  const counts = await hears(3, 2, 1);
  assert.equal(counts.jobs, 1);
  assert.equal(counts.gaps, 0);
});
