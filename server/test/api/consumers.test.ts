// Named consumers: made once, read by one at a time from the place that is kept for them, acknowledged, compared.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type Answer, type House, startHouse, type Who } from '../house.ts';
import { givenCompletedJob, givenJob } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const read = (name: string, query = '', as: Who = 'source') =>
  house.call('GET', `/v1/events?consumer=${name}${query === '' ? '' : `&${query}`}`, undefined, { as });
const ack = (name: string, body: object, as: Who = 'source') =>
  house.call('POST', `/v1/consumers/${name}/ack`, body, { as });
const get = async (name: string) => (await house.call('GET', `/v1/consumers/${name}`)).body;
const sequencesOf = (answer: Answer): number[] =>
  answer.body.data.map(({ sequence }: { sequence: number }) => sequence);

let names = 0;
async function givenConsumer(input: object = {}): Promise<string> {
  const name = `consumer-${++names}`;
  const made = await house.call('POST', '/v1/consumers', { name, ...input });
  assert.equal(made.status, 201, made.text);
  return name;
}

async function givenDrivers(count: number): Promise<number[]> {
  const { data } = await house.as.source.events.list({ after: await endOfLog(), limit: 1 });
  assert.deepEqual(data, []);
  const after = await endOfLog();
  for (let n = 0; n < count; n++) await house.as.source.drivers.create({ name: `D${n}` });
  return Array.from({ length: count }, (_, n) => after + n + 1);
}

async function endOfLog(): Promise<number> {
  const [head] = await house.database.sql<{ sequence: number }[]>`
    select sequence from heads where world_id = ${house.world_id}`;
  return head?.sequence ?? 0;
}

/** What thirty seconds do. */
const endLease = (name: string) => house.database.sql`
  update consumer_cursors k set lease_expires_at = clock_timestamp() - interval '1 second'
  from consumers c where c.world_id = k.world_id and c.consumer_id = k.consumer_id
    and k.world_id = ${house.world_id} and c.name = ${name}`;

function refuses(answer: Answer, status: number, code: string, words?: RegExp): Answer {
  assert.deepEqual([answer.status, answer.body?.code], [status, code], answer.text);
  if (words !== undefined) assert.match(answer.body.detail, words);
  return answer;
}

test('a consumer is made once, never changes, is told in the log, and goes when it is deleted', async () => {
  const input = { name: 'erp', types: ['job.*', 'driver.created'], description: 'Statuses' };
  const made = await house.call('POST', '/v1/consumers', input);
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers.get('location'), '/v1/consumers/erp');
  assert.deepEqual(made.body.types, input.types);
  const again = await house.call('POST', '/v1/consumers', { ...input, types: ['driver.created', 'job.*'] });
  assert.deepEqual([again.status, again.body], [200, made.body]);
  const other = await house.call('POST', '/v1/consumers', { ...input, types: ['job.*'] });
  refuses(other, 409, 'consumer_exists', /other types/);
  const shown = await get('erp');
  assert.deepEqual(
    [shown.sequence, shown.status, shown.lease, shown.acked_at],
    [await endOfLog(), 'active', null, null],
  );
  const { data } = await house.as.source.events.list({ types: ['consumer.created'] });
  assert.equal(data.at(-1)?.data.data_id, made.body.id);
  const listed = await house.call('GET', '/v1/consumers');
  assert.deepEqual(listed.body.data, [shown]);
  assert.equal((await house.call('DELETE', '/v1/consumers/erp')).status, 204);
  refuses(await house.call('GET', '/v1/consumers/erp'), 404, 'not_found');
  const fresh = await house.call('POST', '/v1/consumers', { name: 'erp' });
  assert.deepEqual([fresh.status, fresh.body.types], [201, ['*']]);
  assert.notEqual(fresh.body.id, made.body.id);
});

test('wrong consumers are refused by name', async () => {
  const create = async (input: object) => (await house.call('POST', '/v1/consumers', input)).body;
  assert.match(
    (await create({ name: 'x', types: ['job.complete'] })).errors[0].message,
    /did you mean "job.completed"/,
  );
  assert.equal((await create({ name: 'X' })).errors[0].pointer, '/name');
  assert.match((await create({ name: 'X' })).detail, /63 lower-case letters, digits, dots, underscores and hyphens\.$/);
  refuses(await read('nobody'), 404, 'not_found', /^There is no consumer nobody\. POST \/v1\/consumers makes one\.$/);
  assert.equal((await create({ name: 'x', start_at: 99_999_999 })).errors[0].pointer, '/start_at');
  const channel_ids = ['chn_01m7yhqmb4f0pankpv0n1w71v1'];
  assert.equal((await create({ name: 'x', channel_ids })).code, 'unknown_reference');
  await givenConsumer();
  refuses(await read('consumre-1'), 404, 'not_found', /did you mean consumer-1\?/);
  const mixed = await read('consumer-1', 'after=3&types=job.*');
  assert.deepEqual(
    mixed.body.errors.map(({ pointer }: { pointer: string }) => pointer),
    ['query/after', 'query/types'],
  );
  const alone = await house.call('GET', '/v1/events?reader=me');
  assert.equal(alone.body.errors[0].pointer, 'query/reader');
});

test('it reads on from what was acknowledged, through its filters, and each event names the one before', async () => {
  const name = await givenConsumer({ types: ['driver.*'] });
  const drivers = await givenDrivers(3);
  await givenJob(house);
  const last = await givenDrivers(1);
  const page = await read(name, 'limit=2');
  assert.deepEqual(sequencesOf(page), drivers.slice(0, 2));
  assert.equal(page.body.has_more, true);
  const { lease, lease_expires_at } = page.body.consumer;
  const leftMs = Date.parse(lease_expires_at) - Date.now();
  assert.ok(leftMs > 20_000 && leftMs < 31_000, lease_expires_at);
  const done = await ack(name, { sequence: drivers[1], lease });
  assert.deepEqual([done.body.sequence, done.body.lease_expires_at], [drivers[1], null]);
  const rest = await read(name);
  assert.deepEqual(sequencesOf(rest), [drivers[2], ...last]);
  assert.deepEqual(
    rest.body.data.map(({ previous }: { previous: number }) => previous),
    [drivers[1], drivers[2]],
  );
  assert.equal((await ack(name, { sequence: Number(rest.body.next), lease: rest.body.consumer.lease })).status, 200);
  const none = await read(name);
  assert.deepEqual([none.body.data, none.body.has_more, none.body.consumer.lease], [[], false, null]);
});

test('nothing to read takes no lease, and what is not asked for is passed by without an acknowledgement', async () => {
  const name = await givenConsumer({ types: ['vehicle.created'] });
  const passed = await givenDrivers(2);
  for (let round = 0; round < 2; round++) {
    const page = await read(name);
    assert.deepEqual([page.status, page.body.data, page.body.consumer.lease], [200, [], null]);
    assert.deepEqual((await get(name)).lag, { events: 0, seconds: 0 });
  }
  const shown = await get(name);
  assert.deepEqual([shown.sequence, shown.acked_at], [passed[1], null]);
});

test('a second reader is told who reads since when; the lease passes on when it ends', async () => {
  const name = await givenConsumer();
  const [first] = await givenDrivers(2);
  const page = await read(name, 'reader=worker-1');
  assert.equal(sequencesOf(page)[0], first);
  const shown = await get(name);
  assert.equal(shown.lease.reader, 'worker-1');
  assert.equal('lease' in shown.lease, false, 'the lease itself is shown to its reader alone');
  const second = refuses(await read(name, 'reader=worker-2'), 409, 'consumer_leased', /worker-1 .* since /);
  assert.deepEqual(second.body.held_by, shown.lease);
  assert.ok(Number(second.headers.get('retry-after')) > 0);
  refuses(await read(name), 409, 'consumer_leased');
  await endLease(name);
  const taken = await read(name, 'reader=worker-2');
  assert.deepEqual(sequencesOf(taken), sequencesOf(page), 'what was not acknowledged comes again');
  const stale = await ack(name, { sequence: first, lease: page.body.consumer.lease });
  refuses(stale, 409, 'stale_lease', /worker-2/);
  assert.equal((await ack(name, { sequence: first, lease: taken.body.consumer.lease })).status, 200);
});

test('a reader that comes again under its own name takes over from itself', async () => {
  const name = await givenConsumer();
  const [first] = await givenDrivers(1);
  const lost = await read(name, 'reader=worker-1');
  const again = await read(name, 'reader=worker-1');
  assert.deepEqual(sequencesOf(again), [first]);
  refuses(await ack(name, { sequence: first, lease: lost.body.consumer.lease }), 409, 'stale_lease');
  refuses(await read(name, 'reader=worker-1', 'dispatch'), 409, 'consumer_leased');
  assert.equal((await ack(name, { sequence: first, lease: again.body.consumer.lease })).status, 200);
});

test('an acknowledgement of a part makes the lease longer; none goes back or beyond what was read; a repeat is the same', async () => {
  const name = await givenConsumer();
  const [a, b, c] = await givenDrivers(3);
  const page = await read(name);
  const { lease, lease_expires_at } = page.body.consumer;
  const part = await ack(name, { sequence: b, lease });
  assert.equal(part.body.sequence, b);
  assert.ok(part.body.lease_expires_at > lease_expires_at);
  refuses(await read(name), 409, 'consumer_leased');
  const back = refuses(await ack(name, { sequence: a, lease }), 409, 'ack_goes_back', /stands at/);
  assert.equal(back.body.sequence, b);
  const beyond = await ack(name, { sequence: (c ?? 0) + 1, lease });
  assert.deepEqual([beyond.status, beyond.body.errors[0].pointer], [422, '/sequence']);
  const whole = await ack(name, { sequence: c, lease });
  assert.deepEqual((await ack(name, { sequence: c, lease })).body, whole.body);
  refuses(await ack(name, { sequence: a, lease }), 409, 'ack_goes_back');
  assert.equal((await get(name)).sequence, c);
  refuses(await ack(name, { sequence: c, lease: 'another' }), 409, 'stale_lease');
  refuses(await ack('nobody', { sequence: c, lease }), 404, 'not_found');
});

test('of many readers at once exactly one gets the events', async () => {
  const name = await givenConsumer();
  await givenDrivers(2);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => read(name, `reader=racer-${n}`)));
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [200, ...Array.from({ length: 19 }, () => 409)]);
});

test('workers that race, die and come again acknowledge every event in order, and lose none', async () => {
  const name = await givenConsumer({ types: ['driver.created'] });
  const expected = await givenDrivers(40);
  const seen: number[] = [];
  const acked: number[] = [];
  const goal = expected.at(-1) ?? 0;
  const worker = async (n: number): Promise<void> => {
    for (let turn = 0; (acked.at(-1) ?? 0) < goal; turn++) {
      const page = await read(name, `limit=3&reader=w${n}`);
      // Another has it, or takes it page by page all the time.
      if (page.status === 409 || page.body.code === 'busy') continue;
      assert.equal(page.status, 200, page.text);
      const sequences = sequencesOf(page);
      seen.push(...sequences);
      if (sequences.length === 0) continue;
      // Every third page its worker dies before it says that it is done.
      if (turn % 3 === 2) {
        await endLease(name);
        continue;
      }
      const done = await ack(name, { sequence: sequences.at(-1), lease: page.body.consumer.lease });
      if (done.status === 200) acked.push(done.body.sequence);
      else refuses(done, 409, 'stale_lease');
    }
  };
  await Promise.all([0, 1, 2].map(worker));
  assert.deepEqual(
    [...new Set(seen)].sort((a, b) => a - b),
    expected,
  );
  assert.deepEqual(
    acked.toSorted((a, b) => a - b),
    acked,
    'it never goes back',
  );
});

test('states that come with an acknowledgement are compared with ours as they were at that place, and counted', async () => {
  const name = await givenConsumer({ types: ['job.*'] });
  const done = await givenCompletedJob(house);
  const open = await givenJob(house);
  const page = await read(name);
  const sequence = sequencesOf(page).at(-1);
  // What happens after the place that is acknowledged is none of its business.
  await house.as.source.jobs.delete(open.id);
  const stranger = 'job_01kaj2w0d4f8tb3h5gk9mzq7xe';
  const states = [
    { job_id: done.id, status: 'completed' },
    { job_id: open.id, status: 'assigned' },
    { job_id: stranger, status: 'created' },
  ];
  const answer = await ack(name, { sequence, lease: page.body.consumer.lease, states });
  assert.deepEqual(answer.body.states, {
    compared: 2,
    matching: 1,
    mismatched: [{ job_id: open.id, status: 'assigned', expected: open.status }],
    unknown: [stranger],
  });
  await ack(name, { sequence, lease: page.body.consumer.lease, states });
  const { id } = await get(name);
  const rows = await house.database.sql`
    select compared, mismatched, unknown from consumer_comparisons
    where world_id = ${house.world_id} and consumer_id = ${id}`;
  assert.deepEqual([...rows], [{ compared: 2, mismatched: 1, unknown: 1 }], 'the repeat is not counted');
});

test('a consumer begins where it is told to, and a key that is bound to channels has consumers of its own', async () => {
  const whole = await givenConsumer({ start_at: 'beginning' });
  const page = await read(whole, 'limit=3');
  assert.deepEqual(sequencesOf(page), [1, 2, 3]);
  assert.equal(page.body.data[0].previous, null);
  const from = await givenConsumer({ start_at: 5 });
  assert.equal(sequencesOf(await read(from, 'limit=1'))[0], 5);
  const own = await house.call('POST', '/v1/consumers', { name: 'bound', start_at: 'beginning' }, { as: 'bound' });
  assert.deepEqual(own.body.channel_ids, [house.channel_id]);
  const seen = await read('bound', '', 'bound');
  assert.ok(seen.body.data.every(({ channel_id }: { channel_id: string }) => channel_id === house.channel_id));
  refuses(await read(whole, '', 'bound'), 404, 'not_found');
  const listed = await house.call('GET', '/v1/consumers', undefined, { as: 'bound' });
  assert.deepEqual(
    listed.body.data.map(({ name }: { name: string }) => name),
    ['bound'],
  );
  refuses(await read(whole, '', 'stranger'), 404, 'not_found');
  refuses(await read(whole, '', 'reader'), 403, 'forbidden');
  const weak = refuses(await read(whole, '', 'weak'), 403, 'forbidden');
  assert.equal(weak.body.missing_scope, 'consumers:write', 'reading the log is not enough to move a place in it');
});

test('a consumer that the log has run away from is told so, and holds nothing back', async () => {
  const late = await startHouse();
  const call = (method: string, path: string, body?: object) => late.call(method, path, body);
  await call('POST', '/v1/consumers', { name: 'slow', start_at: 'beginning' });
  for (let n = 0; n < 4; n++) await late.as.source.drivers.create({ name: `D${n}` });
  const { sql } = late.database;
  const oldest = 4;
  await sql`delete from events where world_id = ${late.world_id} and sequence < ${oldest}`;
  await sql`update event_marks set first_sequence = ${oldest} where world_id = ${late.world_id}`;
  const gone = refuses(await call('GET', '/v1/events?consumer=slow'), 410, 'cursor_expired', /delete the consumer/);
  assert.equal(gone.body.oldest_sequence, oldest);
  const shown = await call('GET', '/v1/consumers/slow');
  assert.deepEqual([shown.body.status, shown.body.sequence], ['expired', 0]);
  await call('DELETE', '/v1/consumers/slow');
  await call('POST', '/v1/consumers', { name: 'slow', start_at: 'beginning' });
  const page = await call('GET', '/v1/events?consumer=slow&limit=1');
  assert.equal(sequencesOf(page)[0], oldest);
});
