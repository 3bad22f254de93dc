// The log as a stream: what it holds and what comes, filtered, resumed, and ended when it must.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import pino from 'pino';
import type { Sql } from '../../src/db/sql.ts';
import { BEGINNING, findNewest } from '../../src/events/log.store.ts';
import { pullEvents } from '../../src/events/pull.store.ts';
import { compileWanted, PAGE_LIMITS } from '../../src/events/pull.ts';
import { errorFields } from '../../src/http/problem.ts';
import { openSource, type Source } from '../event-source.ts';
import { type House, startHouse } from '../house.ts';
import { startServer } from '../server.ts';
import { until } from '../until.ts';
import { givenJob } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

type Context = { after(fn: () => unknown): void };

async function open(
  t: Context,
  query = '',
  headers: Record<string, string> = {},
  key = house.keys.source,
  url = house.server.url,
): Promise<Source> {
  const source = await openSource(url, key, query, headers);
  t.after(() => source.close());
  return source;
}

let drivers = 0;
const makeDriver = () => house.as.source.drivers.create({ name: `Driver ${++drivers}` });
const newest = async () => Number((await house.as.source.events.list({ limit: 1, after: 0 })) && (await headOf()));
async function headOf(): Promise<number> {
  const [head] = await house.database.sql<
    { sequence: number }[]
  >`select sequence from heads where world_id = ${house.world_id}`;
  return head?.sequence ?? 0;
}
const sequencesOf = (source: Source) => source.events().map(({ sequence }) => sequence);

test('a stream tells what comes from now on, each event as the list has it', async (t) => {
  await makeDriver();
  const before = await newest();
  const source = await open(t);
  assert.equal(source.headers.get('content-type'), 'text/event-stream');
  await until(() => source.lastId() === String(before), 'the place at which it begins');
  await makeDriver();
  await givenJob(house);
  await source.waitFor(2);
  const { data } = await house.as.source.events.list({ after: before });
  assert.deepEqual(source.events(), data);
  const [first] = source.frames.filter(({ event }) => event !== null);
  assert.deepEqual([first?.id, first?.event], [String(before + 1), 'driver.created']);
});

test('from a sequence on it tells what the log holds and then what comes, without a seam', async (t) => {
  const source = await open(t, '?after=0');
  const before = await newest();
  await source.waitFor(before);
  await makeDriver();
  await source.waitFor(before + 1);
  assert.deepEqual(
    sequencesOf(source),
    Array.from({ length: before + 1 }, (_, index) => index + 1),
  );
  assert.deepEqual(
    source.events().map(({ previous }) => previous),
    [null, ...sequencesOf(source).slice(0, -1)],
  );
});

test('Last-Event-ID goes before `after`, and one that is no sequence is refused', async (t) => {
  const before = await newest();
  const source = await open(t, '?after=0', { 'last-event-id': String(before - 1) });
  await source.waitFor(1);
  assert.deepEqual(sequencesOf(source), [before]);
  const fresh = await open(t, '?after=1', { 'last-event-id': '' });
  await fresh.waitFor(1);
  assert.equal(sequencesOf(fresh)[0], 2);
  const refused = await house.call('GET', '/v1/events/stream', undefined, { headers: { 'last-event-id': 'evt_1' } });
  assert.deepEqual([refused.status, refused.body.code], [400, 'invalid_header']);
  assert.equal(refused.body.errors[0].pointer, 'header/Last-Event-ID');
});

test('a stream takes the filters of the list, and each event names the one before it that matched', async (t) => {
  const job = await givenJob(house);
  const queries = ['types=driver.*', 'types=job.accepted', `job_id=${job.id}`, 'types=driver.created,job.*'];
  const sources = await Promise.all(queries.map((query) => open(t, `?after=0&${query}`)));
  const late = await Promise.all(queries.map((query) => open(t, `?${query}`)));
  for (let round = 0; round < 3; round++) {
    await makeDriver();
    await givenJob(house);
    await house.as.source.jobs.patch(job.id, { priority: round % 2 === 0 ? 'urgent' : 'standard' });
  }
  for (const [index, query] of queries.entries()) {
    const { body } = await house.call('GET', `/v1/events?limit=200&after=0&${query}`);
    const source = sources[index];
    const newcomer = late[index];
    assert.ok(source !== undefined && newcomer !== undefined && body.data.length > 2, query);
    await source.waitFor(body.data.length);
    assert.deepEqual(source.events(), body.data, query);
    await newcomer.waitFor(1);
    const came = newcomer.events()[0];
    assert.deepEqual(
      came,
      body.data.find(({ sequence }: { sequence: number }) => sequence === came.sequence),
      query,
    );
    let previous: number | null = null;
    for (const event of body.data) {
      assert.equal(event.previous, previous, query);
      previous = event.sequence;
    }
  }
});

test('two keys with different rights see one event in two ways, and a bound key only that of its channel', async (t) => {
  const after = await newest();
  const full = await open(t);
  const masked = await open(t, '', {}, house.keys.plain);
  const bound = await open(t, '', {}, house.keys.bound);
  await makeDriver();
  await givenJob(house);
  await Promise.all([full.waitFor(2), masked.waitFor(2), bound.waitFor(1)]);
  const phone = (source: Source) => source.events().at(-1)?.data.job.deliveries[0].contact.phone;
  assert.deepEqual([phone(full), phone(masked), phone(bound)], ['+46701234567', '+46*******67', '+46701234567']);
  assert.ok(sequencesOf(full).length >= 2 && sequencesOf(full)[0] === after + 1);
  assert.ok(bound.events().every(({ channel_id }) => channel_id === house.channel_id));
});

test('wrong questions are refused by name, and keys without the right with the scope', async () => {
  const ask = (query: string, who: 'source' | 'reader' | null = 'source') =>
    house.call('GET', `/v1/events/stream?${query}`, undefined, { as: who });
  const misspelt = await ask('types=job.complete');
  assert.match(misspelt.text, /did you mean \\"job.completed\\"/);
  const beyond = await ask('after=99999999');
  assert.deepEqual([beyond.status, beyond.body.errors[0].pointer], [422, 'query/after']);
  const ahead = await house.call('GET', '/v1/events/stream?after=1', undefined, {
    headers: { 'last-event-id': '99999999' },
  });
  assert.deepEqual([ahead.status, ahead.body.errors[0].pointer], [422, 'header/Last-Event-ID']);
  assert.equal((await ask('endpoint_id=whe_01kaj2w0d4f8tb3h5gk9mzq7xe')).status, 404);
  assert.equal((await ask('', 'reader')).body.missing_scope, 'events:read');
  assert.equal((await ask('', null)).status, 401);
  assert.equal((await ask(`access_token=${house.keys.source}`)).body.code, 'key_in_url');
});

test('a stream hears of what another process writes, and goes on at another one when its own stops', async (t) => {
  const other = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'] });
  const source = await open(t, '', {}, house.keys.source, other.url);
  const before = await newest();
  await makeDriver();
  await source.waitFor(1);
  const stopped = other.stop();
  assert.equal(await source.ended, 'whole');
  await stopped;
  await makeDriver();
  const resumed = await open(t, '', { 'last-event-id': source.lastId() ?? '' });
  await makeDriver();
  await resumed.waitFor(2);
  assert.deepEqual([...sequencesOf(source), ...sequencesOf(resumed)], [before + 1, before + 2, before + 3]);
});

test('a stream ends within a second of the revocation of its key, and others go on', async (t) => {
  const made = await house.as.source.keys.create({ name: 'Short-lived', scopes: ['events:read'], authority: 'source' });
  const source = await open(t, '', {}, made.secret ?? '');
  const staying = await open(t);
  const startedAt = performance.now();
  await house.as.source.keys.revoke(made.id);
  assert.equal(await source.ended, 'whole');
  assert.ok(performance.now() - startedAt < 2_000);
  const before = staying.events().length;
  await makeDriver();
  await staying.waitFor(before + 1);
});

test('a stream ends when its key expires', async (t) => {
  const expires_at = new Date(Date.now() + 1_000).toISOString();
  const made = await house.as.source.keys.create({
    name: 'Brief',
    scopes: ['events:read'],
    authority: 'source',
    expires_at,
  });
  const source = await open(t, '', {}, made.secret ?? '');
  assert.equal(await source.ended, 'whole');
  assert.ok(Date.now() >= Date.parse(expires_at));
});

test('a place before the floor is 410 in a list, and in a stream the event `expired` with the oldest sequence', async (t) => {
  const lost = await startHouse();
  for (let n = 0; n < 5; n++) await lost.as.source.drivers.create({ name: `D${n}` });
  const { sql } = lost.database;
  const oldest = 4;
  // What retention does to whole days, done to the first events of this one.
  await sql`delete from events where world_id = ${lost.world_id} and sequence < ${oldest}`;
  await sql`update event_marks set first_sequence = ${oldest} where world_id = ${lost.world_id}`;
  const listed = await lost.call('GET', '/v1/events?after=2');
  assert.deepEqual([listed.status, listed.body.code, listed.body.oldest_sequence], [410, 'cursor_expired', oldest]);
  assert.match(listed.body.detail, /after=3/);
  const source = await openSource(lost.server.url, lost.keys.source, '?after=2');
  assert.equal(await source.ended, 'whole');
  const [frame] = source.frames;
  assert.deepEqual([frame?.event, JSON.parse(frame?.data ?? '{}').oldest_sequence], ['expired', oldest]);
  for (const query of ['?after=3', '?after=0']) {
    const kept = await open(t, query, {}, lost.keys.source, lost.server.url);
    await kept.waitFor(1);
    assert.equal(sequencesOf(kept)[0], oldest);
    const page = await lost.call('GET', `/v1/events${query}&limit=1`);
    assert.deepEqual([page.body.data[0].sequence, page.body.data[0].previous], [oldest, oldest - 1]);
  }
});

test('an event that is damaged ends the streams that want it behind what was before it, is told once, and holds up no others', async (t) => {
  const lines: { msg: string; err?: { message: string } }[] = [];
  const log = pino(
    { base: null, serializers: { err: errorFields } },
    { write: (line) => void lines.push(JSON.parse(line)) },
  );
  const faults = () => lines.filter(({ msg }) => msg === 'feed.failed');
  const { sql } = house.database;
  const damages = {
    'its key is missing': 'return null',
    'its key is not what was sealed': `new.sealed_key := '\\x00'; return new`,
  };
  for (const [what, statements] of Object.entries(damages)) {
    // Keys are damaged as they are written: the process that made one still has it, the other has to read it.
    await sql.unsafe(`create function damage() returns trigger language plpgsql as $$ begin ${statements}; end $$`);
    await sql`create trigger damage before insert on subjects for each row
      when (new.subject_id like 'cus\_%') execute function damage()`;
    const other = await startServer({ database: house.database, tenant: house.server.tenant, roles: ['api'], log });
    const openOther = (query: string) => open(t, query, {}, house.keys.source, other.url);
    const before = await newest();
    const [wide, narrow] = await Promise.all([openOther(''), openOther('?types=driver.*')]);
    // Both are live once they told of this, so that what comes now comes out of the feed.
    await makeDriver();
    await Promise.all([wide.waitFor(1), narrow.waitFor(1)]);
    await house.as.source.customers.create({ name: 'Damaged', phone: '+46701234567' });
    await makeDriver();
    await narrow.waitFor(2);
    assert.equal(await wide.ended, 'cut', what);
    assert.deepEqual(sequencesOf(wide), [before + 1], what);
    const again = await openOther(`?after=${before}`);
    assert.equal(await again.ended, 'cut', what);
    assert.deepEqual(sequencesOf(again), [before + 1], `${what}: what the log holds before it is told`);
    await makeDriver();
    await narrow.waitFor(3);
    assert.deepEqual(sequencesOf(narrow), [before + 1, before + 3, before + 4], what);
    assert.deepEqual(
      faults().map(({ err }) => err?.message),
      [`the event ${before + 2} of world ${house.world_id} cannot be rendered`],
      what,
    );
    await other.stop();
    lines.length = 0;
    await sql`drop function damage() cascade`;
  }
});

test('a reading that the log runs away from while it goes on is refused, and passes over nothing', async () => {
  const lost = await startHouse();
  const job = await givenJob(lost);
  for (const priority of ['express', 'urgent', 'standard'] as const)
    await lost.as.source.jobs.patch(job.id, { priority });
  const { sql } = lost.database;
  const end = await findNewest(sql, lost.world_id);
  const [first] = (await lost.as.source.events.list({ job_id: job.id })).data;
  let oldest = first?.sequence ?? 0;
  /** Drops the oldest event, as retention does with days, once a statement like this was answered. */
  const dropAfter = (statement: RegExp) =>
    new Proxy(sql, {
      apply(target, self, args: [TemplateStringsArray, ...unknown[]]) {
        const asked = Reflect.apply(target as never, self, args) as Promise<unknown>;
        if (!statement.test(args[0].join(''))) return asked;
        return asked.then(async (rows) => {
          oldest++;
          await sql`update event_marks set first_sequence = ${oldest} where world_id = ${lost.world_id}`;
          await sql`delete from events where world_id = ${lost.world_id} and sequence < ${oldest}`;
          return rows;
        });
      },
    }) as Sql;
  const wishes = { channel_ids: null, types: null, filter: null };
  const pull = (reads: Sql, jobId: string | null, sequence: number) =>
    pullEvents(
      reads,
      lost.world_id,
      { place: { cursor: { ...BEGINNING, sequence }, previous: undefined }, end },
      compileWanted({ ...wishes, job_id: jobId }),
      { ...PAGE_LIMITS, events: 50 },
    );
  for (const jobId of [null, job.id]) {
    const from = oldest - 1;
    const told = { code: 'cursor_expired', extra: { oldest_sequence: oldest + 1 } };
    await assert.rejects(pull(dropAfter(/octet_length\(body\)/), jobId, from), told, 'between heads and documents');
    await assert.rejects(pull(sql, jobId, from), told, 'before it begins');
    const kept = await pull(sql, jobId, oldest - 1);
    assert.equal(kept.rows[0]?.row.sequence, oldest);
  }
});
