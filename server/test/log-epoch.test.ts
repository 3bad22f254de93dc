// The head of a log beside its events: how it moves, how it goes on under a new epoch, and who is told of that.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Command } from '../src/ledger/command.ts';
import { advanceHeads } from '../src/ledger/ledger.store.ts';
import { restoreLogCommand } from '../src/ledger/log-epoch.ts';
import { askedByOperator } from '../src/operate/operator.ts';
import { type House, startHouse } from './house.ts';
import { checkWorldLog } from './log-check.ts';
import { orderOf } from './order-input.ts';
import { operateOn } from './server.ts';

let house: House;

before(async () => {
  house = await startHouse();
});

const commit = (command: Command) => operateOn(house.database, (operator) => operator.commit(command));

async function readHead() {
  const [head] = await house.database.sql<{ sequence: number; log_epoch: number; recorded_at: Date; chain: Buffer }[]>`
    select sequence, log_epoch, recorded_at, chain from heads where world_id = ${house.world_id}`;
  if (head === undefined) throw new Error('the world has no head');
  return head;
}

test('a change of configuration without an event leaves the time of the head, so that a new day is marked', async () => {
  const { sql } = house.database;
  const yesterday = new Date(Date.now() - 86_400_000);
  await sql`update heads set recorded_at = ${yesterday} where world_id = ${house.world_id}`;
  await sql`delete from event_marks where world_id = ${house.world_id}`;
  const { sequence } = await readHead();
  await commit({
    name: 'config.change',
    ...askedByOperator(house.world_id),
    cause: 'rule',
    load: [],
    decide: () => ({
      events: [],
      puts: [],
      reply: { status: 200, body: null, version: null, location: null },
      config_changed: true,
    }),
  });
  assert.equal((await readHead()).recorded_at.getTime(), yesterday.getTime());
  await house.as.source.jobs.create(orderOf('after-config', house.channel_id));
  const marks = await sql<{ first_sequence: number }[]>`
    select first_sequence from event_marks where world_id = ${house.world_id}`;
  assert.deepEqual([...marks], [{ first_sequence: sequence + 1 }]);
});

test('a head that is not where it was read fails the transaction that would move it', async () => {
  const { sequence, chain, log_epoch } = await readHead();
  const move = { world_id: house.world_id, after: sequence + 2, chain, log_epoch, config_changed: false };
  const recorded_at = new Date().toISOString();
  await assert.rejects(
    house.database.sql.begin((tx) => advanceHeads(tx, [{ ...move, before: sequence + 1, recorded_at }])),
    { code: '22012' },
  );
  assert.equal((await readHead()).sequence, sequence);
});

test('a restored log goes on gapless under a new epoch, tells where the old one ended, and tells everybody', async () => {
  const { sql } = house.database;
  const { tenant_id } = house.server.tenant;
  const before = await readHead();
  const backup_at = new Date().toISOString();
  const { world_id, actor, correlation_id } = askedByOperator(house.world_id);
  await commit(restoreLogCommand({ world_id, tenant_id }, actor, correlation_id, { backup_at }));
  const job = await house.as.source.jobs.create(orderOf('after-restore', house.channel_id));

  const events = await checkWorldLog(sql, house.world_id);
  const [restored, created] = events.slice(before.sequence) as [RestoredEvent, RestoredEvent];
  assert.equal(restored.type, 'log.restored');
  assert.deepEqual(restored.data, { data_id: tenant_id, changes: {}, backup_at, last_sequence: before.sequence });
  assert.deepEqual([restored.log_epoch, created.log_epoch], [before.log_epoch + 1, before.log_epoch + 1]);
  assert.equal((await readHead()).log_epoch, before.log_epoch + 1);
  assert.deepEqual(
    [...(await sql`select log_epoch, last_sequence from log_epochs where world_id = ${house.world_id}`)],
    [{ log_epoch: before.log_epoch + 1, last_sequence: before.sequence }],
  );
  assert.equal(created.data.job?.id, job.id);
  for (const who of ['source', 'bound', 'weak'] as const) {
    const page = await house.call('GET', `/v1/events?after=${before.sequence}&types=job.created`, undefined, {
      as: who,
    });
    assert.deepEqual(
      page.body.data.map(({ type }: { type: string }) => type),
      ['log.restored', 'job.created'],
      who,
    );
  }
});

type RestoredEvent = Awaited<ReturnType<typeof checkWorldLog>>[number] & { log_epoch: number };
