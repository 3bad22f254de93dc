// What messages look like, by endpoint: native JSON or CloudEvents, which are read by the official SDK; a pinned version;
// filters by tags. Through the door where it is about settings, with the sender's kit where it is about attempts.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type CloudEvent, HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import type { WaypostEvent } from '../../sdk/src/event.ts';
import { verifyWebhook } from '../../sdk/src/webhooks.ts';
import { editEndpoint } from '../src/webhooks/endpoint.ts';
import { givenJob, type Order } from './api/given.ts';
import { checkHouse, type House, startHouse } from './house.ts';
import { type Received, type Receiver, startReceiver } from './receiver.ts';
import { OK, startKit } from './sender-kit.ts';
import { until } from './until.ts';

let house: House;
let receiver: Receiver;
before(async () => {
  [house, receiver] = await Promise.all([startHouse({ roles: ['api', 'sender'] }), startReceiver()]);
});

let counter = 0;
async function givenEndpoint(input: object) {
  const url = `${receiver.url}/formats-${++counter}`;
  const made = await house.call('POST', '/v1/endpoints', { url, types: ['job.created'], ...input });
  assert.equal(made.status, 201, made.text);
  const verified = await house.call('POST', `/v1/endpoints/${made.body.id}/verify`);
  assert.equal(verified.body.delivered, true);
  const arrived = () => receiver.received.filter(({ path }) => receiver.url + path === url);
  return { ...(made.body as { id: string; secret: string; revision: number }), arrived };
}

const isOf = (id: string) => (message: Received) =>
  message.body.includes(id) && !message.body.includes('endpoint.test');

const withTags =
  (...tags: string[]) =>
  (order: Order) =>
    Object.assign(order, { tags });

function readCloudEvent({ headers, body }: Received): CloudEvent<WaypostEvent> {
  const event = HTTP.toEvent<WaypostEvent>({ headers, body }) as CloudEvent<WaypostEvent>;
  assert.equal(event.validate(), true);
  return event;
}

test('a CloudEvents endpoint gets events that the official SDK reads, signed over the body as it was sent', async () => {
  const endpoints = {
    cloudevents_structured: await givenEndpoint({ format: 'cloudevents_structured', rendering: 'personal' }),
    cloudevents_binary: await givenEndpoint({ format: 'cloudevents_binary', rendering: 'personal' }),
    native: await givenEndpoint({ rendering: 'personal' }),
  };
  const job = await givenJob(house);
  const { data: log } = await house.as.source.events.list({ job_id: job.id });
  const [{ previous: _, ...logged } = assert.fail()] = log;
  for (const [format, endpoint] of Object.entries(endpoints)) {
    const message = await until(() => endpoint.arrived().find(isOf(job.id)), `the message in ${format}`);
    const headers = message.headers as Record<string, string>;
    new Webhook(endpoint.secret).verify(message.body, headers);
    const verified = await verifyWebhook({ secret: endpoint.secret, headers, body: message.body });
    assert.deepEqual(verified, logged, 'the SDK answers the event, whatever it came in');
    assert.equal(headers['waypost-sequence'], String(logged.sequence));
    if (format === 'native') {
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(headers['ce-id'], undefined);
      continue;
    }
    const event = readCloudEvent(message);
    assert.deepEqual(
      [event.id, event.type, event.source, event.time],
      [logged.id, 'job.created', `/${logged.tenant_id}/${logged.channel_id}`, logged.occurred_at],
    );
    assert.equal(Number(event.sequence), logged.sequence);
    assert.equal(event.dataschema, `urn:waypost:event-type:job.created:${logged.schema_version}`);
    assert.deepEqual(event.data, logged);
    const [hello = assert.fail()] = endpoint.arrived();
    assert.equal(readCloudEvent(hello).type, 'endpoint.test');
    assert.equal(
      (await verifyWebhook({ secret: endpoint.secret, headers: hello.headers, body: hello.body })).sequence,
      null,
    );
  }
});

for (const format of ['cloudevents_structured', 'cloudevents_binary'] as const) {
  test(`a message in ${format} keeps its bytes and attributes when it is tried again, whatever was changed meanwhile`, async (t) => {
    const kit = await startKit(t);
    const remote = await kit.receiver();
    await kit.sender();
    const { id } = await kit.endpoint({ url: remote.url, types: ['job.*'], format });
    await kit.active(id);
    remote.script = () => ({ status: 500 });
    await kit.emit(['a']);
    await kit.eventually(
      async () => (await kit.db.sql`select 1 from parked_messages where state = 'retry'`).length === 1,
    );
    await kit.changeWith(id, (set, stored, moment) =>
      editEndpoint(set, stored, moment, { format: 'native' }, { channel_ids: null, may_read_contacts: true }),
    );
    remote.script = () => OK;
    // What comes after is in the new form, as soon as the sender has heard of it.
    await kit.eventually(async () => {
      await kit.emit(['b']);
      return remote.messages.some(
        ({ headers }) => headers['content-type'] === 'application/json' && !('ce-id' in headers),
      );
    });
    kit.clock.advance(6_000);
    await remote.until(({ messages }) => messages.some(({ headers }) => headers['waypost-attempt'] === '2'));
    const first = remote.messages.find(({ headers }) => headers['waypost-sequence'] !== undefined);
    const again = remote.messages.find(({ headers }) => headers['waypost-attempt'] === '2');
    assert.equal(again?.body, first?.body);
    const contentOf = (headers: Record<string, string | undefined> = {}) =>
      Object.entries(headers).filter(([name]) => name.startsWith('ce-') || name === 'content-type');
    assert.deepEqual(contentOf(again?.headers), contentOf(first?.headers));
    assert.ok(contentOf(again?.headers).length >= (format === 'cloudevents_binary' ? 10 : 1));
  });
}

test('a schema version can be pinned when it exists, and messages carry it; another is refused by name', async () => {
  const types = await house.call('GET', '/v1/event-types');
  const version = types.body.data[0].schema_versions.at(-1);
  const pinned = await givenEndpoint({ schema_version: version });
  const plain = await givenEndpoint({});
  const job = await givenJob(house);
  const message = await until(() => pinned.arrived().find(isOf(job.id)), 'the message');
  assert.equal(message.headers['waypost-schema-version'], version);
  assert.equal(JSON.parse(message.body).schema_version, version);
  const other = await until(() => plain.arrived().find(isOf(job.id)), 'the message of the other');
  assert.equal(other.headers['waypost-schema-version'], undefined);
  for (const refused of [
    await house.call('POST', '/v1/endpoints', { url: receiver.url, schema_version: '2025-01-01' }),
    await house.call('PATCH', `/v1/endpoints/${plain.id}`, { schema_version: '2025-01-01' }),
  ]) {
    assert.deepEqual([refused.status, refused.body.errors[0].pointer], [422, '/schema_version'], refused.text);
    assert.match(refused.body.errors[0].message, new RegExp(`2025-01-01.*${version}`));
  }
});

test('what changes how messages look counts a revision, and nothing else does', async () => {
  const { id, revision } = await givenEndpoint({});
  const patch = async (change: object) => (await house.call('PATCH', `/v1/endpoints/${id}`, change)).body.revision;
  assert.equal(await patch({ description: 'ERP', signing: 'both', tags: ['a'] }), revision);
  assert.equal(await patch({ format: 'cloudevents_binary' }), revision + 1);
  assert.equal(await patch({ schema_version: '2026-11-01' }), revision + 1, 'the newest is what it was sent before');
  const rows = await house.database.sql`
    select revision, format, schema_version from endpoint_revisions where endpoint_id = ${id} order by revision`;
  assert.deepEqual(
    rows.map((row) => [row.format, row.schema_version]),
    [
      ['native', '2026-11-01'],
      ['cloudevents_binary', '2026-11-01'],
    ],
  );
});

test('an endpoint with tags gets the events of jobs that have one of them, until after they lost it', async () => {
  const cold = await givenEndpoint({ types: ['job.*'], tags: ['cold', 'frozen'] });
  const [chilled, other] = [await givenJob(house, withTags('cold', 'b')), await givenJob(house)];
  await house.as.source.jobs.patch(other.id, { priority: 'urgent' });
  await house.as.source.jobs.patch(chilled.id, { tags: ['b'] });
  await house.as.source.jobs.patch(chilled.id, { priority: 'urgent' });
  await house.as.source.jobs.patch(other.id, { tags: ['frozen'] });
  const messages = await until(() => {
    const found = cold.arrived().filter(({ headers }) => headers['waypost-sequence'] !== undefined);
    return found.length >= 3 ? found : null;
  }, 'three messages');
  const told = messages.map(({ body, headers }) => ({ ...JSON.parse(body), previous: headers['waypost-previous'] }));
  assert.deepEqual(
    told.map(({ type, data }) => [type, data.job.id]),
    [
      ['job.created', chilled.id],
      ['job.updated', chilled.id],
      ['job.updated', other.id],
    ],
  );
  const sequences = told.map(({ sequence }) => sequence);
  assert.deepEqual(
    told.map(({ previous }) => previous),
    ['null', ...sequences.slice(0, 2).map(String)],
    'a gap would show',
  );
  const pulled = await house.call('GET', `/v1/events?after=0&endpoint_id=${cold.id}&limit=200`);
  assert.deepEqual(
    pulled.body.data
      .filter(({ sequence }: { sequence: number }) => sequence >= sequences[0])
      .map((one: { sequence: number }) => one.sequence),
    sequences,
    'a pull answers the same',
  );
  const ofJob = await house.call('GET', `/v1/events?after=0&endpoint_id=${cold.id}&job_id=${chilled.id}`);
  assert.deepEqual(
    ofJob.body.data.map((one: { sequence: number }) => one.sequence),
    sequences.slice(0, 2),
  );
  const health = await until(async () => {
    const { body } = await house.call('GET', `/v1/endpoints/${cold.id}/health`);
    return body.pending === 0 && body.events_behind === 0 ? body : null;
  }, 'everything to be settled');
  assert.equal(health.status, 'active');
  await house.call('POST', `/v1/endpoints/${cold.id}/pause`);
  await givenJob(house);
  await givenJob(house, withTags('frozen'));
  const waiting = (await house.call('GET', `/v1/endpoints/${cold.id}/health`)).body;
  assert.equal(waiting.pending, 1, 'what it is not owed does not wait');
});

test('every hash, number and chain of the log that they were made from is right', async () => {
  assert.ok((await checkHouse(house)) >= 2);
});
