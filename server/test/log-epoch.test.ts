// The head of a log beside its events: how it moves, how it goes on under a new epoch, and who is told of that.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Command } from '../src/ledger/command.ts';
import { advanceHeads } from '../src/ledger/ledger.store.ts';
import { restoreLogCommand } from '../src/ledger/log-epoch.ts';
import { askedByOperator } from '../src/operate/operator.ts';
import { openSource } from './event-source.ts';
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
  const move = {
    world_id: house.world_id,
    after: sequence + 2,
    chain,
    origin_chain: chain,
    log_epoch,
    config_changed: false,
  };
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
  const { log_epoch } = await readHead();
  assert.ok(log_epoch > before.log_epoch);
  assert.deepEqual([restored.log_epoch, created.log_epoch], [log_epoch, log_epoch]);
  assert.deepEqual(
    [...(await sql`select log_epoch, last_sequence from log_epochs where world_id = ${house.world_id}`)],
    [{ log_epoch, last_sequence: before.sequence }],
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

test('a place of the lost log is refused with the place to go on from; places from before, and of the new epoch, are good', async () => {
  const { sequence, log_epoch } = await readHead();
  const [epoch] = await house.database.sql<{ last_sequence: number }[]>`
    select last_sequence from log_epochs where world_id = ${house.world_id}`;
  const last = epoch?.last_sequence ?? 0;
  const read = (after: string) => house.call('GET', `/v1/events?after=${after}`);
  const lost = await read(String(last + 1));
  assert.equal(lost.status, 410);
  const { code, last_sequence, go_on_after } = lost.body;
  assert.deepEqual(
    { code, last_sequence, go_on_after },
    {
      code: 'log_restored',
      last_sequence: last,
      go_on_after: `${log_epoch}-${last}`,
    },
  );
  assert.match(lost.body.detail, /Forget what you got after \d+, then go on with after=/);
  for (const good of [String(last), `${log_epoch}-${last}`, go_on_after]) {
    const page = await read(good);
    assert.equal(page.status, 200, good);
    assert.deepEqual([page.body.data[0].type, page.body.next], ['log.restored', `${log_epoch}-${sequence}`]);
  }
  assert.equal((await read(`${log_epoch}-${sequence}`)).body.next, `${log_epoch}-${sequence}`);
  assert.equal((await read(`${log_epoch}-${sequence + 1}`)).status, 422);
  const unknown = await read(`${log_epoch - 1}-${last}`);
  assert.deepEqual([unknown.status, unknown.body.go_on_after], [410, `${log_epoch}-0`]);
  const events = await Array.fromAsync(house.as.source.events.iterate({ after: 0 }));
  assert.equal(events.at(-1)?.sequence, sequence, 'the SDK walks over the end of an epoch');
  assert.deepEqual([...new Set(events.map((event) => event.log_epoch))], [1, log_epoch]);
});

test('a stream names places, goes on by them, and says when one was lost', async () => {
  const { sequence, log_epoch } = await readHead();
  const { url } = house.server;
  const key = house.keys.source;
  const first = await openSource(url, key, `?after=${log_epoch}-${sequence - 1}&types=job.*`);
  await first.waitFor(1);
  assert.equal(first.lastId(), `${log_epoch}-${sequence}`);
  const again = await openSource(url, key, '', { 'last-event-id': first.lastId() ?? '' });
  const job = await house.as.source.jobs.create(orderOf('on-stream', house.channel_id));
  await again.waitFor(1);
  assert.equal(again.events()[0].data.data_id, job.id);
  assert.equal(again.lastId(), `${log_epoch}-${sequence + 1}`);
  const lost = await openSource(url, key, '', { 'last-event-id': String(sequence) });
  assert.equal(await lost.ended, 'whole');
  const end = lost.frames.find(({ event }) => event === 'restored');
  assert.equal(JSON.parse(end?.data ?? '{}').code, 'log_restored');
  for (const source of [first, again]) source.close();
});

type RestoredEvent = Awaited<ReturnType<typeof checkWorldLog>>[number] & { log_epoch: number };
