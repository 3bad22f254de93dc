// Endpoints through the door: made, verified, changed, paused, rotated, deleted; what is shown of their messages; and
// what a consumer gets of jobs and customers.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { type Answer, type House, startHouse, type Who } from './house.ts';
import { orderOf } from './order-input.ts';
import { type Received, type Receiver, startReceiver } from './receiver.ts';
import { until } from './until.ts';

let house: House;
let receiver: Receiver;
before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
  receiver = await startReceiver();
});

const path = (id: string, more = '') => `/v1/endpoints/${id}${more}`;
const create = (input: object, as: Who = 'source'): Promise<Answer> =>
  house.call('POST', '/v1/endpoints', input, { as });
const get = async (id: string) => (await house.call('GET', path(id))).body;
let references = 0;
const makeJob = async (channel_id = house.channel_id) => {
  const made = await house.call('POST', '/v1/jobs', orderOf(`HOOK-${++references}`, channel_id));
  assert.equal(made.status, 201, made.text);
  return made.body;
};
/** An endpoint of its own path, verified. */
async function givenEndpoint(
  input: object = {},
  as: Who = 'source',
): Promise<{ id: string; secret: string; got: () => Received[] }> {
  const url = `${receiver.url}/${++references}`;
  const made = await create({ url, ...input }, as);
  assert.equal(made.status, 201, made.text);
  await until(async () => (await get(made.body.id)).status === 'active');
  const got = () =>
    receiver.received.filter((request) => url.endsWith(request.path) && !request.body.includes('"endpoint.test"'));
  return { id: made.body.id, secret: made.body.secret, got };
}

test('a new endpoint is unverified, shows its secret once, and becomes active when it answers the signed test', async () => {
  const url = `${receiver.url}/handshake`;
  const made = await create({ url, types: ['job.*'], description: 'ERP' });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers.get('location'), path(made.body.id));
  assert.match(made.body.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(made.body.status, 'unverified');
  assert.deepEqual(
    [made.body.ordering, made.body.timeout_s, made.body.in_flight_max, made.body.rendering],
    ['per_job', 15, 32, 'plain'],
  );
  await until(async () => (await get(made.body.id)).status === 'active');
  const handshake = receiver.received.find((request) => request.path === '/handshake');
  const event = JSON.parse(handshake?.body ?? '{}');
  assert.equal(event.type, 'endpoint.test');
  assert.equal(event.sequence, null);
  new Webhook(made.body.secret).verify(handshake?.body ?? '', handshake?.headers as Record<string, string>);
  const shown = await house.call('GET', path(made.body.id));
  assert.equal('secret' in shown.body, false);
  assert.equal(shown.headers.get('etag'), `"${shown.body.version}"`);
});

test('a repeated request makes one endpoint, and the repeat does not show the secret', async () => {
  const headers = { 'idempotency-key': 'endpoint-1' };
  const body = { url: `${receiver.url}/once`, types: ['job.*'] };
  const first = await house.call('POST', '/v1/endpoints', body, { headers });
  const again = await house.call('POST', '/v1/endpoints', body, { headers });
  assert.equal(again.body.id, first.body.id);
  assert.equal(again.body.secret, null);
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
});

test('what cannot be an endpoint is refused with every fault', async () => {
  const faults = async (input: object) => {
    const { status, body } = await create(input);
    return { status, code: body.code, pointers: body.errors?.map(({ pointer }: { pointer: string }) => pointer) };
  };
  assert.deepEqual(await faults({}), { status: 422, code: 'invalid_request', pointers: ['/url'] });
  assert.equal(
    (await faults({ url: 'https://shop.example/', types: ['Job.*', 'job*'], colour: 'red' })).pointers.length,
    3,
  );
  assert.deepEqual(await faults({ url: 'https://shop.example/', types: [], topics: [] }), {
    status: 422,
    code: 'invalid_request',
    pointers: ['/types'],
  });
  assert.deepEqual(await faults({ url: 'https://shop.example/', timeout_s: 31 }), {
    status: 422,
    code: 'invalid_request',
    pointers: ['/timeout_s'],
  });
  assert.deepEqual(await faults({ url: 'https://shop.example/', channel_ids: ['chn_01m7yhqmb4f0pankpv0n1w71v1'] }), {
    status: 422,
    code: 'unknown_reference',
    pointers: ['/channel_ids/0'],
  });
  for (const start_at of ['soon', '2026-11-21T00:00:00', 0, 999_999, '2062-11-21T00:00:00Z']) {
    assert.deepEqual(
      await faults({ url: 'https://shop.example/', start_at }),
      { status: 422, code: 'invalid_request', pointers: ['/start_at'] },
      String(start_at),
    );
  }
});

test('an address that may not be sent to is refused by its rule, saying what to do', async () => {
  const rules: Record<string, string> = {
    'http://10.0.0.1/': 'private',
    'http://169.254.169.254/latest/meta-data': 'metadata',
    'http://[::ffff:127.0.0.1]/': 'ipv4_mapped',
    'http://0x0a.1/': 'private',
    'http://3232235777/': 'private',
    'ftp://shop.example/': 'scheme',
    'http://user:word@shop.example/': 'userinfo',
    'http://0.0.0.0/': 'unspecified',
    'http://100.64.0.1/': 'shared',
    'http://[fd00:ec2::254]/': 'metadata',
  };
  for (const [url, rule] of Object.entries(rules)) {
    const { status, body } = await create({ url });
    assert.deepEqual(
      [status, body.code, body.rule, body.errors[0].pointer],
      [422, 'url_not_allowed', rule, '/url'],
      url,
    );
    if (!['scheme', 'userinfo'].includes(rule)) assert.match(body.detail, /WAYPOST_EGRESS_ALLOW/);
  }
  const live = await fetch(`${house.server.url}/v1/endpoints`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.server.tenant.live_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: receiver.url }),
  });
  const refusal = (await live.json()) as { code: string; rule: string; detail: string };
  assert.deepEqual(
    [live.status, refusal.code, refusal.rule],
    [422, 'url_not_allowed', 'loopback'],
    'loopback is for the test world',
  );
  assert.match(refusal.detail, /test world/);
});

test('keys without the scope are told which one, strangers find nothing, and no key is 401', async () => {
  const { id } = await givenEndpoint();
  const unscoped = await house.call('GET', path(id), undefined, { as: 'weak' });
  assert.deepEqual([unscoped.status, unscoped.body.missing_scope], [403, 'webhooks:read']);
  assert.equal((await house.call('GET', path(id), undefined, { as: null })).status, 401);
  assert.equal((await house.call('GET', path(id), undefined, { as: 'stranger' })).status, 404);
  assert.equal((await house.call('DELETE', path(id), undefined, { as: 'stranger' })).status, 404);
  assert.equal((await house.call('GET', path('whe_01m7yhqmb4f0pankpv0n1w71v1'))).status, 404);
});

test('a key that is bound to channels makes and sees endpoints of these only', async () => {
  const own = await givenEndpoint({}, 'bound');
  assert.deepEqual((await get(own.id)).channel_ids, [house.channel_id]);
  const foreign = await create({ url: receiver.url, channel_ids: [house.other_channel_id] }, 'bound');
  assert.deepEqual([foreign.status, foreign.body.errors[0].pointer], [422, '/channel_ids']);
  const all = await givenEndpoint();
  assert.equal((await house.call('GET', path(all.id), undefined, { as: 'bound' })).status, 404);
  const list = await house.call('GET', '/v1/endpoints?limit=200', undefined, { as: 'bound' });
  assert.ok(list.body.data.some(({ id }: { id: string }) => id === own.id));
  assert.ok(list.body.data.every(({ channel_ids }: { channel_ids: string[] | null }) => channel_ids?.length === 1));
  await makeJob(house.other_channel_id);
  const mine = await makeJob();
  await until(async () => own.got().length > 0);
  for (const { body } of own.got()) assert.equal(JSON.parse(body).data.job?.channel_id, house.channel_id);
  assert.equal(JSON.parse(own.got()[0]?.body ?? '').data.job.id, mine.id);
});

test('personal values are masked unless the endpoint is made by a key that may read contacts', async () => {
  const refused = await create({ url: receiver.url, rendering: 'personal' }, 'plain');
  assert.deepEqual([refused.status, refused.body.missing_scope], [403, 'contacts:read']);
  const [plain, personal] = [
    await givenEndpoint({ types: ['job.created'] }),
    await givenEndpoint({ types: ['job.created'], rendering: 'personal' }),
  ];
  const job = await makeJob();
  await until(async () => plain.got().length === 1 && personal.got().length === 1);
  const phoneIn = (request: Received | undefined) =>
    JSON.parse(request?.body ?? '').data.job.deliveries[0].contact.phone;
  assert.equal(phoneIn(personal.got()[0]), job.deliveries[0].contact.phone);
  assert.notEqual(phoneIn(plain.got()[0]), job.deliveries[0].contact.phone);
  assert.match(phoneIn(plain.got()[0]), /\*/);
  const event = await house.call('GET', `/v1/events/${JSON.parse(personal.got()[0]?.body ?? '').id}`);
  assert.equal(event.text, personal.got()[0]?.body, 'push and pull read the same bytes');
});

test('an erased person reads null in what is sent later, and the message says so', async () => {
  const made = await house.call('POST', '/v1/customers', {
    external_id: 'ERASED',
    name: 'Ada Nilsson',
    phone: '+46701234599',
  });
  assert.equal(made.status, 201, made.text);
  const erased = await house.call('POST', `/v1/customers/${made.body.id}/erase`);
  assert.ok(erased.status < 300, erased.text);
  const late = await givenEndpoint({ types: ['customer.created'], rendering: 'personal', start_at: 'beginning' });
  const about = () => late.got().find(({ body }) => body.includes(made.body.id));
  await until(async () => about() !== undefined);
  assert.equal(about()?.headers['waypost-redacted'], 'true');
  assert.equal(JSON.parse(about()?.body ?? '').data.customer.name, null);
});

test('an endpoint starts where it says: now, the beginning, a sequence, a time', async () => {
  const job = await makeJob();
  const events = await house.call('GET', `/v1/jobs/${job.id}/events`);
  const [first] =
    events.status === 200
      ? events.body.data
      : (await house.call('GET', '/v1/events?limit=200')).body.data.filter(
          (event: { data: { data_id: string } }) => event.data.data_id === job.id,
        );
  const starts = {
    now: await givenEndpoint({ types: ['job.*'], start_at: 'now' }),
    beginning: await givenEndpoint({ types: ['job.*'], start_at: 'beginning' }),
    sequence: await givenEndpoint({ types: ['job.*'], start_at: first.sequence }),
    time: await givenEndpoint({ types: ['job.*'], start_at: first.recorded_at }),
  };
  const last = await makeJob();
  const firstOf = (endpoint: { got(): Received[] }) =>
    Math.min(...endpoint.got().map(({ body }) => JSON.parse(body).sequence));
  for (const endpoint of Object.values(starts))
    await until(async () => endpoint.got().some(({ body }) => body.includes(last.id)));
  assert.ok(firstOf(starts.now) > first.sequence);
  assert.ok(firstOf(starts.beginning) < first.sequence);
  assert.equal(firstOf(starts.sequence), first.sequence);
  assert.equal(firstOf(starts.time), first.sequence);
});

test('an endpoint is changed for the version that was seen, and a change that changes nothing writes nothing', async () => {
  const { id } = await givenEndpoint();
  const seen = await get(id);
  const stale = await house.call(
    'PATCH',
    path(id),
    { description: 'x' },
    { headers: { 'if-match': `"${seen.version - 1}"` } },
  );
  assert.deepEqual([stale.status, stale.body.code], [412, 'stale_version']);
  const changed = await house.call(
    'PATCH',
    path(id),
    { description: 'x', in_flight_max: 4 },
    { headers: { 'if-match': `"${seen.version}"` } },
  );
  assert.deepEqual([changed.status, changed.body.version, changed.body.in_flight_max], [200, seen.version + 1, 4]);
  const same = await house.call('PATCH', path(id), { description: 'x' });
  assert.deepEqual([same.status, same.body.version], [200, seen.version + 1]);
  const moved = await house.call('PATCH', path(id), { url: `${receiver.url}/moved` });
  assert.equal(moved.body.status, 'unverified');
  await until(async () => (await get(id)).status === 'active');
});

test('pausing and resuming are events like any other', async () => {
  const { id } = await givenEndpoint();
  const paused = await house.call('POST', path(id, '/pause'));
  assert.deepEqual([paused.status, paused.body.status, paused.body.paused_reason], [200, 'paused', 'requested']);
  const again = await house.call('POST', path(id, '/pause'));
  assert.equal(again.body.version, paused.body.version);
  const resumed = await house.call('POST', path(id, '/resume'));
  assert.deepEqual([resumed.body.status, resumed.body.paused_reason], ['active', null]);
  const log = await house.call('GET', '/v1/events?types=endpoint.*&limit=200');
  const types = log.body.data
    .filter((event: { data: { data_id: string } }) => event.data.data_id === id)
    .map(({ type }: { type: string }) => type);
  assert.deepEqual(types, ['endpoint.created', 'endpoint.verified', 'endpoint.paused', 'endpoint.resumed']);
});

test('verify and test send one signed message and say what came of it', async () => {
  const { id } = await givenEndpoint();
  const tested = await house.call('POST', path(id, '/test'));
  assert.deepEqual([tested.status, tested.body.delivered, tested.body.attempt.status], [200, true, 204]);
  receiver.answer({ status: 500, body: 'out of order' });
  const failed = await house.call('POST', path(id, '/test'));
  assert.deepEqual(
    [failed.body.delivered, failed.body.attempt.outcome, failed.body.attempt.reply],
    [false, 'refused', 'out of order'],
  );
  const made = await create({ url: `${receiver.url}/late`, types: ['job.*'] });
  const refused = await house.call('POST', path(made.body.id, '/verify'));
  assert.deepEqual([refused.body.delivered, refused.body.endpoint.status], [false, 'unverified']);
  receiver.answer({ status: 204 });
  const verified = await house.call('POST', path(made.body.id, '/verify'));
  assert.deepEqual([verified.body.delivered, verified.body.endpoint.status], [true, 'active']);
});

test('a rotated secret is shown once, and the old one goes on for its overlap', async () => {
  const { id, secret } = await givenEndpoint({ types: ['job.created'] });
  const rotated = await house.call('POST', path(id, '/rotate-secret'), { overlap_s: 3_600 });
  assert.equal(rotated.status, 200, rotated.text);
  assert.notEqual(rotated.body.secret, secret);
  assert.notEqual(rotated.body.previous_secret_expires_at, null);
  const tested = await house.call('POST', path(id, '/test'));
  assert.equal(tested.body.delivered, true);
  const message = receiver.received.at(-1);
  for (const each of [secret, rotated.body.secret])
    new Webhook(each).verify(message?.body ?? '', message?.headers as Record<string, string>);
  const ended = await house.call('POST', path(id, '/rotate-secret'), { overlap_s: 0 });
  assert.equal(ended.body.previous_secret_expires_at, null);
  const rows = await house.database.sql`select secret, previous_secret from endpoints where endpoint_id = ${id}`;
  assert.equal(rows[0]?.previous_secret, null);
  assert.ok(!rows[0]?.secret.toString('latin1').includes('whsec_'), 'sealed at rest');
});

test('messages, attempts and health are shown, page by page', async () => {
  const endpoint = await givenEndpoint({ types: ['job.created'] });
  for (let count = 0; count < 3; count++) await makeJob();
  await until(async () => (await house.call('GET', path(endpoint.id, '/messages'))).body.data.length === 3);
  const first = await house.call('GET', path(endpoint.id, '/messages?limit=2'));
  assert.deepEqual([first.body.data.length, first.body.has_more, first.body.data[0].state], [2, true, 'delivered']);
  const second = await house.call('GET', path(endpoint.id, `/messages?limit=2&after=${first.body.next}`));
  assert.deepEqual([second.body.data.length, second.body.has_more], [1, false]);
  const attempts = await house.call('GET', path(endpoint.id, '/attempts?limit=2'));
  assert.deepEqual([attempts.body.data.length, attempts.body.data[0].outcome], [2, 'delivered']);
  const rest = await house.call('GET', path(endpoint.id, `/attempts?limit=10&after=${attempts.body.next}`));
  assert.equal(rest.body.data.length, 2, 'the third, and the handshake');
  assert.deepEqual([rest.body.data[1].type, rest.body.data[1].sequence], ['endpoint.test', null]);
  const one = await house.call('GET', path(endpoint.id, `/attempts?event_id=${first.body.data[0].event_id}`));
  assert.equal(one.body.data.length, 1);
  assert.equal((await house.call('GET', path(endpoint.id, '/attempts?event_id=x'))).status, 422);
  const health = await house.call('GET', path(endpoint.id, '/health'));
  assert.deepEqual(
    [health.body.status, health.body.circuit, health.body.last_hour.delivered, health.body.dead_letters],
    ['active', 'closed', 4, 0],
  );
  assert.equal((await house.call('GET', path(endpoint.id, '/messages?after=nonsense'))).body.code, 'invalid_cursor');
});

test('a message that its receiver aborts is a dead letter, and is sent again when asked for', async () => {
  const endpoint = await givenEndpoint({ types: ['job.created'] });
  receiver.answer({ status: 400, headers: { 'webhook-delivery': 'abort' } });
  const job = await makeJob();
  const list = () => house.call('GET', `/v1/dead-letters?endpoint_id=${endpoint.id}`);
  await until(async () => (await list()).body.data.length === 1);
  receiver.answer({ status: 204 });
  const [letter] = (await list()).body.data;
  assert.deepEqual(
    [letter.state, letter.reason, letter.job_id, letter.last_status],
    ['dead', 'aborted_by_receiver', job.id, 400],
  );
  assert.deepEqual((await house.call('GET', `/v1/dead-letters/${letter.id}`)).body, letter);
  assert.equal((await house.call('GET', `/v1/dead-letters/${letter.id}`, undefined, { as: 'stranger' })).status, 404);
  const asked = await house.call('POST', `/v1/dead-letters/${letter.id}/redrive`);
  assert.deepEqual(
    [asked.status, asked.body.dead_letter_ids, asked.body.matching, asked.body.state],
    [202, [letter.id], 1, 'running'],
  );
  await until(async () => (await list()).body.data[0].state === 'delivered');
  assert.equal(endpoint.got().at(-1)?.headers['waypost-redrive'], letter.id);
  const late = await house.call('POST', `/v1/dead-letters/${letter.id}/redrive`);
  assert.deepEqual([late.status, late.body.code], [409, 'dead_letter_settled']);
  const told = await house.call('GET', asked.headers.get('location') ?? '');
  assert.deepEqual(told.body.progress, { remaining: 0, redriving: 0, delivered: 1, dead: 0 });
  const unknown = await house.call('POST', '/v1/dead-letters/redrive', {
    dead_letter_ids: [letter.id, 'dlt_01m7yk1xfpe8nb9r0sf3wq6y2h'],
  });
  assert.deepEqual([unknown.status, unknown.body.code], [422, 'unknown_reference']);
  assert.equal(unknown.body.errors[0].pointer, '/dead_letter_ids/1');
});

test('all dead letters that match are sent again, with progress, and the others stay', async (t) => {
  const refusing = await startReceiver();
  t.after(() => refusing.stop());
  const made = await Promise.all([
    create({ url: `${refusing.url}/one`, types: ['job.created', 'driver.created'] }),
    create({ url: `${refusing.url}/other`, types: ['driver.created'] }),
  ]);
  const [endpoint, other] = made.map(({ body }) => ({ id: body.id as string })) as [{ id: string }, { id: string }];
  for (const { id } of [endpoint, other]) await until(async () => (await get(id)).status === 'active');
  refusing.answer({ status: 400, headers: { 'webhook-delivery': 'abort' } });
  const job = await makeJob();
  for (const name of ['Ada', 'Bo']) await house.call('POST', '/v1/drivers', { name });
  const list = async (query: string) => (await house.call('GET', `/v1/dead-letters?${query}`)).body.data;
  const deadOf = async ({ id }: { id: string }) => (await list(`state=dead&endpoint_id=${id}`)).length;
  await until(async () => (await deadOf(endpoint)) === 3 && (await deadOf(other)) === 2);
  assert.equal((await list(`endpoint_id=${endpoint.id}&types=job.*`)).length, 1);
  assert.equal((await list(`job_id=${job.id}`))[0].type, 'job.created');
  assert.ok((await list('types=driver.created&reason=aborted_by_receiver')).length >= 4);
  assert.equal((await list('reason=too_large')).length, 0);
  assert.equal((await list('died_until=2026-01-01T00:00:00Z')).length, 0);
  refusing.answer({ status: 204 });
  const filter = { endpoint_id: endpoint.id, types: ['driver.*'], died_since: '2026-01-01T00:00:00Z' };
  const asked = await house.call('POST', '/v1/dead-letters/redrive', filter);
  assert.deepEqual([asked.status, asked.body.matching, asked.body.state], [202, 2, 'running'], asked.text);
  const path = asked.headers.get('location') ?? '';
  await until(async () => (await house.call('GET', path)).body.state === 'finished');
  const { body } = await house.call('GET', path);
  assert.deepEqual(body.progress, { remaining: 0, redriving: 0, delivered: 2, dead: 0 });
  assert.deepEqual([await deadOf(endpoint), await deadOf(other)], [1, 2]);
  assert.ok(
    (await list(`endpoint_id=${endpoint.id}&state=delivered`)).every(
      (one: { redrive_id: string }) => one.redrive_id === body.id,
    ),
  );
  assert.equal((await house.call('GET', path, undefined, { as: 'stranger' })).status, 404);
  assert.equal((await house.call('GET', path, undefined, { as: 'bound' })).status, 404);
  assert.deepEqual((await house.call('GET', '/v1/redrives')).body.data[0], body);

  await house.call('POST', `/v1/endpoints/${other.id}/pause`);
  await house.call('POST', `/v1/endpoints/${endpoint.id}/pause`);
  const deadCount = (await list('state=dead&limit=200')).length;
  const all = await house.call('POST', '/v1/dead-letters/redrive', {});
  assert.equal(all.body.matching, deadCount);
  const ended = await house.call('POST', `${all.headers.get('location')}/cancel`);
  assert.deepEqual([ended.status, ended.body.state], [200, 'cancelled'], ended.text);
  assert.equal((await house.call('GET', all.headers.get('location') ?? '')).body.state, 'cancelled');
  const again = await house.call('POST', `${all.headers.get('location')}/cancel`);
  assert.equal(again.status, 200, 'a second time changes nothing');
  const misspelt = await house.call('POST', '/v1/dead-letters/redrive', { types: ['jobs.*'] });
  assert.deepEqual([misspelt.status, misspelt.body.errors[0].pointer], [422, '/types/0']);
});

test('a deleted endpoint is gone for readers and senders', async () => {
  const { id, got } = await givenEndpoint({ types: ['job.created'] });
  assert.equal((await house.call('DELETE', path(id))).status, 204);
  assert.equal((await house.call('GET', path(id))).status, 404);
  assert.equal((await house.call('POST', path(id, '/pause'))).status, 404);
  const witness = await givenEndpoint({ types: ['job.created'] });
  await makeJob();
  await until(async () => witness.got().length === 1);
  assert.equal(got().length, 0);
});

test('a world has at most 500 endpoints', async () => {
  const { database, world_id } = house;
  const [row] = await database.sql<
    { count: number }[]
  >`select count(*)::int as count from endpoints where world_id = ${world_id} and deleted_at is null`;
  const { id } = await givenEndpoint();
  await database.sql`
    insert into endpoints (world_id, endpoint_id, share, status, created_at, updated_at, start_sequence, start_recorded_at, revision,
      secret_key_id, secret, event_id, hash, body)
    select world_id, 'whe_filler' || n, share, 'paused', created_at, updated_at, start_sequence, start_recorded_at, revision,
      secret_key_id, secret, event_id, hash, body
    from endpoints, generate_series(1, ${500 - (row?.count ?? 0) - 1}) as n where endpoint_id = ${id}`;
  const refused = await create({ url: receiver.url });
  assert.deepEqual([refused.status, refused.body.code, refused.body.limit], [409, 'limit_reached', 500]);
  await database.sql`delete from endpoints where endpoint_id like 'whe_filler%'`;
});
