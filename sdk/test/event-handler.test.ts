// The handler alone: signed messages made here, events from lists of this file's own.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { PulledEvent, WaypostEvent } from '../src/event.ts';
import { createEventHandler, type HandlerOptions } from '../src/event-handler.ts';
import type { TrackerState } from '../src/event-tracker.ts';

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;

const eventOf = (sequence: number, more: object = {}) =>
  ({
    id: `evt_${sequence}`,
    type: 'job.updated',
    sequence,
    log_epoch: 1,
    data: {},
    ...more,
  }) as unknown as WaypostEvent;

function messageOf(event: WaypostEvent, previous: number | null, more: Record<string, string> = {}) {
  const body = JSON.stringify(event);
  const id = event.id;
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const mac = createHmac('sha256', Buffer.alloc(32, 5)).update(`${id}.${timestamp}.${body}`).digest('base64');
  const headers: Record<string, string> = {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${mac}`,
    'waypost-sequence': String(event.sequence),
    ...(previous !== null && { 'waypost-previous': String(previous) }),
    ...more,
  };
  return { headers, body };
}

async function* pulled(...events: [WaypostEvent, number | null][]): AsyncGenerator<PulledEvent> {
  for (const [event, previous] of events) yield { ...event, previous };
}

function givenHandler(more: Partial<HandlerOptions> = {}) {
  const handled: string[] = [];
  const errors: unknown[] = [];
  const handler = createEventHandler({
    secret: SECRET,
    handle: (event) => void handled.push(event.id),
    onError: (error) => errors.push(error),
    ...more,
  });
  return { handler, handled, errors };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setImmediate(done));
}

test('an event is handed over once, whether it is pushed, pulled or both', async () => {
  const { handler, handled } = givenHandler();
  const [first, second, third] = [eventOf(3), eventOf(5), eventOf(9)];
  assert.deepEqual(await handler.take(messageOf(first, null)), { status: 204, body: '' });
  await handler.pull(pulled([first, null], [second, 3], [third, 5]));
  assert.equal((await handler.take(messageOf(second, 3))).status, 204);
  assert.deepEqual(handled, ['evt_3', 'evt_5', 'evt_9']);
  assert.deepEqual([handler.tracker.readPlace(), handler.tracker.listGaps(Date.now(), 0)], ['9', []]);
});

test('what a replay sends is handed over again, and leaves what came and what is missing as it was', async () => {
  const { handler, handled } = givenHandler();
  await handler.pull(pulled([eventOf(1), null], [eventOf(2), 1]));
  const replay = { 'waypost-replay': 'rpl_1' };
  assert.equal((await handler.take(messageOf(eventOf(1), null, replay))).status, 204);
  assert.equal((await handler.take(messageOf(eventOf(7), 5, replay))).status, 204);
  assert.deepEqual(handled, ['evt_1', 'evt_2', 'evt_1', 'evt_7']);
  assert.deepEqual([handler.tracker.readPlace(), handler.tracker.listGaps(Date.now(), 0)], ['2', []]);
});

test('a repeat that comes while the event is dealt with waits for it and shares its end', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  const { handler } = givenHandler({
    handle: () => {
      calls += 1;
      return promise;
    },
  });
  const both = Promise.all([
    handler.take(messageOf(eventOf(1), null)),
    handler.take(messageOf(eventOf(1), null)),
    handler.pull(pulled([eventOf(1), null])),
  ]);
  resolve();
  const [one, two] = await both;
  assert.deepEqual([one.status, two.status, calls], [204, 204, 1]);
});

test('what handle throws is 500 to a webhook and ends a pull; the event comes again', async () => {
  let isBroken = true;
  const handled: number[] = [];
  const { handler, errors } = givenHandler({
    handle: ({ sequence }) => {
      if (isBroken) throw new Error('no table');
      handled.push(sequence);
    },
  });
  const refused = await handler.take(messageOf(eventOf(1), null));
  assert.equal(refused.status, 500);
  assert.doesNotMatch(refused.body, /no table/, 'what is inside stays inside');
  assert.match(String(errors[0]), /no table/);
  await assert.rejects(handler.pull(pulled([eventOf(1), null])), /no table/);
  assert.equal(handler.tracker.readPlace(), '0');
  isBroken = false;
  assert.equal((await handler.take(messageOf(eventOf(1), null))).status, 204);
  assert.deepEqual(handled, [1]);
});

test('a forged message is 400 with the guess at the mistake; a test message is 204 and handed to nobody', async () => {
  const { handler, handled, errors } = givenHandler();
  const { headers, body } = messageOf(eventOf(1), null);
  const forged = await handler.take({ headers, body: `${body} ` });
  assert.equal(forged.status, 400);
  assert.match(forged.body, /blanks around the body/);
  assert.equal(errors.length, 1);
  const { 'waypost-sequence': _, ...unnumbered } = headers;
  assert.equal((await handler.take({ headers: unnumbered, body })).status, 204);
  assert.deepEqual(handled, []);
});

test('requests and responses of the web are taken as they are', async () => {
  const { handler, handled } = givenHandler();
  const { headers, body } = messageOf(eventOf(1), null);
  const send = (text: string) =>
    handler.respond(new Request('http://x/hooks', { method: 'POST', headers, body: text }));
  assert.equal((await send(body)).status, 204);
  const refused = await send('');
  assert.deepEqual([refused.status, handled], [400, ['evt_1']]);
  assert.match(await refused.text(), /body is empty/);
});

test('the place is kept after each event, in order, and a new start goes on from it', async () => {
  const places: number[] = [];
  let open = 0;
  const keep = async (state: TrackerState) => {
    assert.equal(open++, 0, 'one call at a time');
    await Promise.resolve();
    places.push(state.through);
    open -= 1;
  };
  const { handler } = givenHandler({ keep });
  await handler.pull(pulled([eventOf(1), null], [eventOf(2), 1]));
  await Promise.all([handler.take(messageOf(eventOf(3), 2)), handler.take(messageOf(eventOf(4), 3))]);
  assert.deepEqual(places.slice(0, 2), [1, 2]);
  assert.deepEqual(places.at(-1), 4);
  const later = givenHandler({ state: handler.tracker.readState() });
  await later.handler.pull(pulled([eventOf(4), 3], [eventOf(5), 4]));
  assert.deepEqual(later.handled, ['evt_5']);
});

test('events that come while the place is kept are kept together, and answered only then', async () => {
  const first = Promise.withResolvers<void>();
  const kept: number[] = [];
  const answered: number[] = [];
  const keep = async ({ through }: TrackerState) => {
    kept.push(through);
    if (kept.length === 1) await first.promise;
    if (kept.length === 2) throw new Error('the disk is full');
  };
  const { handler, errors } = givenHandler({ keep });
  const take = async (sequence: number) => {
    const { status } = await handler.take(messageOf(eventOf(sequence), sequence === 1 ? null : sequence - 1));
    answered.push(status);
  };
  const takes = [take(1)];
  await until(() => kept.length === 1);
  for (let sequence = 2; sequence <= 40; sequence++) takes.push(take(sequence));
  await until(() => handler.tracker.readPlace() === '40');
  assert.deepEqual([kept, answered], [[1], []], 'one is under way, and nobody is answered before its event is kept');
  first.resolve();
  await Promise.all(takes);
  assert.deepEqual(kept, [1, 40]);
  assert.deepEqual(answered, [204, ...Array(39).fill(500)]);
  assert.equal(errors.length, 39);
  assert.equal(
    (await handler.take(messageOf(eventOf(41), 40))).status,
    204,
    'what failed before does not fail this one',
  );
  assert.deepEqual(kept, [1, 40, 41]);
});

test('after a restore the same numbers are new events, by what a message says and by the event that tells of it', async () => {
  const epochs = { 'waypost-epochs': '500:2' };
  const pushed = givenHandler();
  await pushed.handler.pull(pulled([eventOf(1), null], [eventOf(2), 1], [eventOf(3), 2]));
  const again = eventOf(3, { id: 'evt_new', log_epoch: 500 });
  await pushed.handler.take(messageOf(again, 2, epochs));
  assert.deepEqual(pushed.handled, ['evt_1', 'evt_2', 'evt_3', 'evt_new']);

  const puller = givenHandler();
  await puller.handler.pull(pulled([eventOf(1), null], [eventOf(2), 1], [eventOf(3), 2]));
  const told = eventOf(3, { id: 'evt_told', type: 'log.restored', log_epoch: 500, data: { last_sequence: 2 } });
  await puller.handler.pull(pulled([told, 2]));
  assert.deepEqual(puller.handled.at(-1), 'evt_told');
  assert.equal(puller.handler.tracker.readPlace(), '500-3');
});
