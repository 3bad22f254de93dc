// Whether requests should come here: what /readyz says of the database, of the days ahead, and of a process that ends.

import assert from 'node:assert/strict';
import test from 'node:test';
import { type House, startHouse } from '../house.ts';
import { startServer } from '../server.ts';
import { until } from '../until.ts';
import { orderFor } from './given.ts';

async function readyOf(url: string): Promise<{ status: number; detail: string }> {
  const reply = await fetch(`${url}/readyz`);
  const { detail = '' } = (await reply.json()) as { detail?: string };
  return { status: reply.status, detail };
}

async function becomes(url: string, status: number, words: RegExp): Promise<void> {
  await until(async () => {
    const ready = await readyOf(url);
    return ready.status === status && words.test(ready.detail);
  }, `/readyz to say ${status} ${words}`);
}

test('it is not ready without the tables of tomorrow, or without what this program needs of the database', async () => {
  const { server, database } = await startHouse();
  await becomes(server.url, 200, /^$/);
  const dayAfter = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const tomorrow = `events_${dayAfter(1).replaceAll('-', '')}`;
  await database.sql.unsafe(`alter table events detach partition ${tomorrow}`);
  await becomes(server.url, 503, /tables of tomorrow.*waypost doctor/);
  const bounds = `from ('${dayAfter(1)}T00:00:00Z') to ('${dayAfter(2)}T00:00:00Z')`;
  await database.sql.unsafe(`alter table events attach partition ${tomorrow} for values ${bounds}`);
  await becomes(server.url, 200, /^$/);
  const [last] = await database.sql<{ name: string }[]>`select max(name) as name from migrations`;
  await database.sql`delete from migrations where name = ${last?.name ?? ''}`;
  await becomes(server.url, 503, new RegExp(`lacks ${last?.name}.*waypost migrate`));
});

/** A write that waits for its world's head until it is let go. */
async function holdWrite(house: House, url: string): Promise<{ answer: Promise<Response>; release(): void }> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: held, resolve: hold } = Promise.withResolvers<void>();
  house.database.sql
    .begin(async (tx) => {
      await tx`select from heads where world_id = ${house.world_id} for update`;
      hold();
      await released;
    })
    .catch(() => {});
  await held;
  const answer = fetch(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.keys.source}`, 'content-type': 'application/json' },
    body: JSON.stringify(orderFor(house)),
  });
  answer.catch(() => {});
  await until(async () => {
    const waiting = await house.database.sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return waiting.length > 0;
  }, 'the write to wait for the head');
  return { answer, release };
}

test('a process that is told to stop says so at once, takes no new connection and answers what is under way', async () => {
  const house = await startHouse();
  const { database, server } = house;
  const ending = await startServer({ database, tenant: server.tenant, roles: ['api'], config: { healthPort: 0 } });
  const health = ending.health_url ?? '';
  assert.deepEqual(await readyOf(health), { status: 200, detail: '' });
  const { answer, release } = await holdWrite(house, ending.url);
  const stopped = ending.stop();
  assert.deepEqual(await readyOf(health), { status: 503, detail: 'This process is stopping.' });
  assert.equal((await fetch(`${health}/healthz`)).status, 200, 'it is still alive');
  await assert.rejects(fetch(`${ending.url}/healthz`), 'no new connection is taken');
  release();
  const reply = await answer;
  assert.deepEqual([reply.status, reply.headers.get('connection')], [201, 'close']);
  await stopped;
  await assert.rejects(fetch(`${health}/healthz`));
});

test('what is still under way after WAYPOST_DRAIN_S is cut', async () => {
  const house = await startHouse();
  const { database, server } = house;
  const ending = await startServer({ database, tenant: server.tenant, roles: ['api'], config: { drainS: 1 } });
  const { answer, release } = await holdWrite(house, ending.url);
  const stopped = ending.stop();
  await assert.rejects(answer);
  release();
  await stopped;
});
