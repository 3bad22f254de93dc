// Execution through the door: transitions, exceptions and the tables that describe them.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type Answer, checkHouse, type House, startHouse, type Who } from './house.ts';
import { orderInput } from './order-input.ts';

let house: House;
let driver: string;
let other: string;
before(async () => {
  house = await startHouse();
  [driver, other] = (await Promise.all(['Anna', 'Bo'].map(makeDriver))) as [string, string];
});
async function makeDriver(name: string): Promise<string> {
  const made = await house.call('POST', '/v1/drivers', { name }, { as: 'dispatch' });
  assert.equal(made.status, 201, made.text);
  return made.body.id;
}

const asking = { on_failure: {} };

async function givenJob(reference: string, on_completion: Record<string, unknown> = {}): Promise<Answer['body']> {
  const order = orderInput(reference, { channel_id: house.channel_id });
  const [delivery] = order.deliveries as [Record<string, unknown>];
  delivery.proof_requirements = { ...asking, on_completion };
  const made = await house.call('POST', '/v1/jobs', order);
  assert.equal(made.status, 201, made.text);
  return made.body;
}

async function send(
  job: { id: string },
  who: Who,
  input: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return house.call('POST', `/v1/jobs/${job.id}/transitions`, input, { as: who, headers });
}

async function givenAssigned(reference: string, on_completion: Record<string, unknown> = {}) {
  const job = await givenJob(reference, on_completion);
  const assigned = await send(job, 'dispatch', { to: 'assigned', driver_id: driver });
  assert.equal(assigned.status, 200, assigned.text);
  return assigned.body.job;
}

const done = { to: 'completed', outcome: 'delivered_to_recipient', report: true };

test('a job goes from the hub to the door: one reply, every step an event', async () => {
  const job = await givenAssigned('T-1');
  assert.equal(job.status, 'assigned');
  const answer = await send(job, 'driver', {
    ...done,
    driver_id: driver,
    proof: [{ kind: 'signature', signer: { name: 'Agnes Berg' } }],
  });
  assert.equal(answer.status, 200, answer.text);
  const { applied, reason, events, job: after } = answer.body;
  assert.deepEqual([applied, reason, events.length], [true, null, 4]);
  assert.deepEqual([after.status, after.outcome], ['completed', 'delivered']);
  assert.equal(answer.headers.get('etag'), `"${after.version}"`);
  const got = await house.call('GET', `/v1/jobs/${job.id}`);
  assert.deepEqual(got.body, after);
  const log = await house.call('GET', `/v1/events?job_id=${job.id}&after=0`);
  assert.deepEqual(log.body.data.map((event: { id: string }) => event.id).slice(-4), events);
  assert.deepEqual(
    log.body.data.slice(-4).map((event: Answer['body']) => [event.implied, event.topics[0]]),
    [
      [true, 'pickup.completed'],
      [true, 'delivery.en_route'],
      [true, 'delivery.arrived'],
      [false, 'proof.captured'],
    ],
  );
  const rows = await house.database.sql`select body from events where job_id = ${job.id}`;
  assert.ok(
    rows.every((row) => !row.body.includes('Agnes')),
    'the name of the signer is sealed',
  );
});

test('the same client event is answered like the first, also with another sent_at; another body under it is 409', async () => {
  const job = await givenAssigned('T-2');
  const input = { to: 'en_route', report: true, client_event_id: 'a1', occurred_at: '2029-01-01T10:00:00Z' };
  const [first, ...again] = await Promise.all([1, 2, 3].map(() => send(job, 'driver', input)));
  const late = await send(job, 'driver', { ...input, sent_at: new Date().toISOString() });
  const answers = [first, ...again, late] as Answer[];
  for (const answer of answers) {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.body.applied, true);
    assert.equal(answer.body.job.version, late.body.job.version);
  }
  for (const answer of answers) assert.deepEqual(answer.body.events, late.body.events);
  assert.equal(late.body.events.length, 2, 'the pickup, which is implied, and the way');
  const clash = await send(job, 'driver', { ...input, to: 'arrived' });
  assert.deepEqual([clash.status, clash.body.code], [409, 'client_event_mismatch']);
  const elsewhere = await givenAssigned('T-2b');
  assert.equal((await send(elsewhere, 'driver', input)).body.code, 'client_event_mismatch');
  assert.equal((await send(elsewhere, 'dispatch', input)).status, 200, 'another actor has ids of its own');
});

test('requests are refused in words, reports never', async () => {
  const job = await givenAssigned('T-3');
  const illegal = await send(job, 'driver', { to: 'completed', outcome: 'delivered_to_recipient', driver_id: other });
  assert.deepEqual([illegal.status, illegal.body.code, illegal.body.rule], [409, 'illegal_transition', 'taken_away']);
  assert.ok(illegal.body.allowed_transitions.includes('en_route'));
  const stale = await send(job, 'driver', { to: 'en_route' }, { 'if-match': '"1"' });
  assert.deepEqual([stale.status, stale.body.code], [412, 'stale_version']);
  const source = await send(job, 'source', { to: 'en_route' });
  assert.deepEqual([source.status, source.body.code], [409, 'ownership_conflict']);
  const unknown = await send(job, 'dispatch', { to: 'assigned', driver_id: 'drv_01kaj2w0d4f8tb3h5gk9mzq7xe' });
  assert.deepEqual([unknown.status, unknown.body.code], [422, 'unknown_reference']);
  const weird = await send(job, 'driver', { to: 'flown', speed: 3 });
  assert.equal(weird.status, 422);
  assert.equal(weird.body.errors.length, 2, 'every fault at once');
  const report = await send(job, 'driver', { ...done, driver_id: other }, { 'if-match': '"1"' });
  assert.deepEqual([report.status, report.body.applied, report.body.reason], [200, false, 'conflict']);
});

test('scopes are those of what is asked for, and a stranger sees nothing', async () => {
  const job = await givenAssigned('T-4');
  const reader = await send(job, 'reader', { to: 'en_route' });
  assert.deepEqual([reader.status, reader.body.missing_scope], [403, 'execution:write']);
  assert.equal((await send(job, 'reader', { to: 'assigned', driver_id: driver })).body.missing_scope, 'dispatch:write');
  assert.equal((await send(job, 'reader', { to: 'cancelled', reason_code: 'other' })).body.missing_scope, 'jobs:write');
  assert.equal((await send(job, 'stranger', { to: 'en_route', report: true })).status, 404);
});

test('wrong PINs are counted although they are refused, and the fifth is the last', async () => {
  const job = await givenAssigned('T-5', { pin: { level: 'required', kind: 'supplied', value: '4711' } });
  const pin = (value: string) => ({
    to: 'completed',
    outcome: 'delivered_to_recipient',
    proof: [{ kind: 'pin', code: { value } }],
  });
  for (const left of [4, 3, 2, 1, 0]) {
    const answer = await send(job, 'driver', pin('0000'));
    assert.deepEqual([answer.status, answer.body.code, answer.body.tries_left], [422, 'pin_rejected', left]);
  }
  assert.equal((await send(job, 'driver', pin('4711'))).status, 422);
  const [row] = await house.database.sql`select tries from task_pins where task_id = ${job.deliveries[0].id}`;
  assert.equal(row?.tries, 5);
});

test('a clash waits in the inbox until somebody adopts it', async () => {
  const job = await givenAssigned('T-6');
  await send(job, 'source', { to: 'cancelled', reason_code: 'cancelled_by_shipper' });
  const report = await send(job, 'driver', { ...done, note: 'Handed over at noon.' });
  assert.equal(report.body.reason, 'conflict');
  const inbox = await house.call('GET', `/v1/exceptions?status=open,acknowledged&job_id=${job.id}`);
  assert.equal(inbox.body.data.length, 1, inbox.text);
  const [one] = inbox.body.data;
  assert.equal(one.clash.recorded.job_status, 'cancelled');
  assert.equal(one.clash.reported.outcome, 'delivered_to_recipient');
  assert.deepEqual((await house.call('GET', `/v1/exceptions/${one.id}`)).body, one);
  const path = `/v1/exceptions/${one.id}`;
  const seen = await house.call('POST', `${path}/acknowledge`, { note: 'I ask the driver.' }, { as: 'dispatch' });
  assert.deepEqual(
    [seen.status, seen.body.exception.status, seen.body.events.length],
    [200, 'acknowledged', 1],
    seen.text,
  );
  assert.deepEqual((await house.call('POST', `${path}/acknowledge`, {}, { as: 'dispatch' })).body.events, []);
  assert.equal((await house.call('POST', `${path}/resolve`, { resolution: 'adopt' }, { as: 'driver' })).status, 409);
  assert.equal((await house.call('POST', `${path}/resolve`, { resolution: 'adopt' }, { as: 'stranger' })).status, 404);
  const resolved = await house.call('POST', `${path}/resolve`, { resolution: 'adopt' }, { as: 'dispatch' });
  assert.equal(resolved.status, 200, resolved.text);
  assert.equal(resolved.body.job.status, 'completed');
  assert.equal(resolved.body.exception.resolution, 'adopt');
  const closed = await house.call('POST', `${path}/resolve`, { resolution: 'keep' }, { as: 'dispatch' });
  assert.deepEqual([closed.status, closed.body.code], [409, 'exception_closed']);
  assert.equal((await house.call('GET', path, undefined, { as: 'stranger' })).status, 404);
});

test('a failed visit, a new driver, and the goods that come back', async () => {
  const job = await givenAssigned('T-7');
  const failed = await send(job, 'driver', { to: 'failed', reason_code: 'recipient_unavailable', report: true });
  const [one] = failed.body.job.exceptions;
  const path = `/v1/exceptions/${one.id}/resolve`;
  const again = await house.call('POST', path, { resolution: 'reassign', driver_id: other }, { as: 'dispatch' });
  assert.equal(again.body.job.deliveries[0].driver_id, other, again.text);
  assert.equal(again.body.job.deliveries[0].status, 'pending');
  const returned = await send(job, 'source', { to: 'returned', reason_code: 'cancelled_by_recipient' });
  assert.equal(returned.status, 200, returned.text);
  const [, back] = returned.body.job.deliveries;
  assert.equal(back.returns, job.deliveries[0].id);
  const end = await send(job, 'driver', {
    to: 'completed',
    outcome: 'returned_to_hub',
    report: true,
    driver_id: other,
    task_id: back.id,
  });
  assert.deepEqual([end.body.job.status, end.body.job.outcome], ['failed', 'returned'], end.text);
});

test('pages of exceptions neither lose nor repeat', async () => {
  for (const index of [1, 2, 3]) {
    const job = await givenAssigned(`T-8-${index}`);
    await send(job, 'driver', { to: 'exception', reason_code: 'weather_delay', report: true });
  }
  const ids: string[] = [];
  let next = '';
  do {
    const page = await house.call('GET', `/v1/exceptions?code=weather_delay&blocking=false&limit=2${next}`);
    assert.equal(page.status, 200, page.text);
    ids.push(...page.body.data.map((one: { id: string }) => one.id));
    next = page.body.next === null ? '' : `&after=${page.body.next}`;
  } while (next !== '');
  assert.deepEqual([ids.length, new Set(ids).size], [3, 3]);
});

test('goods that are held at the hub go to the hub of the channel', async () => {
  const order = orderInput('T-9', { channel_id: house.channel_id });
  const [delivery] = order.deliveries as [Record<string, unknown>];
  delivery.handover = { on_failure: 'hold_at_hub' };
  const { deliveries, ...rest } = order;
  const pickup = { ...(delivery as object), reference: 'P' } as Record<string, unknown>;
  for (const member of ['items', 'handover', 'cash_on_delivery', 'minimum_age']) delete pickup[member];
  const { body: job } = await house.call('POST', '/v1/jobs', { ...rest, pickups: [pickup], deliveries });
  await send(job, 'dispatch', { to: 'assigned', driver_id: driver });
  await send(job, 'driver', {
    to: 'completed',
    outcome: 'picked_up_from_person',
    task_id: job.pickups[0].id,
    report: true,
  });
  const failed = await send(job, 'driver', {
    to: 'failed',
    reason_code: 'refused_by_recipient',
    task_id: job.deliveries[0].id,
    report: true,
  });
  const path = `/v1/exceptions/${failed.body.job.exceptions[0].id}/resolve`;
  const resolved = await house.call('POST', path, { resolution: 'fail' }, { as: 'dispatch' });
  assert.equal(resolved.body.job.deliveries[1].address.kind, 'hub', resolved.text);
});

test('an Idempotency-Key repeats the first reply byte for byte', async () => {
  const job = await givenAssigned('T-10');
  const headers = { 'idempotency-key': 'once' };
  const first = await send(job, 'driver', { to: 'en_route' }, headers);
  await send(job, 'driver', { to: 'arrived' });
  const again = await send(job, 'driver', { to: 'en_route' }, headers);
  assert.equal(again.text, first.text);
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.equal((await send(job, 'driver', { to: 'arrived' }, headers)).body.code, 'idempotency_mismatch');
});

test('the machine and the codes are served', async () => {
  const machine = await house.call('GET', '/v1/state-machine');
  assert.equal(machine.status, 200);
  assert.match(machine.body.mermaid, /^stateDiagram-v2/);
  assert.ok(machine.body.transitions.some((one: { name: string }) => one.name === 'completed'));
  const codes = await house.call('GET', '/v1/reason-codes');
  assert.ok(codes.body.data.some((one: { code: string }) => one.code === 'recipient_unavailable'));
});

test('after all this every job equals its last event and the replay of all of them', async () => {
  assert.ok((await checkHouse(house)) > 0);
});
