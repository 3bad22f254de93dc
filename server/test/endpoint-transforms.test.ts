// Transforms of endpoints: what is made is what is sent and signed, the same bytes each time; what fails is an attempt
// that failed; a dry run tells beforehand. The limits of a single run are tested in transform-pool.test.ts.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { editEndpoint } from '../src/webhooks/endpoint.ts';
import { givenJob } from './api/given.ts';
import { type House, startHouse } from './house.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { OK, type SenderKit, startKit } from './sender-kit.ts';
import { until } from './until.ts';

let house: House;
let receiver: Receiver;
before(async () => {
  [house, receiver] = await Promise.all([startHouse({ roles: ['api', 'sender'] }), startReceiver()]);
});

let counter = 0;
async function givenEndpoint(input: object) {
  const url = `${receiver.url}/transforms-${++counter}`;
  const made = await house.call('POST', '/v1/endpoints', { url, types: ['job.created'], ...input });
  assert.equal(made.status, 201, made.text);
  const verified = await house.call('POST', `/v1/endpoints/${made.body.id}/verify`);
  assert.equal(verified.body.delivered, true);
  const arrived = () =>
    receiver.received.filter(
      ({ path, headers }) => receiver.url + path === url && headers['waypost-sequence'] !== undefined,
    );
  return { ...(made.body as { id: string; secret: string }), arrived };
}

const dryRun = (id: string, body: object) => house.call('POST', `/v1/endpoints/${id}/transform/dry-run`, body);
const ORDER = '{"order": data.job.reference, "kind": type, "n": sequence}';

test('an endpoint gets what its transform makes, signed as it is sent, in the format that it chose', async () => {
  const native = await givenEndpoint({ transform: ORDER });
  const wrapped = await givenEndpoint({ transform: ORDER, format: 'cloudevents_structured' });
  const job = await givenJob(house);
  const [message] = await until(() => (native.arrived().length > 0 ? native.arrived() : null), 'the message');
  assert.ok(message);
  new Webhook(native.secret).verify(message.body, message.headers as Record<string, string>);
  const sequence = Number(message.headers['waypost-sequence']);
  assert.deepEqual(JSON.parse(message.body), { order: job.reference, kind: 'job.created', n: sequence });
  const [event] = await until(() => (wrapped.arrived().length > 0 ? wrapped.arrived() : null), 'the CloudEvent');
  const { data, type, dataschema } = JSON.parse(event?.body ?? '{}');
  assert.deepEqual([data.order, type, dataschema], [job.reference, 'job.created', undefined]);
});

test('a dry run tells what a transform makes of an event, or what is wrong with it and where', async () => {
  const { id } = await givenEndpoint({ transform: ORDER });
  const job = await givenJob(house);
  const { data: log } = await house.as.source.events.list({ job_id: job.id });
  const event_id = log[0]?.id ?? '';
  assert.equal((await house.as.source.endpoints.tryTransform(id, { event_id })).bytes > 10, true);
  const own = await dryRun(id, { event_id });
  assert.equal(own.status, 200, own.text);
  assert.deepEqual([own.body.output.order, own.body.error], [job.reference, null]);
  assert.ok(own.body.duration_ms > 0 && own.body.bytes > 10);
  const masked = await dryRun(id, { event_id, transform: 'data.job.deliveries.contact.phone' });
  assert.match(masked.body.output, /\*/, 'as the endpoint is told: plain');
  const given = await dryRun(id, { event: { a: [1, 2] }, transform: '$sum(a)' });
  assert.deepEqual([given.body.output, given.body.bytes], [3, 1]);
  const failing = await dryRun(id, { event: { a: 'x' }, transform: '$number(a)' });
  assert.deepEqual([failing.status, failing.body.output, failing.body.error.position], [200, null, 8]);
  const endless = await dryRun(id, { event: {}, transform: '($f := function(){$f()}; $f())' });
  assert.match(endless.body.error.message, /timeout|longer/i);
  for (const body of [{}, { event_id, event: {} }, { event_id: 'evt_x', event: {} }])
    assert.equal((await dryRun(id, body)).status, 422, JSON.stringify(body));
  assert.equal((await dryRun(id, { event_id: 'evt_01kaj2w0d4f8tb3h5gk9mzq7xe' })).status, 404);
  const bare = await givenEndpoint({});
  assert.equal((await dryRun(bare.id, { event: {} })).body.errors[0].pointer, '/transform');
});

test('a transform that cannot be read, or that answers differently each time, is refused with its place', async () => {
  const { id } = await givenEndpoint({});
  const refusals = { '{"a": ': /at character/, '{"at": $now()}': /\$now at character 11.*recorded_at/ };
  for (const [transform, words] of Object.entries(refusals)) {
    for (const refused of [
      await house.call('POST', '/v1/endpoints', { url: receiver.url, transform }),
      await house.call('PATCH', `/v1/endpoints/${id}`, { transform }),
      await dryRun(id, { transform, event: {} }),
    ]) {
      assert.deepEqual([refused.status, refused.body.errors[0].pointer], [422, '/transform'], refused.text);
      assert.match(refused.body.errors[0].message, words);
    }
  }
});

const asker = { channel_ids: null, may_read_contacts: true };
const failuresOf = (kit: SenderKit, id: string) => kit.db.sql<{ outcome: string; error: string; attempt: number }[]>`
  select outcome, error, attempt from attempts where endpoint_id = ${id} and outcome = 'failed' order by started_at`;

test('a retry sends the same bytes, though the endpoint has another transform by then', async (t) => {
  const kit = await startKit(t);
  const remote = await kit.receiver();
  await kit.sender();
  const { id } = await kit.endpoint({ url: remote.url, types: ['job.*'], transform: '$merge([$, {"made": "first"}])' });
  await kit.active(id);
  remote.script = () => ({ status: 500 });
  await kit.emit(['a']);
  await kit.eventually(
    async () => (await kit.db.sql`select 1 from parked_messages where state = 'retry'`).length === 1,
  );
  await kit.changeWith(id, (set, stored, moment) =>
    editEndpoint(set, stored, moment, { transform: '$merge([$, {"made": "second"}])' }, asker),
  );
  remote.script = () => OK;
  await kit.eventually(async () => {
    await kit.emit(['b']);
    return remote.messages.some(({ body }) => body.includes('second'));
  });
  kit.clock.advance(6_000);
  const [first] = remote.messages;
  const tries = () => remote.messages.filter(({ sequence }) => sequence === first?.sequence);
  await remote.until(() => tries().length === 2);
  const [, again] = tries();
  assert.equal(again?.headers['waypost-attempt'], '2');
  assert.match(again?.body ?? '', /"made":"first"/);
  assert.equal(again?.body, first?.body);
});

test('a transform that fails is a failed attempt of its message; others pass, and repaired it is sent', async (t) => {
  const kit = await startKit(t);
  const remote = await kit.receiver();
  await kit.sender();
  const broken = '{"type": type, "sequence": sequence, "data": data.data_id = "bad" ? $error("no such shop") : data}';
  const { id } = await kit.endpoint({ url: remote.url, types: ['job.*'], transform: broken });
  await kit.active(id);
  await kit.emit(['bad', 'good', 'bad']);
  await remote.until(({ messages }) => messages.some(({ job_id }) => job_id === 'good'));
  await kit.eventually(async () => (await failuresOf(kit, id)).length === 1);
  const [failure] = await failuresOf(kit, id);
  assert.equal(failure?.attempt, 1);
  assert.match(failure?.error ?? '', /^the transform failed: .*no such shop/);
  kit.clock.advance(6_000);
  await kit.eventually(async () => (await failuresOf(kit, id)).length === 2);
  const fixed = '{"type": type, "sequence": sequence, "data": data, "made": "anew"}';
  await kit.changeWith(id, (set, stored, moment) => editEndpoint(set, stored, moment, { transform: fixed }, asker));
  await kit.eventually(async () => {
    await kit.emit(['other']);
    return remote.messages.some(({ body }) => body.includes('anew'));
  });
  // Only now: a try before would fail again.
  kit.clock.advance(40_000);
  await remote.until(({ messages }) => messages.filter(({ job_id }) => job_id === 'bad').length === 2);
  const bad = remote.messages.filter(({ job_id }) => job_id === 'bad').map(({ sequence }) => sequence ?? 0);
  assert.ok((bad[0] ?? 0) < (bad[1] ?? 0), 'in the order of their job');
});
