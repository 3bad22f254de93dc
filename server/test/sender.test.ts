import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { OK, startKit } from './sender-kit.ts';

test('an endpoint is tested, becomes active, and gets every event once, signed, with the one before it', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  await kit.emit(['before']);
  const { id, secret } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await receiver.until(({ received }) => received.length === 1);
  assert.equal(receiver.received[0]?.type, 'endpoint.test');
  await kit.active(id);
  await kit.emit(['a', 'b', 'a', 'c', 'a']);
  await receiver.until(({ messages }) => messages.length === 5);
  await kit.settled(id);
  const verifier = new Webhook(secret);
  const bySequence = [...receiver.messages].sort((x, y) => (x.sequence ?? 0) - (y.sequence ?? 0));
  let previous = 'null';
  for (const message of bySequence) {
    verifier.verify(message.body, message.headers as Record<string, string>);
    assert.equal(message.headers['waypost-previous'], previous);
    assert.equal(message.headers['waypost-attempt'], '1');
    assert.equal(message.headers['webhook-id'], (JSON.parse(message.body) as { id: string }).id);
    previous = message.headers['waypost-sequence'] ?? '';
  }
  const attempts = await kit.db.sql`select outcome, reply from attempts where sequence > 0`;
  assert.equal(attempts.length, 5);
  assert.ok(attempts.every((attempt) => attempt.outcome === 'delivered' && attempt.reply === 'thanks'));
});

test('events of one job arrive in order, those of many jobs side by side', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  let inFlight = 0;
  let widest = 0;
  receiver.script = async () => {
    widest = Math.max(widest, ++inFlight);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inFlight--;
    return OK;
  };
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  const jobs = Array.from({ length: 2_000 }, (_, index) => `job_${(index * 7) % 50}`);
  await kit.emit(jobs);
  await receiver.until(({ messages }) => messages.length === jobs.length);
  const last = new Map<string, number>();
  for (const { job_id, sequence } of receiver.messages) {
    assert.ok((last.get(job_id) ?? 0) < (sequence ?? 0), `${job_id}: ${sequence} after ${last.get(job_id)}`);
    last.set(job_id, sequence ?? 0);
  }
  assert.ok(widest > 10 && widest <= 32, `${widest} at the same time`);
  await kit.settled(id);
});
