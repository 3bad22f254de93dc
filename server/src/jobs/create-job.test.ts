// Making a job of an order: what stands in it, what is refused, and that it is quick.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaypostError } from '../errors.ts';
import { delivery, givenJob, pickup } from './given-job.ts';
import { job as jobSchema } from './job.schema.ts';
import { jobKind, pinKind } from './job.store.ts';
import { makeJobExample } from './job-example.ts';
import { pinMatches } from './pin.ts';

test('every member of the documented shape is there, and none beside', () => {
  const { live, ...document } = makeJobExample();
  assert.deepEqual(Object.keys(document), Object.keys(jobSchema.properties));
  assert.deepEqual(live.allowed_transitions.includes('assigned'), true);
});

test('names become ids: dependencies, pickups of items, containers', () => {
  const { job } = givenJob({
    pickups: [pickup('P'), pickup('Q')],
    deliveries: [
      delivery({
        reference: 'D',
        items: [
          { name: 'Box', kind: 'container', quantity: 1, reference: 'box', pickup_reference: 'Q' },
          { name: 'Cup', quantity: 6, parent_reference: 'box', pickup_reference: 'Q' },
        ],
      }),
      delivery({ depends_on: ['D'], items: [{ name: 'Pot', quantity: 1, pickup_reference: 'P' }] }),
    ],
  }).stored;
  const [p, q] = job.pickups;
  const [d, e] = job.deliveries;
  assert.deepEqual(d?.depends_on, [q?.id]);
  assert.deepEqual(e?.depends_on, [p?.id, d?.id]);
  assert.equal(d?.items[1]?.parent_item_id, d?.items[0]?.id);
  assert.deepEqual(
    [p, q, d, e].map((task) => task?.position),
    [1, 2, 3, 4],
  );
  assert.deepEqual(q?.items, d?.items);
  assert.equal(job.hub_id, null);
  assert.ok(d?.items.every((item) => item.held_by === 'shipper' && item.delivery_task_id === d.id));
});

test('an order with deliveries only is picked up at the hub, on which every delivery waits', () => {
  const { job } = givenJob({ deliveries: [delivery(), delivery()] }).stored;
  const [hub] = job.pickups;
  assert.equal(job.hub_id, 'hub_1');
  assert.equal(hub?.implicit, true);
  assert.equal(hub?.contact, null);
  assert.equal(hub?.service_window, null);
  assert.ok(job.deliveries.every((task) => task.depends_on[0] === hub?.id));
  assert.equal(hub?.items.length, 2);
});

test('instants are told in UTC with milliseconds, whatever their offset was', () => {
  const window = { start: '2026-11-21T13:00:00+01:00', end: '2026-11-21T13:00:00.5Z' };
  const { job } = givenJob({
    deliveries: [delivery({ service_window: window, ready_at: '2026-11-21T08:00:00-03:00' })],
  }).stored;
  assert.deepEqual(job.deliveries[0]?.service_window, {
    start: '2026-11-21T12:00:00.000Z',
    end: '2026-11-21T13:00:00.500Z',
    hard: false,
  });
  assert.equal(job.deliveries[0]?.ready_at, '2026-11-21T11:00:00.000Z');
});

test('acceptance follows the channel, and never comes before every place is known', () => {
  const topics = (world: ReturnType<typeof givenJob>) => world.events[0]?.topics;
  const unplaced = {
    deliveries: [delivery({ address: { location: null, precision: 'unlocated', access: null } }), delivery()],
  };
  assert.equal(givenJob().stored.job.status, 'accepted');
  assert.deepEqual(topics(givenJob()), ['job.accepted']);
  assert.equal(givenJob({}, { accept: 'by_dispatch' }).stored.job.status, 'created');
  assert.deepEqual(topics(givenJob({}, { accept: 'by_dispatch' })), []);
  const world = givenJob(unplaced);
  assert.equal(world.stored.job.status, 'created');
  assert.equal(world.stored.job.accepted_at, null);
  assert.deepEqual(topics(world), ['exception.opened']);
  assert.deepEqual(
    world.stored.job.deliveries.map((task) => [task.status, task.resumes_to]),
    [
      ['exception', 'pending'],
      ['pending', null],
    ],
  );
  const [listed] = world.stored.job.exceptions;
  assert.equal(world.cases.get(listed?.id ?? '')?.code, 'address_incomplete');
  assert.equal(listed?.blocking, true);
});

test('PINs are kept as hashes beside the job, and stand nowhere in it', () => {
  const asked = (pin: object) => ({ on_completion: { pin: { level: 'required', ...pin } as never }, on_failure: {} });
  const world = givenJob({
    deliveries: [
      delivery({ proof_requirements: asked({ kind: 'supplied', value: '907812' }) }),
      delivery({ proof_requirements: asked({ kind: 'phone' }) }),
    ],
  });
  const [first, second] = world.stored.job.deliveries;
  const key = Buffer.alloc(32, 7);
  const matches = (id: string | undefined, pin: string) =>
    pinMatches(key, id ?? '', pin, world.pins.get(id ?? '')?.hash ?? Buffer.alloc(32));
  assert.ok(matches(first?.id, '907812'));
  assert.ok(matches(second?.id, '4567'));
  assert.ok(!JSON.stringify(world.stored.job).includes('907812'));
  assert.ok(!JSON.stringify(world.events).includes('907812'));
  assert.deepEqual(first?.proof_requirements.on_completion.pin, { level: 'required', kind: 'supplied', tries_max: 5 });
});

test('an order with faults is refused with all of them and makes nothing', () => {
  assert.throws(
    () => givenJob({ deliveries: [delivery({ depends_on: ['x'], minimum_age: 18 })] }),
    (error) => error instanceof WaypostError && error.code === 'invalid_request' && error.faults.length === 2,
  );
  assert.throws(
    () => givenJob({ deliveries: [delivery({ address_id: 'adr_x', address: undefined as never })] }),
    (error) => error instanceof WaypostError && error.code === 'unknown_reference',
  );
});

test('a job of one delivery is decided in well under a millisecond', () => {
  assert.ok(jobKind.name !== pinKind.name);
  for (let warm = 0; warm < 2_000; warm++) givenJob();
  const begun = performance.now();
  const rounds = 2_000;
  for (let round = 0; round < rounds; round++) givenJob();
  const each = (performance.now() - begun) / rounds;
  assert.ok(each < 0.5, `${(each * 1_000).toFixed(0)} µs for each`);
});
