// Replays whose sender goes: killed, stopped, or one of two. Nothing is left out, whoever sends it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { forkSender, jobsOf } from './drill-kit.ts';
import { look, over, replayed, requestOn, sequencesOf } from './replay-kit.ts';
import { OK, type Receiver, startKit } from './sender-kit.ts';

/** Works for a moment per message, so that there is always something in flight. */
function slowly(receiver: Receiver): void {
  receiver.script = async () => {
    await new Promise((resolve) => setTimeout(resolve, 3));
    return OK;
  };
}

/** Everything arrived, and the first time each did, per job in order. Answers how many came again. */
function assertWhole(receiver: Receiver, replay: string, sequences: readonly number[]): number {
  const messages = replayed(receiver, replay);
  const seen = new Set<number>();
  const last = new Map<string, number>();
  for (const { job_id, sequence } of messages) {
    if (sequence === null || seen.has(sequence)) continue;
    seen.add(sequence);
    assert.ok((last.get(job_id) ?? 0) < sequence, `${job_id} in order`);
    last.set(job_id, sequence);
  }
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    sequences,
  );
  return messages.length - seen.size;
}

test('a replay whose sender is killed goes on where it was written down, without a hole', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  const child = forkSender(kit);
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  await kit.emit(jobsOf(600));
  await kit.settled(id);
  const sequences = sequencesOf(receiver.messages).sort((a, b) => a - b);
  slowly(receiver);
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
  await receiver.until(() => replayed(receiver).length >= 200);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const { progress } = await look(kit, replay);
  assert.ok(progress.sequence > 0 && progress.delivered < 600, JSON.stringify(progress));
  const unwritten = replayed(receiver).length - progress.delivered;
  await kit.sender();
  const { end_reason } = await over(kit, replay);
  assert.equal(end_reason, 'completed');
  const again = assertWhole(receiver, replay, sequences);
  assert.ok(again <= unwritten, `${again} messages came twice, ${unwritten} were not written down`);
});

test('a replay whose sender is stopped goes on at the next one, and sends nothing twice', async (t) => {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  const first = await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
  await kit.active(id);
  await kit.emit(jobsOf(400));
  await kit.settled(id);
  const sequences = sequencesOf(receiver.messages).sort((a, b) => a - b);
  slowly(receiver);
  const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
  await receiver.until(() => replayed(receiver).length >= 100);
  await first.stop();
  kit.clock.advance(1);
  await kit.sender();
  const { progress } = await over(kit, replay);
  assert.equal(assertWhole(receiver, replay, sequences), 0);
  assert.equal(progress.delivered, 400);
});

test('of two senders one sends each replay', async (t) => {
  const kit = await startKit(t);
  await kit.sender();
  await kit.sender();
  const receivers = await Promise.all(Array.from({ length: 6 }, () => kit.receiver()));
  const ids: string[] = [];
  for (const { url } of receivers) ids.push((await kit.endpoint({ url, types: ['job.*'] })).id);
  for (const id of ids) await kit.active(id);
  await kit.emit(jobsOf(60));
  for (const id of ids) await kit.settled(id);
  const replays = await Promise.all(ids.map((id) => requestOn(kit, { endpoint_id: id, from_sequence: 1 })));
  for (const [index, receiver] of receivers.entries()) {
    const replay = replays[index] ?? '';
    await over(kit, replay);
    const live = receiver.messages.filter(({ headers }) => headers['waypost-replay'] === undefined);
    const sequences = sequencesOf(live).sort((a, b) => a - b);
    assert.equal(assertWhole(receiver, replay, sequences), 0);
  }
});

for (const isTakenOver of [false, true])
  test(`a job whose newest event was delivered ahead of the live cursor ends with that one${isTakenOver ? ', whoever delivered it' : ''}`, async (t) => {
    const kit = await startKit(t);
    const receiver = await kit.receiver();
    const first = await kit.sender();
    const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'] });
    await kit.active(id);
    await kit.emit(['a', 'b']);
    await kit.settled(id);
    receiver.script = ({ job_id }) => (job_id === 'slow' ? { hold: true } : OK);
    await kit.emit(['slow']);
    await receiver.until(({ messages }) => messages.some(({ job_id }) => job_id === 'slow'));
    await kit.emit(['a']);
    const newest = await kit.head();
    await kit.eventually(
      async () =>
        (await kit.db.sql`select from attempts where sequence = ${newest} and outcome = 'delivered'`).length > 0,
    );
    if (isTakenOver) await first.stop(0);
    const replay = await requestOn(kit, { endpoint_id: id, from_sequence: 1 });
    if (isTakenOver) await kit.sender();
    // The cursor stands before what is held until all of the replay was sent.
    await receiver.until(() => replayed(receiver).length >= 2);
    await kit.eventually(async () => (await look(kit, replay)).progress.delivered === 2);
    receiver.script = () => OK;
    receiver.release();
    const { progress } = await over(kit, replay);
    assert.deepEqual([progress.delivered, progress.closed], [2, 1]);
    const ofJob = receiver.messages.filter(({ job_id }) => job_id === 'a');
    assert.equal(ofJob.at(-1)?.sequence, newest);
  });
