// A consumer as a witness: its own log is verified by itself, by the server and by saved proofs; whatever was changed on
// either side is named. The days are over because the database's clock is set ahead.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readKeptEvents } from '../cli/src/kept-event.ts';
import { checkRecord } from '../cli/src/record-check.ts';
import { ProofCheck } from '../cli/src/record-proof.ts';
import { chainEvent, hashEvent } from '../server/src/ledger/event-text.ts';
import { createDatabase, type TestDatabase } from '../server/test/harness.ts';
import { deliveryOf, orderInput } from '../server/test/order-input.ts';
import { runWords } from '../server/test/say.ts';
import { startServer, type TestServer } from '../server/test/server.ts';
import { type ShiftedClock, shiftClock } from '../server/test/shifted-clock.ts';
import { until } from '../server/test/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'waypost-witness-'));
after(() => rmSync(folder, { recursive: true, force: true }));

// biome-ignore lint/suspicious/noExplicitAny: replies are looked into freely by tests
type Any = any;

let database: TestDatabase;
let clock: ShiftedClock;
let server: TestServer;
let customerId = '';
/** The log as a consumer keeps it. */
let record: string[] = [];

async function call(method: string, path: string, body?: unknown): Promise<Any> {
  const reply = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.tenant.test_key}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await reply.text();
  assert.ok(reply.ok, text);
  return JSON.parse(text);
}

const env = () => ({ WAYPOST_URL: server.url, WAYPOST_KEY: server.tenant.test_key });

async function startOn(shift: string, tenant?: TestServer['tenant']): Promise<void> {
  if (tenant !== undefined) await server.stop();
  await clock.set(shift);
  server = await startServer({ database, roles: ['api'], ...(tenant !== undefined && { tenant }) });
}

const createJob = (reference: string) =>
  call('POST', '/v1/jobs', orderInput(reference, { channel_id: server.tenant.channel_id }));

const hub = { name: 'West', address: deliveryOf().address, time_zone: 'Europe/Stockholm' };

async function readLog(): Promise<string[]> {
  return (await call('GET', '/v1/events?limit=200')).data.map((event: unknown) => JSON.stringify(event));
}

const countSeals = (lines: readonly string[]) => lines.filter((line) => line.includes('"log.sealed"')).length;

interface Said {
  code: number | null;
  told: Any;
  sentences: string[];
}

async function verify(lines: readonly string[], ...options: string[]): Promise<Said> {
  const path = join(folder, 'log.ndjson');
  writeFileSync(path, `${lines.join('\n')}\n`);
  const { code, out, err } = await runWords(['events', 'verify', path, '--json', ...options], env());
  assert.notEqual(out, '', err);
  const told = JSON.parse(out);
  return { code, told, sentences: (told.problems ?? []).map((problem: Any) => problem.sentence) };
}

/** The same lines with one event changed; `select` finds it. */
function change(lines: readonly string[], select: (event: Any) => boolean, edit: (event: Any) => void): string[] {
  let isDone = false;
  const changed = lines.map((line) => {
    const event = JSON.parse(line);
    if (isDone || !select(event)) return line;
    isDone = true;
    edit(event);
    return JSON.stringify(event);
  });
  assert.ok(isDone, 'there is such an event');
  return changed;
}

before(async () => {
  database = await createDatabase();
  clock = await shiftClock(database);
  await startOn('0');
  customerId = (await call('POST', '/v1/customers', { name: 'A. Berg', phone: '+46701234567' })).id;
  for (const reference of ['one', 'two']) {
    const { id } = await createJob(reference);
    await call('PATCH', `/v1/jobs/${id}`, { priority: 'express' });
  }
  await startOn('1 day', server.tenant);
  // Nothing of the second day is personal: its hashes can be made from what was sent.
  const { id } = await call('POST', '/v1/hubs', hub);
  await call('PATCH', `/v1/hubs/${id}`, { name: 'South' });
  await startOn('2 days', server.tenant);
  await until(async () => countSeals(await readLog()) === 2, 'both days to be sealed');
  record = await readLog();
});

test('a true log is proven by the server, event by event and root by root', async () => {
  const { code, told } = await verify(record);
  assert.deepEqual([code, told.ok, told.by, told.problems], [0, true, 'server', []]);
  assert.equal(told.proven, record.length);
  assert.deepEqual(
    told.days.map(({ state }: Any) => state).filter((state: string) => state === 'broken'),
    [],
  );
});

test('repeats, members of their own and any order of lines do no harm', async () => {
  const others = record.map((line) => {
    const { previous, ...event } = JSON.parse(line);
    return JSON.stringify({ waypost_previous: previous, ...event, got_at: 'now' });
  });
  const { code, told } = await verify([...others.toReversed(), others[2] as string]);
  assert.deepEqual([code, told.duplicates, told.proven], [0, 1, record.length]);
});

test('by the file alone its numbers, links and roots are verified', async () => {
  const { code, told } = await verify(record, '--offline');
  assert.deepEqual([code, told.by, told.problems], [0, 'file', []]);
  assert.ok(told.proven > 0 && told.proven < record.length);
  assert.deepEqual(
    told.days.map(({ state }: Any) => state),
    ['consistent', 'proven'],
  );
});

test('saved proofs verify without a server', async () => {
  const { code, out } = await runWords(['events', 'proofs'], env());
  assert.equal(code, 0);
  const path = join(folder, 'proofs.ndjson');
  writeFileSync(path, out);
  const { told, code: verified } = await verify(record, '--proofs', path);
  assert.deepEqual([verified, told.by, told.proven], [0, 'proofs', record.length]);
});

test('what is missing is named with its numbers', async () => {
  const lines = record.map((line) => JSON.stringify({ ...JSON.parse(line), previous: undefined }));
  const without = lines.toSpliced(2, 2);
  const { code, sentences } = await verify(without, '--offline');
  assert.equal(code, 1);
  assert.deepEqual(sentences, ['events 3 to 4 are missing']);
  assert.deepEqual((await verify(without, '--filtered')).sentences, []);
  const told = await verify(record.toSpliced(2, 1));
  assert.deepEqual(told.sentences, ['event 3 is missing: line 3 names it as the one before']);
});

test('a changed event is named, with the member that was changed where it holds personal values', async () => {
  const isSecond = ({ type, job_sequence }: Any) => type === 'job.created' && job_sequence === 1;
  const edited = change(record, isSecond, (event) => {
    event.data.job.priority = 'whenever';
  });
  const online = await verify(edited);
  assert.equal(online.code, 1);
  assert.match(online.sentences.join(), /event \d+ was changed at \/data\/job\/priority/);
  const plain = change(
    record,
    ({ type }) => type === 'hub.created' || type === 'channel.created',
    (event) => {
      event.cause = 'dashboard';
    },
  );
  const { sentences } = await verify(plain);
  assert.match(sentences.join(), /was changed: its text has not the hash that the log has/);
});

test('by the file alone a changed event breaks the root of its day', async () => {
  const forged = change(
    record,
    ({ type }) => type === 'hub.updated',
    (event) => {
      event.data.hub.name = 'North';
    },
  );
  const { code, told, sentences } = await verify(forged, '--offline');
  assert.equal(code, 1);
  assert.match(
    sentences.join(),
    /the events up to \d+ do not make the root of \d{4}-\d\d-\d\d: one of them was changed/,
  );
  assert.deepEqual(
    told.days.map(({ state }: Any) => state),
    ['consistent', 'broken'],
  );
  const created = change(
    record,
    ({ type, data }) => type === 'hub.created' && data.hub.name === 'West',
    (event) => {
      event.data.hub.name = 'East';
    },
  );
  assert.match(
    (await verify(created, '--offline')).sentences.join(),
    /is not the one that event \d+ \(line \d+\) follows/,
  );
});

test('a changed number or time does not fit the id, and a changed root neither the file nor the server', async () => {
  const moved = change(
    record,
    ({ sequence }) => sequence === 3,
    (event) => {
      event.recorded_at = '2020-01-01T00:00:00.000Z';
    },
  );
  assert.match((await verify(moved, '--offline')).sentences[0] ?? '', /its id belongs to event 3 of /);
  const rooted = change(
    record,
    ({ type }) => type === 'log.sealed',
    (event) => {
      event.data.root = 'ab'.repeat(32);
    },
  );
  assert.match((await verify(rooted, '--offline')).sentences.join(), /the root before .* is not that of/);
  assert.match((await verify(rooted)).sentences.join(), /has not the root that line \d+ says: it was rewritten/);
});

test('an erased person changes nothing: what was got before and after verifies', async () => {
  await call('POST', `/v1/customers/${customerId}/erase`, {});
  const now = await readLog();
  assert.ok(now.some((line) => line.includes('"name":null')));
  const { code, told } = await verify([...now, ...record]);
  assert.deepEqual([code, told.problems, told.duplicates], [0, [], record.length]);
  assert.equal(told.proven, now.length);
});

test('a log that the server rewrote is caught by the copy', async () => {
  const { sql } = database;
  const [row] = await sql<{ world_id: number; sequence: number; recorded_at: Date; body: string }[]>`
    select world_id, sequence, recorded_at, body from events
    where type = 'job.created' and body like '%"reference":"one"%'`;
  assert.ok(row);
  const { world_id, sequence } = row;
  const body = row.body.replace('"priority":"standard"', '"priority":"express"');
  assert.notEqual(body, row.body);
  await sql`update events set body = ${body} where world_id = ${world_id} and sequence = ${sequence}`;
  const careless = await verify(record);
  assert.match(careless.sentences.join(), /the server's own chain breaks at event/);
  // Now with the chain made anew from there on: only who held the log before can tell.
  const rows = await sql<{ sequence: number; body: string; personal: Buffer }[]>`
    select sequence, body, personal from events where world_id = ${world_id} order by sequence`;
  let chain: Buffer = Buffer.alloc(32);
  for (const each of rows) {
    chain = chainEvent(chain, hashEvent(each.body, each.personal));
    await sql`update events set chain = ${chain} where world_id = ${world_id} and sequence = ${each.sequence}`;
  }
  const { code, sentences } = await verify(record);
  assert.equal(code, 1);
  assert.match(
    sentences.join('\n'),
    new RegExp(`the server's event ${sequence} has not the hash that your next event`),
  );
  assert.match(sentences.join('\n'), /has not the root that line \d+ says: it was rewritten/);
});

test('a file that holds no events, or proofs that are none, are refused with a sentence', async () => {
  const path = join(folder, 'nothing.ndjson');
  writeFileSync(path, '{"a":1}\n');
  const { code, err } = await runWords(['events', 'verify', path, '--offline'], {});
  assert.deepEqual([code, /Line 1 of .* is not an event/.test(err)], [2, true]);
  const none = await runWords(['events', 'verify', path], {});
  assert.equal(none.code, 2);
  writeFileSync(path, `${record[0]}\n`);
  const unset = await runWords(['events', 'verify', path], {});
  assert.match(unset.err, /WAYPOST_URL.*not set.*--offline verifies by the file alone\./);
});

interface Vectors {
  events: string[];
  proofs: {
    sequence: number;
    event_id: string;
    log_epoch: number;
    hash: string;
    chain: string;
    has_personal: boolean;
    stored: { body: string; sealed: string } | null;
  }[];
}

test('the committed vectors verify: by the rules of docs/witness.md, by the words and by the ledger', () => {
  const vectors: Vectors = JSON.parse(readFileSync(join(import.meta.dirname, '../docs/witness-vectors.json'), 'utf8'));
  const sha = (...parts: (string | Buffer)[]) => {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  let chain: Buffer = Buffer.alloc(32);
  for (const [index, proof] of vectors.proofs.entries()) {
    const { stored } = proof;
    const sealed = stored === null ? Buffer.of(1) : Buffer.from(stored.sealed, 'base64');
    const body = stored?.body ?? vectors.events[index] ?? '';
    const hash = sha(body, sealed);
    chain = sha(chain, hash);
    assert.deepEqual([hash.toString('hex'), chain.toString('hex')], [proof.hash, proof.chain]);
    assert.equal(hashEvent(body, sealed), proof.hash);
  }
  const check = checkRecord(readKeptEvents(vectors.events.join('\n'), 'vectors'), false);
  const held = new ProofCheck(check);
  for (const proof of vectors.proofs) held.take(proof);
  held.end();
  assert.deepEqual([check.problems, held.problems, held.proven], [[], [], vectors.events.length]);
  assert.equal(check.days.length, 2);
  assert.ok(
    vectors.proofs.some(({ has_personal }) => has_personal) && vectors.proofs.some(({ has_personal }) => !has_personal),
  );
});
