// Bad input of every kind against the whole server: each is a clear problem document with pointers and words, writes
// nothing, and leaves those alone who write at the same moment.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job } from '../../../sdk/src/jobs.ts';
import { type Answer, type CallOptions, checkHouse, type House, startHouse } from '../house.ts';
import {
  deliveryIn,
  freshReference,
  givenAssignedJob,
  givenCompletedJob,
  givenJob,
  type Order,
  orderFor,
} from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

interface Bad {
  method?: string;
  path?: string;
  body?: unknown;
  options?: CallOptions;
}
interface Expected {
  status: number;
  code: string;
  pointers?: string[];
  words?: RegExp;
}

const NEIGHBOURS = 4;

/** How far the log of every world reaches. */
async function sequences(): Promise<Map<number, number>> {
  const rows = await house.database.sql<{ world_id: number; sequence: number }[]>`select world_id, sequence from heads`;
  return new Map(rows.map(({ world_id, sequence }) => [world_id, sequence]));
}

/** Sends it among neighbours who write at the same moment: they succeed, it is refused, and only they are written. */
async function refuses(bad: Bad, expected: Expected): Promise<Answer> {
  const { method = 'POST', path = '/v1/jobs', body, options } = bad;
  const before = await sequences();
  const neighbour = () => house.as.source.jobs.create(orderFor(house));
  const [left, answer, right] = await Promise.all([
    Promise.all(Array.from({ length: NEIGHBOURS / 2 }, neighbour)),
    house.call(method, path, body, options),
    Promise.all(Array.from({ length: NEIGHBOURS / 2 }, neighbour)),
  ]);
  assert.equal(new Set([...left, ...right].map(({ id }) => id)).size, NEIGHBOURS);
  const { status, code, pointers, words } = expected;
  assert.deepEqual([answer.status, answer.body.code], [status, code], answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  const found: string[] = answer.body.errors.map((fault: { pointer: string }) => fault.pointer);
  for (const pointer of pointers ?? [])
    assert.ok(found.includes(pointer), `${pointer} among ${found} in ${answer.text}`);
  for (const fault of answer.body.errors) assert.match(fault.message, /\w{2}/);
  assert.match(answer.body.detail, /\w{3}.*\w{3}/);
  if (words !== undefined) assert.match(answer.text, words);
  const after = await sequences();
  for (const [world, sequence] of before) {
    const written = world === house.world_id ? NEIGHBOURS : 0;
    assert.equal(after.get(world), sequence + written, `only the neighbours are written (world ${world})`);
  }
  return answer;
}

/** The same for an order that `change` breaks. */
function refusesOrder(change: (order: Order) => void, pointers: string[], words?: RegExp): Promise<Answer> {
  const expected = { status: 422, code: 'invalid_request', pointers };
  return refuses({ body: orderFor(house, change) }, words === undefined ? expected : { ...expected, words });
}

const first = (order: Order) => order.deliveries[0];
const orderText = (change: (order: Order) => void = () => {}) => JSON.stringify(orderFor(house, change));

test('JSON that is broken is 400, with line and column', async () => {
  const order = orderText();
  for (const body of [
    order.slice(0, -1),
    `${order}}`,
    order.replace('"priority":', '"priority" '),
    order.replace('"standard"', "'standard'"),
    order.replace('"standard"', 'NaN'),
    order.replace('"standard"', 'undefined'),
    `${order.slice(0, -1)},}`,
    `// comment\n${order}`,
    '',
    '   ',
    `\ufeff${order}`,
  ]) {
    const answer = await refuses({ body }, { status: 400, code: 'malformed_json' });
    if (body.trim() !== '') assert.equal(typeof answer.body.line, 'number', body.slice(0, 40));
  }
});

test('a key that comes twice is told with its place, at any depth', async () => {
  const twice = orderText().replace('"priority":"standard"', '"priority":"standard","priority":"urgent"');
  await refuses({ body: twice }, { status: 400, code: 'malformed_json', pointers: ['/priority'] });
  const deep = orderText().replace('"quantity":1', '"quantity":1,"quantity":2');
  await refuses({ body: deep }, { status: 400, code: 'malformed_json', pointers: ['/deliveries/0/items/0/quantity'] });
  const escaped = orderText().replace('"priority":"standard"', '"priority":"standard","pri\\u006frity":"urgent"');
  await refuses({ body: escaped }, { status: 400, code: 'malformed_json', pointers: ['/priority'] });
});

test('values of the wrong type are neither coerced nor dropped', async () => {
  const wrong: [(order: Order) => void, string][] = [
    [(order) => (order.reference = 12), '/reference'],
    [(order) => (order.priority = null), '/priority'],
    [(order) => (order.deliveries = { 0: first(order) }), '/deliveries'],
    [(order) => (order.tags = 'a,b'), '/tags'],
    [(order) => (order.metadata = { a: 1 }), '/metadata/a'],
    [(order) => (first(order).items[0].quantity = '1'), '/deliveries/0/items/0/quantity'],
    [(order) => (first(order).items[0].quantity = 1.5), '/deliveries/0/items/0/quantity'],
    [(order) => (first(order).items[0].weight_g = true), '/deliveries/0/items/0/weight_g'],
    [(order) => (first(order).service_window.hard = 'true'), '/deliveries/0/service_window/hard'],
    [(order) => (first(order).service_window.start = 1_795_255_200), '/deliveries/0/service_window/start'],
    [(order) => (first(order).address.location = [57.7, 11.9]), '/deliveries/0/address/location'],
    [(order) => (first(order).contact.contact_policy.ways = ['pigeon']), '/deliveries/0/contact/contact_policy/ways/0'],
    [(order) => (first(order).address.country = 'Sweden'), '/deliveries/0/address/country'],
    [(order) => (first(order).contact.phone = '0701-23 45 67'), '/deliveries/0/contact/phone'],
    [(order) => (first(order).contact.language = 'sv'), '/deliveries/0/contact/language'],
  ];
  for (const [change, pointer] of wrong) await refusesOrder(change, [pointer]);
  for (const body of ['null', '[]', '"order"', '42', 'true'])
    await refuses({ body }, { status: 422, code: 'invalid_request' });
});

test('unknown fields are named, with the one that was probably meant', async () => {
  await refusesOrder((order) => (order.refrence = 'X'), ['/refrence'], /is not a known field/);
  await refusesOrder(
    (order) => {
      order.metdata = {};
      first(order).contact.emial = 'a@b.se';
      first(order).adress = {};
    },
    ['/metdata', '/deliveries/0/contact/emial', '/deliveries/0/adress'],
    /did you mean \\"metadata\\".*did you mean \\"email\\"|did you mean \\"email\\".*did you mean \\"metadata\\"/s,
  );
  for (const name of ['constructor', 'toString', 'hasOwnProperty', '', ' reference', 'Reference', 'référence'])
    await refusesOrder((order) => (order[name] = 'X'), [`/${name}`]);
  const proto = orderText().replace('{', '{"__proto__":{"priority":"urgent"},');
  await refuses({ body: proto }, { status: 400, code: 'malformed_json', words: /__proto__/ });
});

test('a body of ten megabytes is 413, whole or in pieces', async () => {
  const body = Buffer.concat([Buffer.from(orderText().slice(0, -1)), Buffer.alloc(10_000_000, 0x20), Buffer.from('}')]);
  await refuses({ body }, { status: 413, code: 'body_too_large', words: /1048576/ });
  const long = orderText((order) => (order.metadata = { a: 'x'.repeat(900_000) }));
  await refuses({ body: long }, { status: 422, code: 'invalid_request' });
});

test('a body that is nested deeply is refused without being walked', async () => {
  for (const depth of [33, 5_000, 400_000]) {
    const body = orderText().replace('"standard"', '['.repeat(depth) + ']'.repeat(depth));
    await refuses({ body }, { status: 400, code: 'malformed_json', words: /32 levels/ });
  }
  await refuses({ body: '{"a":'.repeat(100_000) }, { status: 400, code: 'malformed_json' });
});

test('NUL, control characters, lone surrogates and bytes that are no UTF-8 are refused', async () => {
  const named = (text: string) => orderText().replace('"name":"Parcel"', `"name":"${text}"`);
  const pointers = ['/deliveries/0/items/0/name'];
  for (const text of ['a\\u0000b', '\\ud800', '\\udc00\\ud800', 'a\\u0001'])
    await refuses({ body: named(text) }, { status: 422, code: 'invalid_request', pointers });
  await refuses({ body: named('a\u0000b') }, { status: 400, code: 'malformed_json' });
  await refuses({ body: named('a\nb') }, { status: 400, code: 'malformed_json' });
  const bytes = Buffer.from(named('\u00e5'), 'latin1');
  await refuses({ body: bytes }, { status: 400, code: 'malformed_json', words: /UTF-8/ });
  const inKey = orderText().replace('"metadata"', '"meta\\u0000data"').replace('"priority"', '"p\\u0000","priority"');
  const keyed = await house.call('POST', '/v1/jobs', inKey);
  assert.ok([400, 422].includes(keyed.status), keyed.text);
});

test('numbers beyond their range are refused, none is rounded', async () => {
  const quantity = (text: string) => orderText().replace('"quantity":1', `"quantity":${text}`);
  const pointers = ['/deliveries/0/items/0/quantity'];
  for (const text of [
    '0',
    '-1',
    '1000001',
    '1e400',
    '9007199254740993',
    '1e21',
    '1.0000001',
    '123456789012345678901234567890',
  ])
    await refuses({ body: quantity(text) }, { status: 422, code: 'invalid_request', pointers });
  for (const text of ['01', '+1', '1.', '.5', '0x10', 'Infinity', '--1'])
    await refuses({ body: quantity(text) }, { status: 400, code: 'malformed_json' });
  await refusesOrder((order) => (first(order).address.location.lat = 90.01), ['/deliveries/0/address/location/lat']);
  await refusesOrder((order) => (first(order).address.location.lng = -181), ['/deliveries/0/address/location/lng']);
  await refusesOrder(
    (order) => (first(order).cash_on_delivery = { amount_minor: 1e15 + 0.5, currency: 'SEK' }),
    ['/deliveries/0/cash_on_delivery/amount_minor'],
  );
  await refusesOrder((order) => (first(order).minimum_age = 300), ['/deliveries/0/minimum_age']);
  const fine = await house.call('POST', '/v1/jobs', quantity('1.0'));
  assert.deepEqual([fine.status, fine.body.deliveries[0].items[0].quantity], [201, 1], '1.0 is the integer 1');
});

test('dates that do not exist, have no offset or another form are refused with an example', async () => {
  const pointers = ['/deliveries/0/service_window/start'];
  for (const start of [
    '2026-02-30T10:00:00Z',
    '2025-02-29T10:00:00Z',
    '2026-13-01T10:00:00Z',
    '2026-11-21T24:00:00Z',
    '2026-11-21T10:60:00Z',
    '2026-11-21T10:00:61Z',
    '2026-11-21T10:00:00+25:00',
    '2026-11-21T10:00:00',
    '2026-11-21 10:00:00Z',
    '2026-11-21',
    '21.11.2026 10:00',
    '20261121T100000Z',
    '9999-12-31T23:59:59Z',
    '0001-01-01T00:00:00Z',
    '-002026-11-21T10:00:00Z',
    'tomorrow',
    '',
  ])
    await refusesOrder((order) => (first(order).service_window.start = start), pointers, /2026-11-21T13:00:00Z/);
  await refusesOrder(
    (order) => (first(order).service_window.start = '2026-11-21T10:00:00'),
    pointers,
    /offset is missing/,
  );
  const shifted = await givenJob(house, (order) => {
    first(order).service_window = { start: '2030-01-01T00:30:00.1234+05:30', end: '2030-01-01T00:30:00-08:00' };
  });
  const window = deliveryIn(shifted).service_window;
  assert.deepEqual([window?.start, window?.end], ['2029-12-31T19:00:00.123Z', '2030-01-01T08:30:00.000Z']);
});

test('windows that run backwards, ranges upside down and hours that overlap themselves are refused', async () => {
  await refusesOrder(
    (order) => (first(order).service_window = { start: '2030-11-21T15:00:00Z', end: '2030-11-21T13:00:00Z' }),
    ['/deliveries/0/service_window/end'],
    /later than start/,
  );
  await refusesOrder(
    (order) => (first(order).service_window = { start: '2030-11-21T15:00:00+01:00', end: '2030-11-21T14:00:00Z' }),
    ['/deliveries/0/service_window/end'],
  );
  await refusesOrder(
    (order) => (first(order).items[0].temperature = { min_c: 8, max_c: 2 }),
    ['/deliveries/0/items/0/temperature/max_c'],
  );
});

test('what does not exist is named, wherever it is referred to', async () => {
  const unknown = 'unknown_reference';
  const lost = 'cus_01kaj2w0d4f8tb3h5gk9mzq7xe';
  const { contact: _, ...rest } = first(orderFor(house));
  await refuses(
    { body: orderFor(house, (order) => (order.channel_id = 'chn_01kaj2w0d4f8tb3h5gk9mzq7xe')) },
    { status: 422, code: unknown, pointers: ['/channel_id'] },
  );
  await refuses(
    {
      body: orderFor(house, (order) => {
        order.deliveries = [{ ...rest, customer_id: lost, contact_policy: { ways: [] } }];
      }),
    },
    { status: 422, code: unknown, pointers: ['/deliveries/0/customer_id'] },
  );
  const misnamed: [(order: Order) => void, string][] = [
    [(order) => (first(order).depends_on = ['NOWHERE']), '/deliveries/0/depends_on/0'],
    [(order) => (first(order).items[0].pickup_reference = 'NOWHERE'), '/deliveries/0/items/0/pickup_reference'],
    [(order) => (first(order).items[0].parent_reference = 'NOWHERE'), '/deliveries/0/items/0/parent_reference'],
  ];
  for (const [change, pointer] of misnamed)
    await refuses({ body: orderFor(house, change) }, { status: 422, code: unknown, pointers: [pointer] });
  const job = await givenJob(house);
  const at = `/v1/jobs/${job.id}/transitions`;
  const assign = { to: 'assigned', driver_id: 'drv_01kaj2w0d4f8tb3h5gk9mzq7xe' };
  const as = { as: 'dispatch' as const };
  await refuses({ path: at, body: assign, options: as }, { status: 422, code: unknown, pointers: ['/driver_id'] });
  const task = { to: 'en_route', task_id: 'tsk_01kaj2w0d4f8tb3h5gk9mzq7xe' };
  await refuses(
    { path: at, body: task, options: { as: 'driver' } },
    { status: 422, code: unknown, pointers: ['/task_id'] },
  );
  await refuses(
    { path: '/v1/drivers', body: { name: 'D', hub_id: 'hub_01kaj2w0d4f8tb3h5gk9mzq7xe' } },
    { status: 422, code: unknown, pointers: ['/hub_id'] },
  );
});

test('a reference that is taken is refused, inside one order too', async () => {
  const order = orderFor(house);
  await house.as.source.jobs.create(order);
  const answer = await refuses(
    { body: { ...order, priority: 'urgent' } },
    { status: 409, code: 'duplicate_reference' },
  );
  assert.deepEqual(answer.body.differing, ['/priority']);
  await refusesOrder(
    (one) => {
      first(one).reference = 'A';
      one.deliveries.push(structuredClone(first(one)));
    },
    ['/deliveries/1/reference'],
  );
  await refusesOrder(
    (one) => {
      first(one).items = [
        { name: 'A', quantity: 1, reference: 'I' },
        { name: 'B', quantity: 1, reference: 'I' },
      ];
    },
    ['/deliveries/0/items/1/reference'],
  );
  const reference = freshReference('D');
  await house.as.source.drivers.create({ name: 'D', reference });
  await refuses(
    { path: '/v1/drivers', body: { name: 'E', reference } },
    { status: 409, code: 'duplicate_external_id' },
  );
});

test('stale ETags and illegal transitions are refused among neighbours of the same batch', async () => {
  const job = await givenJob(house);
  await house.as.source.jobs.patch(job.id, { priority: 'urgent' });
  const path = `/v1/jobs/${job.id}`;
  const stale = { headers: { 'if-match': '"1"' } };
  await refuses(
    { method: 'PATCH', path, body: { priority: 'economy' }, options: stale },
    { status: 412, code: 'stale_version', words: /2/ },
  );
  await refuses({ method: 'DELETE', path, options: stale }, { status: 412, code: 'stale_version' });
  for (const tag of ['1', 'W/"1"', '"one"', '"1", "2"', '""', '"-1"', '"1.0"']) {
    await refuses(
      { method: 'PATCH', path, body: { priority: 'economy' }, options: { headers: { 'if-match': tag } } },
      { status: 400, code: 'invalid_header', pointers: ['header/If-Match'] },
    );
  }
  const done = await givenCompletedJob(house);
  await refuses(
    { path: `/v1/jobs/${done.id}/transitions`, body: { to: 'cancelled', reason_code: 'data_error' } },
    { status: 409, code: 'illegal_transition', words: /allowed_transitions/ },
  );
  const { job: assigned } = await givenAssignedJob(house);
  await refuses({ method: 'DELETE', path: `/v1/jobs/${assigned.id}` }, { status: 409, code: 'delete_not_allowed' });
});

test('ids of others, keys that are over and scopes that are missing open nothing', async () => {
  const job = await givenJob(house);
  const path = `/v1/jobs/${job.id}`;
  const expected = { status: 404, code: 'not_found' };
  await refuses({ method: 'PATCH', path, body: { priority: 'urgent' }, options: { as: 'stranger' } }, expected);
  await refuses({ method: 'DELETE', path, options: { as: 'stranger' } }, expected);
  const stranger = await house.as.stranger.drivers.create({ name: 'S' });
  await refuses(
    { path: `${path}/transitions`, body: { to: 'assigned', driver_id: stranger.id }, options: { as: 'dispatch' } },
    { status: 422, code: 'unknown_reference', pointers: ['/driver_id'] },
  );
  const expiring = await house.makeKey({ expires_at: new Date(Date.now() + 150).toISOString() });
  const expiredBy = Date.now() + 160;
  while (Date.now() < expiredBy) await house.as.source.jobs.get(job.id);
  await refuses(
    { body: orderFor(house), options: { as: null, headers: { authorization: `Bearer ${expiring}` } } },
    { status: 401, code: 'key_expired', words: /expired at/ },
  );
  const missing = await refuses(
    { body: orderFor(house), options: { as: 'reader' } },
    { status: 403, code: 'forbidden' },
  );
  assert.equal(missing.body.missing_scope, 'jobs:write');
  await refuses({ body: orderFor(house), options: { as: null } }, { status: 401, code: 'unauthorized' });
});

test('text in ids is text: nothing is found by it and nothing breaks', async () => {
  for (const id of [
    '1',
    "1' OR '1'='1",
    '../../etc/passwd',
    '<b>',
    '🚚',
    'job_',
    `${'x'.repeat(3_000)}`,
    '%2e%2e',
    'null',
  ]) {
    const path = `/v1/jobs/${encodeURIComponent(id)}`;
    await refuses({ method: 'DELETE', path }, { status: 404, code: 'not_found' });
    const named = orderFor(house, (order) => (order.supersedes = id));
    const { status } = await house.call('POST', '/v1/jobs', named);
    assert.equal(status, 422, id);
  }
});

const strange = [
  "Robert'); DROP TABLE jobs;--",
  '<script>alert("x")</script>',
  '{{constructor.constructor("return 1")()}}',
  '$' + '{jndi:ldap://x}',
  '🚚🇸🇪👩‍👩‍👧‍👦 Zażółć gęślą jaźń',
  'שלום עולם ‎مرحبا',
  '%s %d %n \\ / " \' ` \u2028 \u2029',
  ' leading and trailing ',
  'e\u0301 is not \u00e9',
  '"}],"deleted_at":"2020-01-01',
  '\u0001v0.0'.slice(1),
  'null',
];

test('text that looks dangerous survives unharmed, wherever it stands', async () => {
  for (const text of strange) {
    // A key with a backslash is refused (decision 0016), a value with one is not.
    const key = text.trim().replaceAll('\\', '');
    const job = await givenJob(house, (order) => {
      order.reference = `${freshReference()} ${text}`;
      order.metadata = { [key]: text };
      order.tags = [text.trim()];
      first(order).contact.name = text;
      first(order).address.line1 = text;
      first(order).address.access = { notes: text };
      first(order).instructions = text;
      first(order).items[0].name = text;
    });
    const read = await house.as.source.jobs.get(job.id);
    assert.deepEqual(read, job);
    const task = deliveryIn(read);
    assert.deepEqual(
      [task.contact?.name, task.address.line1, task.address.access?.notes, task.instructions, task.items[0]?.name],
      [text, text, text, text, text],
    );
    assert.deepEqual(read.metadata, { [key]: text });
    const query = `channel=${house.channel_id}&reference=${encodeURIComponent(job.reference)}`;
    const found = (await house.call('GET', `/v1/jobs?${query}`)).body as Job;
    assert.equal(found.id, job.id);
    const { data } = await house.as.source.events.list({ job_id: job.id });
    assert.equal(data[0]?.data.job?.deliveries[0]?.instructions, text);
  }
});

test('after all this every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) > 400);
});
