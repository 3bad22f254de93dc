// Changing jobs through the door: PATCH, the whole order again, ownership, proposals.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type Answer, type House, startHouse } from './house.ts';
import { deliveryOf, orderOf } from './order-input.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

async function make(
  reference: string,
  change: (order: ReturnType<typeof orderOf>) => void = () => {},
): Promise<Answer['body']> {
  const order = orderOf(reference, house.channel_id);
  change(order);
  const made = await house.call('POST', '/v1/jobs', order);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body;
}

async function eventsOf(
  jobId: string,
): Promise<{ type: string; topics: string[]; data: { changes: Record<string, unknown> } }[]> {
  const rows = await house.server.database.sql<{ body: string }[]>`
    select body from events where world_id = ${house.world_id} and job_id = ${jobId} order by job_sequence`;
  return rows.map((row) => JSON.parse(row.body));
}

test('a PATCH changes what it names, tells it in one event and leaves the rest', async () => {
  const { call } = house;
  const job = await make('PATCH-1');
  const [delivery] = job.deliveries;
  const changed = await call('PATCH', `/v1/jobs/${job.id}`, {
    priority: 'urgent',
    tags: ['fragile'],
    deliveries: [
      { id: delivery.id, service_window: { start: '2030-11-22T13:00:00+01:00', end: '2030-11-22T15:00:00Z' } },
    ],
  });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.equal(changed.body.priority, 'urgent');
  assert.equal(changed.body.version, 2);
  assert.equal(changed.body.job_sequence, 2);
  assert.equal(changed.body.deliveries[0].service_window.start, '2030-11-22T12:00:00.000Z');
  assert.deepEqual(changed.body.deliveries[0].address, delivery.address);
  const events = await eventsOf(job.id);
  assert.equal(events.length, 2);
  assert.equal(events[1]?.type, 'job.updated');
  assert.deepEqual(events[1]?.topics, ['job.rescheduled']);
  assert.deepEqual(Object.keys(events[1]?.data.changes ?? {}).sort(), [
    'deliveries/0/service_window/end',
    'deliveries/0/service_window/start',
    'priority',
    'tags',
  ]);
  const { route_effect: _, ...document } = changed.body;
  assert.deepEqual((await call('GET', `/v1/jobs/${job.id}`)).body, document);
});

test('a PATCH that changes nothing writes nothing', async () => {
  const { call } = house;
  const job = await make('PATCH-2');
  const same = await call('PATCH', `/v1/jobs/${job.id}`, { priority: 'standard', metadata: {} });
  assert.equal(same.status, 200);
  assert.equal(same.body.version, 1);
  assert.equal((await eventsOf(job.id)).length, 1);
});

test('a stale version is 412, a member that is unknown or null where it must not be is 422', async () => {
  const { call } = house;
  const job = await make('PATCH-3');
  const path = `/v1/jobs/${job.id}`;
  const stale = await call('PATCH', path, { tags: ['x'] }, { headers: { 'if-match': '"9"' } });
  assert.equal(stale.status, 412);
  assert.equal(stale.body.current_version, 1);
  assert.equal((await call('PATCH', path, { status: 'completed' })).status, 422);
  assert.equal((await call('PATCH', path, { priority: null })).status, 422);
  assert.equal((await call('PATCH', path, {})).status, 422);
  const wrong = await call('PATCH', path, {
    deliveries: [{ id: 'tsk_01kaj2w0d4f8tb3h5gk9mzq7xe', instructions: 'x' }],
    pickups: [{ id: job.pickups[0].id, instructions: 'x' }],
  });
  assert.deepEqual(
    wrong.body.errors.map((fault: { pointer: string; code: string }) => [fault.pointer, fault.code]),
    [
      ['/pickups/0/id', 'implicit_pickup'],
      ['/deliveries/0/id', 'unknown_reference'],
    ],
  );
  const bad = await call('PATCH', path, {
    deliveries: [
      { id: job.deliveries[0].id, contact: { name: 'N', contact_policy: { ways: ['email'] } }, minimum_age: 18 },
    ],
  });
  assert.deepEqual(bad.body.errors.map((fault: { pointer: string }) => fault.pointer).sort(), [
    '/deliveries/0/contact/email',
    '/deliveries/0/proof_requirements/on_completion/id_check',
  ]);
});

test('another contact is another data subject, and the event tells the task whole', async () => {
  const { call } = house;
  const job = await make('PATCH-4');
  const [delivery] = job.deliveries;
  const contact = { name: 'D. Ek', phone: '+46708888888', contact_policy: { ways: [] } };
  const changed = await call('PATCH', `/v1/jobs/${job.id}`, { deliveries: [{ id: delivery.id, contact }] });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.notEqual(changed.body.deliveries[0].contact.customer_id, delivery.contact.customer_id);
  const [, event] = await eventsOf(job.id);
  assert.deepEqual(Object.keys(event?.data.changes ?? {}), ['deliveries/0']);
  assert.ok(!JSON.stringify(event).includes('708888888'));
  const erased = await call('POST', `/v1/customers/${delivery.contact.customer_id}/erase`);
  assert.equal(erased.status, 200, JSON.stringify(erased.body));
  const got = await call('GET', `/v1/jobs/${job.id}`);
  assert.equal(got.body.deliveries[0].contact.phone, '+46708888888');
  const log = await call('GET', '/v1/events?limit=200');
  const told = log.body.data.find(
    (one: { data: { data_id: string }; job_sequence: number }) => one.data.data_id === delivery.id,
  );
  assert.equal(told.data.changes['deliveries/0'][0].contact.phone, null);
  assert.notEqual(told.data.changes['deliveries/0'][1].contact.phone, null);
});

test('whoever does not own a group of fields is told who does', async () => {
  const { call } = house;
  const job = await make('OWN-1');
  const path = `/v1/jobs/${job.id}`;
  const refused = await call('PATCH', path, { priority: 'urgent' }, { as: 'dispatch' });
  assert.equal(refused.status, 409);
  assert.equal(refused.body.code, 'ownership_conflict');
  assert.deepEqual(refused.body.owners, { priority: ['source'] });
  assert.equal((await call('PATCH', path, { tags: ['ok'] }, { as: 'dispatch' })).status, 200);
  const written = await call(
    'PATCH',
    path,
    { deliveries: [{ id: job.deliveries[0].id, instructions: 'Side door' }] },
    { as: 'recipient' },
  );
  assert.equal(written.status, 200, JSON.stringify(written.body));
});

test('a recipient proposes another window; the source accepts it, and the job changes', async () => {
  const { call, channel_id } = house;
  const job = await make('PROP-1');
  const window = { start: '2030-12-01T13:00:00Z', end: '2030-12-01T15:00:00Z' };
  const patch = {
    deliveries: [{ id: job.deliveries[0].id, service_window: window, instructions: 'Ring at Svensson' }],
  };
  const proposed = await call('PATCH', `/v1/jobs/${job.id}`, patch, { as: 'recipient' });
  assert.equal(proposed.status, 202, JSON.stringify(proposed.body));
  const { proposal } = proposed.body;
  assert.equal(proposed.headers.get('location'), `/v1/proposals/${proposal.id}`);
  assert.equal(proposal.status, 'open');
  assert.deepEqual(proposal.groups, ['schedule', 'instructions']);
  assert.equal((await call('GET', `/v1/jobs/${job.id}`)).body.version, 1);
  assert.deepEqual((await call('GET', `/v1/proposals/${proposal.id}`)).body, proposal);
  const [row] = await house.server.database
    .sql`select body from proposals where world_id = ${house.world_id} and proposal_id = ${proposal.id}`;
  assert.ok(!row?.body.includes('Svensson'), 'what is proposed about a person is sealed');
  assert.equal((await call('GET', `/v1/proposals/${proposal.id}`, undefined, { as: 'stranger' })).status, 404);
  assert.equal((await call('POST', `/v1/proposals/${proposal.id}/accept`, undefined, { as: 'recipient' })).status, 409);
  assert.equal((await call('POST', `/v1/proposals/${proposal.id}/accept`, undefined, { as: 'stranger' })).status, 404);
  const accepted = await call('POST', `/v1/proposals/${proposal.id}/accept`);
  assert.equal(accepted.status, 200, JSON.stringify(accepted.body));
  assert.equal(accepted.body.status, 'accepted');
  const after = await call('GET', `/v1/jobs/${job.id}`);
  assert.equal(after.body.deliveries[0].service_window.start, '2030-12-01T13:00:00.000Z');
  assert.equal(after.body.deliveries[0].instructions, 'Ring at Svensson');
  assert.equal((await call('POST', `/v1/proposals/${proposal.id}/decline`)).body.code, 'proposal_closed');
  const second = await call(
    'PATCH',
    `/v1/jobs/${job.id}`,
    { deliveries: [{ id: job.deliveries[0].id, ready_at: '2030-12-01T12:00:00Z' }] },
    { as: 'recipient' },
  );
  const declined = await call('POST', `/v1/proposals/${second.body.proposal.id}/decline`);
  assert.equal(declined.body.status, 'declined');
  const listed = await call('GET', `/v1/proposals?job_id=${job.id}&status=declined`);
  assert.deepEqual(listed.body.data, [declined.body]);
  // A channel may let such proposals in at once.
  const channel = await call('GET', `/v1/channels/${channel_id}`);
  const schedule = { ...channel.body.ownership.schedule, auto_accept: true };
  const opened = await call('PATCH', `/v1/channels/${channel_id}`, { ownership: { schedule } });
  assert.equal(opened.status, 200, JSON.stringify(opened.body));
  const third = await call(
    'PATCH',
    `/v1/jobs/${job.id}`,
    { deliveries: [{ id: job.deliveries[0].id, wait_max_s: 60 }] },
    { as: 'recipient' },
  );
  assert.equal(third.status, 200);
  await call('PATCH', `/v1/channels/${channel_id}`, { ownership: { schedule: { ...schedule, auto_accept: false } } });
});

test('the whole order again: absent it is made, the same changes nothing, another changes what differs', async () => {
  const { call, channel_id } = house;
  const path = `/v1/jobs?channel=${channel_id}&reference=PUT-1`;
  const order = orderOf('PUT-1', channel_id);
  order.pickups = [{ ...deliveryOf(), reference: 'P1', items: undefined }];
  order.deliveries[0].reference = 'D1';
  order.deliveries[0].items = [
    { reference: 'i1', name: 'One', quantity: 2 },
    { reference: 'i2', name: 'Two', quantity: 1 },
  ];
  const made = await call('PUT', path, order);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.deepEqual(made.body.deliveries[0].depends_on, [made.body.pickups[0].id]);
  const same = await call('PUT', path, order);
  assert.equal(same.status, 200);
  assert.deepEqual(same.body, made.body);
  const written = await call('PUT', path, { ...order, tags: [] });
  assert.equal(written.body.version, 1, 'what was only written otherwise is the same order');
  const changed = structuredClone(order);
  changed.priority = 'express';
  changed.deliveries[0].items = [
    { reference: 'i2', name: 'Two', quantity: 3 },
    { reference: 'i3', name: 'Three', quantity: 1 },
  ];
  changed.deliveries.push({ ...deliveryOf(), reference: 'D2' });
  const after = await call('PUT', path, changed);
  assert.equal(after.status, 200, JSON.stringify(after.body));
  assert.equal(after.body.version, 2);
  assert.equal(after.body.deliveries[0].id, made.body.deliveries[0].id);
  assert.equal(after.body.deliveries[0].contact.customer_id, made.body.deliveries[0].contact.customer_id);
  assert.equal(after.body.deliveries[0].items[0].id, made.body.deliveries[0].items[1].id);
  assert.equal(after.body.deliveries.length, 2);
  assert.equal(after.body.pickups[0].items.length, 3);
  const mismatch = await call('PUT', path, { ...order, reference: 'PUT-2' });
  assert.equal(mismatch.body.errors[0].pointer, '/reference');
  const foreign = await call('PUT', path, changed, { as: 'dispatch' });
  assert.equal(foreign.status, 200, 'the same order may be sent by anybody');
  const conflict = await call('PUT', path, order, { as: 'dispatch' });
  assert.equal(conflict.body.code, 'ownership_conflict');
});

test('the whole order again keeps to the version that the caller knows', async () => {
  const { call, channel_id } = house;
  const path = `/v1/jobs?channel=${channel_id}&reference=PUT-3`;
  const order = orderOf('PUT-3', channel_id);
  const put = (priority: string, tag: string) =>
    call('PUT', path, { ...order, priority }, { headers: { 'if-match': tag } });
  const absent = await put('standard', '"1"');
  assert.deepEqual([absent.status, absent.body.code, absent.body.current_version], [412, 'stale_version', null]);
  assert.equal((await call('GET', path)).status, 404);
  assert.equal((await call('PUT', path, order)).status, 201);
  const read = await call('GET', path);
  assert.equal(read.headers.get('etag'), '"1"');
  const changed = await put('express', '"1"');
  assert.deepEqual([changed.status, changed.headers.get('etag')], [200, '"2"'], JSON.stringify(changed.body));
  const stale = await put('urgent', '"1"');
  assert.deepEqual([stale.status, stale.body.code, stale.body.current_version], [412, 'stale_version', 2]);
  assert.equal((await call('GET', path)).body.priority, 'express');
  assert.equal((await put('urgent', '*')).status, 200);
  const page = await call('GET', `/v1/jobs?channel=${channel_id}`);
  assert.equal(page.headers.get('etag'), null, 'a page has no version');
});

test('neither the road nor the recipient sends orders', async () => {
  const { call, channel_id } = house;
  const order = orderOf('OWN-9', channel_id);
  for (const as of ['driver', 'recipient'] as const) {
    for (const [method, path] of [
      ['POST', '/v1/jobs'],
      ['PUT', `/v1/jobs?channel=${channel_id}&reference=OWN-9`],
    ] as const) {
      const refused = await call(method, path, order, { as });
      assert.deepEqual([refused.status, refused.body.code], [409, 'ownership_conflict'], `${method} by ${as}`);
      assert.deepEqual([refused.body.authority, refused.body.owners.items], [as, ['source']]);
    }
  }
  assert.equal((await call('POST', '/v1/jobs', order, { as: 'dispatch' })).status, 201);
  const again = await call('POST', '/v1/jobs', order, { as: 'driver' });
  assert.equal(again.status, 200, 'a repeat writes nothing');
});

test('a PIN is in no document, and another PIN counts as another requirement', async () => {
  const { call, server } = house;
  const job = await make('PIN-1', (order) => {
    order.deliveries[0].proof_requirements.on_completion = {
      pin: { level: 'required', kind: 'supplied', value: '4711' },
    };
  });
  const [pin] = await server.database
    .sql`select hash from task_pins where world_id = ${house.world_id} and task_id = ${job.deliveries[0].id}`;
  assert.equal(pin?.hash.length, 32);
  const requirements = (value: string) => ({
    on_completion: { pin: { level: 'required', kind: 'supplied', value } },
    on_failure: {},
  });
  const same = await call('PATCH', `/v1/jobs/${job.id}`, {
    deliveries: [{ id: job.deliveries[0].id, proof_requirements: requirements('4711') }],
  });
  assert.equal(same.body.version, 1);
  const other = await call('PATCH', `/v1/jobs/${job.id}`, {
    deliveries: [{ id: job.deliveries[0].id, proof_requirements: requirements('1234') }],
  });
  assert.equal(other.body.deliveries[0].proof_requirements.version, 2);
  const [after] = await server.database
    .sql`select hash from task_pins where world_id = ${house.world_id} and task_id = ${job.deliveries[0].id}`;
  assert.notDeepEqual(after?.hash, pin?.hash);
});

test('channels: only what is bound is seen, settings are checked, and a change is an event', async () => {
  const { call, channel_id, other_channel_id, server } = house;
  const all = await call('GET', '/v1/channels');
  assert.deepEqual(all.body.data.map((one: { id: string }) => one.id).sort(), [channel_id, other_channel_id].sort());
  const bound = await call('GET', '/v1/channels', undefined, { as: 'bound' });
  assert.deepEqual(
    bound.body.data.map((one: { id: string }) => one.id),
    [channel_id],
  );
  assert.equal((await call('GET', `/v1/channels/${other_channel_id}`, undefined, { as: 'bound' })).status, 404);
  assert.equal((await call('GET', `/v1/channels/${channel_id}`, undefined, { as: 'stranger' })).status, 404);
  assert.equal((await call('PATCH', `/v1/channels/${channel_id}`, { visits_max: 2 }, { as: 'stranger' })).status, 404);
  const path = `/v1/channels/${other_channel_id}`;
  const bad = await call('PATCH', path, {
    reason_aliases: { x: 'no_such_code' },
    hub_id: 'hub_01kaj2w0d4f8tb3h5gk9mzq7xe',
  });
  assert.deepEqual(
    bad.body.errors.map((fault: { pointer: string }) => fault.pointer),
    ['/reason_aliases/x', '/hub_id'],
  );
  const changed = await call(
    'PATCH',
    path,
    { undo_grace_s: 30, reason_aliases: { nobody_home: 'recipient_unavailable' } },
    { headers: { 'if-match': '"1"' } },
  );
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.equal(changed.body.version, 2);
  assert.deepEqual((await call('GET', path)).body, changed.body);
  assert.equal((await call('PATCH', path, { undo_grace_s: 30 })).body.version, 2);
  assert.equal((await call('PATCH', path, { undo_grace_s: 31 }, { headers: { 'if-match': '"1"' } })).status, 412);
  const events = await server.database
    .sql`select type from events where world_id = ${house.world_id} and data_id = ${other_channel_id}`;
  assert.deepEqual(
    events.map((event) => event.type),
    ['channel.updated'],
  );
  const manual = await call('PATCH', path, { accept: 'by_dispatch' });
  assert.equal(manual.status, 200);
  const made = await call('POST', '/v1/jobs', orderOf('MANUAL-1', other_channel_id));
  assert.equal(made.body.status, 'created');
});

test('the events of a job are read in their own order, also after its deletion', async () => {
  const { call } = house;
  const job = await make('EVENTS-1');
  await call('PATCH', `/v1/jobs/${job.id}`, { tags: ['a'] });
  assert.equal((await call('DELETE', `/v1/jobs/${job.id}`)).status, 204);
  const first = await call('GET', `/v1/jobs/${job.id}/events?limit=2`);
  assert.deepEqual(
    first.body.data.map((event: { type: string }) => event.type),
    ['job.created', 'job.updated'],
  );
  assert.equal(first.body.has_more, true);
  const rest = await call('GET', `/v1/jobs/${job.id}/events?after=${first.body.next}`);
  assert.deepEqual(
    rest.body.data.map((event: { type: string; job_sequence: number }) => [event.type, event.job_sequence]),
    [['job.deleted', 3]],
  );
  assert.equal(rest.body.has_more, false);
  assert.deepEqual((await call('GET', `/v1/jobs/${job.id}/events?after=3`)).body.data, []);
  assert.equal((await call('GET', `/v1/jobs/${job.id}/events`, undefined, { as: 'stranger' })).status, 404);
});
