// The client against the real server, through its door.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type Receiver, startReceiver } from '../../server/test/receiver.ts';
import { startServer, type TestServer } from '../../server/test/server.ts';
import { until } from '../../server/test/until.ts';
import { WaypostProblem } from '../src/errors.ts';
import type { WaypostEvent } from '../src/event.ts';
import { createEventTracker, readMessage } from '../src/event-tracker.ts';
import type { JobInput } from '../src/jobs.ts';
import { replyFactsOf } from '../src/transport.ts';
import { Waypost } from '../src/waypost.ts';
import { verifyWebhook } from '../src/webhooks.ts';

let server: TestServer;
let source: Waypost;
let dispatch: Waypost;

before(async () => {
  server = await startServer();
  source = new Waypost({ url: server.url, key: server.tenant.test_key });
  const { data } = await source.keys.list();
  const made = await source.keys.create({ name: 'dispatch', authority: 'dispatch', scopes: data[0]?.scopes ?? [] });
  dispatch = new Waypost({ url: server.url, key: made.secret ?? assert.fail() });
});

function orderOf(reference: string): JobInput {
  return {
    reference,
    channel_id: server.tenant.channel_id,
    priority: 'standard',
    deliveries: [
      {
        service_window: { start: '2026-11-21T13:00:00Z', end: '2026-11-21T15:00:00Z' },
        address: {
          line1: 'Alder Row 1',
          city: 'Hamnvik',
          country: 'SE',
          location: { lat: 57.7066, lng: 11.9672 },
          precision: 'rooftop',
          access: null,
        },
        contact: { name: 'Elva Norden', phone: '+99912345678', contact_policy: { ways: [] } },
        proof_requirements: { on_completion: {}, on_failure: {} },
        items: [{ name: 'Parcel', quantity: 1 }],
      },
    ],
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test('a job goes its way: created, read, found, changed, assigned, delivered', async () => {
  const job = await source.jobs.create(orderOf('SDK-1'));
  assert.equal(replyFactsOf(job)?.status, 201);
  assert.deepEqual(await source.jobs.get(job.id), job);
  assert.deepEqual(await source.jobs.getByReference(server.tenant.channel_id, 'SDK-1'), job);

  const edited = await source.jobs.patch(job.id, { priority: 'urgent' }, { ifMatch: job.version });
  assert.ok(!('proposal' in edited));
  assert.equal(edited.priority, 'urgent');
  await assert.rejects(source.jobs.patch(job.id, { priority: 'economy' }, { ifMatch: job.version }), {
    code: 'stale_version',
  });

  const driver = await dispatch.drivers.create({ name: 'Driver one' });
  const assigned = await dispatch.jobs.transition(job.id, { to: 'assigned', driver_id: driver.id });
  assert.equal(assigned.applied, true);
  const [delivery] = assigned.job.deliveries;
  const report = { to: 'completed', outcome: 'delivered_to_recipient', report: true, client_event_id: 'e1' } as const;
  const done = await dispatch.jobs.transition(job.id, { ...report, task_id: delivery?.id ?? assert.fail() });
  assert.equal(done.job.status, 'completed');

  const events = await collect(dispatch.jobs.events(job.id));
  assert.deepEqual(
    events.map((event) => event.job_sequence),
    events.map((_, index) => index + 1),
  );
  assert.equal(events.at(-1)?.data.job?.status, 'completed');
});

test('the same create with the same key is answered with the first reply', async () => {
  const call = { idempotencyKey: 'sdk-key-1' };
  const first = await source.jobs.create(orderOf('SDK-2'), call);
  const again = await source.jobs.create(orderOf('SDK-2'), call);
  assert.deepEqual(again, first);
  assert.equal(replyFactsOf(first)?.replayed, false);
  assert.equal(replyFactsOf(again)?.replayed, true);
});

test('a refusal names every fault, with its pointer and words', async () => {
  const order = orderOf('SDK-3');
  const [delivery] = order.deliveries;
  // @ts-expect-error Two faults that the types would have prevented.
  const broken: JobInput = { ...order, priority: 'soon', deliveries: [{ ...delivery, address: { country: 'SE' } }] };
  await assert.rejects(source.jobs.create(broken), (error) => {
    assert.ok(error instanceof WaypostProblem);
    assert.equal(error.status, 422);
    const pointers = error.errors.map((fault) => fault.pointer);
    assert.ok(pointers.includes('/priority'), error.message);
    assert.ok(
      pointers.some((pointer) => pointer.startsWith('/deliveries/0/address')),
      error.message,
    );
    assert.match(error.message, /\/priority: /);
    assert.ok(error.correlation_id);
    return true;
  });
});

test('a list is walked page by page, each item once', async () => {
  for (let number = 1; number <= 5; number++) await dispatch.drivers.create({ name: `Listed ${number}` });
  const page = await dispatch.drivers.list({ limit: 2 });
  assert.equal(page.data.length, 2);
  assert.equal(page.has_more, true);
  const all = await collect(dispatch.drivers.iterate({ limit: 2 }));
  assert.ok(all.length >= 5);
  assert.equal(new Set(all.map((driver) => driver.id)).size, all.length);
});

test('deleting, what is gone, and customers', async () => {
  const job = await source.jobs.create(orderOf('SDK-4'));
  assert.equal(await source.jobs.delete(job.id), undefined);
  await assert.rejects(source.jobs.get(job.id), { code: 'not_found' });
  const customer = await source.customers.create({ name: 'Orla Kelden', external_id: 'C-1' });
  const changed = await source.customers.patch(customer.id, { name: 'Orla Tallin' });
  assert.equal(changed.name, 'Orla Tallin');
  assert.equal((await source.customers.erase(customer.id)).name, null);
});

test('messages verify, the tracker finds what did not come, and the client fetches it', async () => {
  const receiver: Receiver = await startReceiver();
  const endpoint = await dispatch.endpoints.create({ url: receiver.url, types: ['job.*'], start_at: 'now' });
  const secret = endpoint.secret ?? assert.fail();
  const { settled_sequence } = await dispatch.endpoints.health(endpoint.id);
  assert.equal((await dispatch.endpoints.verify(endpoint.id)).delivered, true);
  for (const reference of ['SDK-5', 'SDK-6', 'SDK-7']) await source.jobs.create(orderOf(reference));
  const sent = await until(() => {
    const messages = receiver.received.filter((message) => message.headers['waypost-sequence'] !== undefined);
    return messages.length >= 3 ? messages : null;
  }, 'three events at the receiver');

  const tracker = createEventTracker({ through: settled_sequence, beyond: [] });
  const bySequence = [...sent].sort(
    (a, b) => Number(a.headers['waypost-sequence']) - Number(b.headers['waypost-sequence']),
  );
  const [first, lost, last] = bySequence;
  assert.ok(first && lost && last);
  for (const message of [first, last]) {
    const event = await verifyWebhook({ secret, headers: message.headers, body: message.body });
    assert.equal(event.type, 'job.created');
    assert.equal(tracker.take(readMessage(message.headers), 0), 'new');
  }
  const fetched: WaypostEvent[] = await collect(dispatch.events.iterateMissing(endpoint.id, tracker, 0, 0));
  assert.deepEqual(
    fetched.map((event) => event.sequence),
    [Number(lost.headers['waypost-sequence'])],
  );
  assert.equal(tracker.take(readMessage(lost.headers), 0), 'new');
  assert.deepEqual(tracker.listGaps(0, 0), []);
});

test('following the log hands out what is there and what comes, until it is told to stop', async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const event of dispatch.events.follow({ types: ['job.created'] }, { signal: stop.signal })) {
      if (event.data.job) seen.push(event.data.job.reference);
      if (seen.includes('SDK-9')) stop.abort();
    }
  })();
  await until(() => seen.length > 0, 'the events that are there');
  await source.jobs.create(orderOf('SDK-9'));
  await following;
  assert.equal(seen.at(-1), 'SDK-9');
  assert.equal(new Set(seen).size, seen.length);
});
