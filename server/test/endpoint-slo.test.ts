// What came in time and on whose side the lateness of the rest lay: counted by the sender, shown for each endpoint.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSlo } from '../src/webhooks/slo.store.ts';
import { startHouse } from './house.ts';
import { orderOf } from './order-input.ts';
import { startReceiver } from './receiver.ts';
import { OK, type Receiver, type SenderKit, startKit } from './sender-kit.ts';
import { until } from './until.ts';

interface Scene {
  kit: SenderKit;
  receiver: Receiver;
  id: string;
}

/** An endpoint to which a first message was sent in time. */
async function scene(t: Parameters<typeof startKit>[0]): Promise<Scene> {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], order_patience_s: 0 });
  await kit.active(id);
  await kit.emit(['first']);
  await kit.settled(id);
  return { kit, receiver, id };
}

const counted = async ({ kit, id }: Scene) => {
  const { on_time, budget } = await readSlo(kit.db.sql, kit.world_id, id, 30);
  return [on_time, budget.spent_by_us, budget.spent_by_endpoint];
};

test('what waited while no sender ran is late by us', async (t) => {
  const it = await scene(t);
  await it.kit.senders[0]?.stop();
  await it.kit.emit(['a', 'b']);
  it.kit.clock.advance(8_000);
  await it.kit.sender();
  await it.kit.settled(it.id);
  assert.deepEqual(await counted(it), [1, 2, 0]);
});

test('what is answered slowly or has to be tried again is late by the endpoint', async (t) => {
  const it = await scene(t);
  it.receiver.script = () => ({ hold: true });
  await it.kit.emit(['slow']);
  await it.receiver.until(({ messages }) => messages.length === 2);
  it.kit.clock.advance(8_000);
  it.receiver.release();
  await it.kit.settled(it.id);
  await it.kit.eventually(async () => (await counted(it))[2] === 1);
  let failed = 0;
  it.receiver.script = () => (failed++ === 0 ? { status: 500 } : OK);
  await it.kit.emit(['again']);
  await it.kit.eventually(
    async () => (await it.kit.db.sql`select 1 from parked_messages where state = 'retry'`).length > 0,
  );
  it.kit.clock.advance(8_000);
  await it.kit.eventually(async () => (await counted(it))[2] === 2);
  assert.deepEqual(await counted(it), [1, 0, 2]);
});

test('what waited for a broken endpoint is late by it; once it has caught up, messages are in time again', async (t) => {
  const it = await scene(t);
  it.receiver.isTestPassed = false;
  it.receiver.script = () => ({ status: 500 });
  await it.kit.emit(Array.from({ length: 40 }, (_, index) => `job_${index}`));
  await it.kit.eventually(
    async () => (await it.kit.db.sql`select 1 from cursors where broken_since is not null`).length === 1,
  );
  it.receiver.isTestPassed = true;
  it.receiver.script = () => OK;
  it.kit.clock.advance(8_000);
  await it.kit.settled(it.id);
  await it.kit.eventually(async () => (await counted(it))[2] === 40);
  assert.deepEqual(await counted(it), [1, 0, 40]);
});

test('the objective is shown with its budget, to whoever may see the endpoint', async () => {
  const house = await startHouse({ roles: ['api', 'sender'] });
  const receiver = await startReceiver();
  const made = await house.as.source.endpoints.create({ url: receiver.url, types: ['job.created'] });
  const path = `/v1/endpoints/${made.id}`;
  await until(async () => (await house.call('GET', path)).body.status === 'active');
  for (const name of ['SLO-1', 'SLO-2', 'SLO-3']) await house.call('POST', '/v1/jobs', orderOf(name, house.channel_id));
  const slo = await until(async () => {
    const found = await house.as.source.endpoints.slo(made.id);
    return found.messages === 3 ? found : null;
  });
  assert.deepEqual(
    [slo.objective, slo.within_s, slo.days, slo.on_time, slo.attained, slo.is_met],
    [0.99, 5, 30, 3, 1, true],
  );
  assert.deepEqual(slo.budget, { allowed: 0, spent_by_us: 0, spent_by_endpoint: 0, remaining: 0 });
  assert.deepEqual([slo.by_day.length, slo.by_day[0]?.messages], [1, 3]);
  assert.equal((await house.call('GET', `${path}/slo?days=31`)).status, 422);
  assert.equal((await house.call('GET', `${path}/slo`, undefined, { as: 'stranger' })).status, 404);
});
