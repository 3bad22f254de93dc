// A day is over: the root of each log goes out, once, whoever asks for it and however long nobody ran.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, test } from 'node:test';
import { sealDayCommand } from '../src/ledger/log-seal.ts';
import { createDatabase, type TestDatabase } from './harness.ts';
import { checkWorldLog } from './log-check.ts';
import { orderInput } from './order-input.ts';
import { operateOn, startServer, type TestServer } from './server.ts';
import { type ShiftedClock, shiftClock } from './shifted-clock.ts';
import { until } from './until.ts';

const DAY_MS = 86_400_000;

let database: TestDatabase;
let clock: ShiftedClock;
let tenant: TestServer['tenant'];
let world_id = 0;

interface Seal {
  sequence: number;
  recorded_at: string;
  data: {
    day: string;
    first_sequence: number | null;
    last_sequence: number;
    events: number;
    root: string;
    root_before: string | null;
  };
}

const dayOf = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);

async function readSeals(): Promise<Seal[]> {
  const rows = await database.sql<{ body: string }[]>`
    select body from events where world_id = ${world_id} and type = 'log.sealed' order by sequence`;
  return rows.map(({ body }) => JSON.parse(body) as Seal);
}

async function chainAt(sequence: number): Promise<string> {
  const [row] = await database.sql<{ chain: Buffer }[]>`
    select chain from events where world_id = ${world_id} and sequence = ${sequence}`;
  return row?.chain.toString('hex') ?? '';
}

async function createJob(server: TestServer, reference: string) {
  const reply = await fetch(`${server.url}/v1/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.test_key}`, 'content-type': 'application/json' },
    body: JSON.stringify(orderInput(reference, { channel_id: tenant.channel_id })),
  });
  assert.equal(reply.status, 201, await reply.text());
}

before(async () => {
  database = await createDatabase();
  clock = await shiftClock(database);
  const server = await startServer({ database, roles: ['api'] });
  tenant = server.tenant;
  const [world] = await database.sql<{ world_id: number }[]>`
    select world_id from worlds where tenant_id = ${tenant.tenant_id} and world = 'test'`;
  world_id = world?.world_id ?? 0;
  await createJob(server, 'first-day-1');
  await createJob(server, 'first-day-2');
  await server.stop();
});

test('a day that is not over is not sealed, whoever asks', async () => {
  await operateOn(database, (operator) => operator.commit(sealDayCommand(world_id, dayOf(0), 'too-early')));
  assert.deepEqual(await readSeals(), []);
});

test('of processes that start on the next day, one seals the day before in every world', async () => {
  const [head] = await database.sql<{ sequence: number }[]>`select sequence from heads where world_id = ${world_id}`;
  await clock.set('1 day');
  const servers = await Promise.all([1, 2, 3].map(() => startServer({ database, tenant, roles: ['api'] })));
  const [seal] = await until(async () => {
    const seals = await readSeals();
    return seals.length > 0 ? seals : null;
  }, 'the seal');
  for (const server of servers) await server.stop();
  assert.equal((await readSeals()).length, 1);
  const last = head?.sequence ?? 0;
  assert.deepEqual(seal?.data, {
    data_id: dayOf(0),
    changes: {},
    day: dayOf(0),
    first_sequence: 1,
    last_sequence: last,
    events: last,
    root: await chainAt(last),
    root_before: '00'.repeat(32),
  });
  assert.equal(seal?.sequence, last + 1);
  assert.equal(seal?.recorded_at.slice(0, 10), dayOf(1));
  const worlds = await database.sql`
    select h.world_id from heads h left join log_seals s on s.world_id = h.world_id where h.sequence > 0 and s.day is null`;
  assert.equal(worlds.length, 0, 'every log that holds anything is sealed');
});

test('days on which nobody ran are made up, each once, and chain on', async () => {
  await clock.set('3 days');
  const server = await startServer({ database, tenant, roles: ['sender'] });
  const seals = await until(async () => {
    const found = await readSeals();
    return found.length >= 3 ? found : null;
  }, 'the seals of the days before');
  await server.stop();
  assert.deepEqual(
    seals.map(({ data }) => [data.day, data.events]),
    [
      [dayOf(0), seals[0]?.data.events],
      [dayOf(1), 1],
      [dayOf(2), 0],
    ],
  );
  const [first, second, third] = seals;
  assert.equal(second?.data.root_before, first?.data.root);
  assert.equal(second?.data.root, await chainAt(second?.data.last_sequence ?? 0));
  assert.deepEqual(
    [third?.data.first_sequence, third?.data.last_sequence, third?.data.root],
    [null, second?.data.last_sequence, second?.data.root],
  );
  await checkWorldLog(database.sql, world_id);
});

test('the role of the ledger may add to the sealed days and change none', async () => {
  const [rights] = await database.sql<Record<string, boolean>[]>`
    select has_table_privilege('waypost_ledger', 'log_seals', 'insert') as insert,
      has_table_privilege('waypost_ledger', 'log_seals', 'update') as update,
      has_table_privilege('waypost_ledger', 'log_seals', 'delete') as delete`;
  assert.deepEqual(rights, { insert: true, update: false, delete: false });
});

test('the proofs of a log give its hashes and chain, and the stored form where values are personal', async () => {
  const server = await startServer({ database, tenant, roles: ['api'] });
  const read = async (path: string) => {
    const reply = await fetch(server.url + path, { headers: { authorization: `Bearer ${tenant.test_key}` } });
    assert.equal(reply.status, 200);
    return (await reply.text()) as string;
  };
  const sha = (...parts: (string | Buffer)[]) => {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const { data, next, has_more } = JSON.parse(await read('/v1/events/proofs?limit=1000'));
  assert.equal(has_more, false);
  let chain: Buffer = Buffer.alloc(32);
  const kinds = new Set<boolean>();
  for (const proof of data) {
    kinds.add(proof.has_personal);
    const sent = await read(`/v1/events/${proof.event_id}`);
    const hash = proof.has_personal
      ? sha(proof.stored.body, Buffer.from(proof.stored.sealed, 'base64'))
      : sha(sent, Buffer.of(1));
    assert.equal(proof.hash, hash.toString('hex'), `event ${proof.sequence}`);
    chain = sha(chain, hash);
    assert.equal(proof.chain, chain.toString('hex'));
    assert.equal(proof.stored === null, !proof.has_personal);
  }
  assert.deepEqual([...kinds].sort(), [false, true]);
  assert.equal(next, String(data.at(-1).sequence));
  const page = JSON.parse(await read('/v1/events/proofs?after=2&limit=3'));
  assert.deepEqual(page.data, data.slice(2, 5));
  assert.deepEqual([page.has_more, page.next], [true, '5']);
});
