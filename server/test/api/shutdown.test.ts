// A server that is told to end answers what is under way, takes nothing more, and ends at once.

import assert from 'node:assert/strict';
import test from 'node:test';
import { checkHouse, startHouse } from '../house.ts';
import { startServer } from '../server.ts';
import { until } from '../until.ts';
import { givenJob, orderFor } from './given.ts';

const END_WITHIN_MS = 4_000;

test('what is being written when the server ends is written and answered, and the end does not wait for idle clients', async () => {
  const house = await startHouse();
  const second = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'] });
  const order = orderFor(house);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const held = house.database.sql.begin(async (tx) => {
    await tx`select from heads where world_id = ${house.world_id} for update`;
    const answer = fetch(`${second.url}/v1/jobs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${house.keys.source}`, 'content-type': 'application/json' },
      body: JSON.stringify(order),
    });
    await until(async () => {
      const waiting = await house.database.sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return waiting.length > 0;
    }, 'the write to wait for the head');
    const startedAt = performance.now();
    const stopped = second.stop().then(() => performance.now() - startedAt);
    release();
    return { answer, stopped };
  });
  await released;
  const { answer, stopped } = await held;
  const reply = await answer;
  assert.equal(reply.status, 201);
  assert.equal(reply.headers.get('connection'), 'close');
  assert.ok((await stopped) < END_WITHIN_MS);
  const made = (await reply.json()) as { id: string };
  assert.equal((await house.as.source.jobs.get(made.id)).reference, order.reference);
  await assert.rejects(fetch(`${second.url}/healthz`));
  await givenJob(house);
  assert.equal(await checkHouse(house), 2);
});
