// The operations on channels, and what their settings change about the jobs that come through them.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { checkHouse, type House, headsOf, refused, startHouse } from '../house.ts';
import { deliveryIn, givenAssignedJob, givenJob, go, type Order } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const elsewhere = (order: Order) => {
  order.channel_id = house.other_channel_id;
};
const patch = (change: Parameters<typeof house.as.source.channels.patch>[1]) =>
  house.as.source.channels.patch(house.other_channel_id, change);

test('channels are listed oldest first, and a bound key sees its own alone', async () => {
  const { data } = await house.as.source.channels.list();
  assert.deepEqual(
    data.map(({ id }) => id),
    [house.channel_id, house.other_channel_id],
  );
  assert.deepEqual(
    (await house.as.bound.channels.list()).data.map(({ id }) => id),
    [house.channel_id],
  );
  const first = await house.as.source.channels.list({ limit: 1 });
  assert.equal(first.has_more, true);
  const rest = await house.as.source.channels.list({ limit: 1, after: first.next ?? '' });
  assert.deepEqual(
    rest.data.map(({ id }) => id),
    [house.other_channel_id],
  );
});

test('a channel is made with its settings, takes orders at once, and is told in the log', async () => {
  const before = await headsOf(house);
  const aliases = { 'NH-01': 'recipient_unavailable' };
  const made = await house.as.source.channels.create({ name: 'ERP', visits_max: 2, reason_aliases: aliases });
  assert.deepEqual(
    [made.name, made.visits_max, made.reason_aliases, made.accept, made.version],
    ['ERP', 2, aliases, 'on_create', 1],
  );
  assert.deepEqual(await house.as.source.channels.get(made.id), made);
  assert.notDeepEqual(await headsOf(house), before);
  const events = await house.as.source.events.list({ types: ['channel.created'] });
  assert.deepEqual(
    events.data.map(({ channel_id, data }) => [channel_id, data.channel]),
    [[made.id, made]],
  );
  const changed = await house.as.source.channels.patch(made.id, { name: 'ERP north' }, { ifMatch: 1 });
  assert.deepEqual([changed.name, changed.version, changed.visits_max], ['ERP north', 2, 2]);
  const job = await givenJob(house, (order) => {
    order.channel_id = made.id;
  });
  assert.equal(job.channel_id, made.id);
  const key = await house.as.source.keys.create({
    name: 'ERP',
    scopes: ['jobs:read', 'channels:read', 'channels:admin'],
    authority: 'source',
    channel_ids: [made.id],
  });
  const bound = house.openClient(key.secret ?? '');
  assert.deepEqual(
    (await bound.jobs.list()).data.map(({ id }) => id),
    [job.id],
  );
  await refused(bound.channels.create({ name: 'Another' }), 403, 'forbidden');
  const idempotencyKey = 'make-a-channel';
  const once = await house.as.source.channels.create({ name: 'Once' }, { idempotencyKey });
  assert.deepEqual(await house.as.source.channels.create({ name: 'Once' }, { idempotencyKey }), once);
});

test('a channel that makes no sense, or has what is not offered yet, is refused', async () => {
  const heads = await headsOf(house);
  const { body, status } = await house.call('POST', '/v1/channels', {
    visits_max: 0,
    rollout_stage: 'shadow',
    mapping: {},
    ownership: { price: {} },
  });
  assert.equal(status, 422);
  assert.deepEqual(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
    '/mapping',
    '/name',
    '/ownership/price',
    '/rollout_stage',
    '/visits_max',
  ]);
  const create = (input: object) => house.as.source.channels.create({ name: 'X', ...input });
  await refused(create({ hub_id: 'hub_01kaj2w0d4f8tb3h5gk9mzq7xe' }), 422, 'invalid_request');
  await refused(create({ reason_aliases: { lost: 'damaged' } }), 422, 'invalid_request');
  await refused(house.as.reader.channels.create({ name: 'X' }), 403, 'forbidden');
  assert.deepEqual(await headsOf(house), heads);
});

test('a world has at most 200 channels', async () => {
  const { sql } = house.database;
  await sql`insert into channels select world_id, 'chn_' || n, name, hub_id, accept, strict_transitions, undo_grace_s,
      visits_max, reason_aliases, ownership, version, created_at, updated_at, event_id, event_hash
    from channels, generate_series(1, 200) as n where channel_id = ${house.other_channel_id}`;
  const problem = await refused(house.as.source.channels.create({ name: 'X' }), 409, 'limit_reached');
  assert.equal(problem.document.limit, 200);
  await sql`delete from channels where channel_id ~ '^chn_[0-9]{1,3}$'`;
});

test('a setting that changes is an event and a version; the same again is neither', async () => {
  const before = await house.as.source.channels.get(house.other_channel_id);
  const changed = await patch({ name: 'Marketplace' });
  assert.deepEqual([changed.name, changed.version], ['Marketplace', before.version + 1]);
  const heads = await headsOf(house);
  assert.deepEqual(await patch({ name: 'Marketplace' }), changed);
  assert.deepEqual(await headsOf(house), heads);
  assert.deepEqual(await house.as.source.channels.get(house.other_channel_id), changed);
});

test('settings that make no sense are refused, every one of them at once', async () => {
  const heads = await headsOf(house);
  const rights = { write: [], write_on_board: ['dispatch'], propose: [], auto_accept: false };
  const problem = await refused(
    patch({
      hub_id: 'hub_01kaj2w0d4f8tb3h5gk9mzq7xe',
      reason_aliases: { 'K/1': 'nobody_home', refused_by_recipient: 'lost' },
      ownership: { schedule: rights },
    }),
    422,
    'invalid_request',
  );
  assert.deepEqual(problem.errors.map(({ pointer, code }) => `${pointer} ${code}`).sort(), [
    '/hub_id unknown_reference',
    '/ownership/schedule no_owner',
    '/reason_aliases/K~11 unknown_reason_code',
    '/reason_aliases/refused_by_recipient alias_is_code',
  ]);
  const { status, body } = await house.call('PATCH', `/v1/channels/${house.other_channel_id}`, {
    undo_grace_s: -1,
    visits_max: 1.5,
    accept: 'maybe',
    strict: true,
  });
  assert.equal(status, 422);
  assert.deepEqual(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
    '/accept',
    '/strict',
    '/undo_grace_s',
    '/visits_max',
  ]);
  assert.deepEqual(await headsOf(house), heads);
});

test('who may not is told so; stale versions and foreign channels are refused', async () => {
  const heads = await headsOf(house);
  const change = { name: 'X' };
  await refused(house.as.weak.channels.list(), 403, 'forbidden');
  await refused(house.as.weak.channels.get(house.channel_id), 403, 'forbidden');
  await refused(house.as.reader.channels.patch(house.channel_id, change), 403, 'forbidden');
  await refused(house.as.stranger.channels.get(house.channel_id), 404, 'not_found');
  await refused(house.as.stranger.channels.patch(house.channel_id, change), 404, 'not_found');
  await refused(house.as.bound.channels.patch(house.other_channel_id, change), 404, 'not_found');
  await refused(house.as.source.channels.get('chn_01kaj2w0d4f8tb3h5gk9mzq7xe'), 404, 'not_found');
  const stale = house.as.source.channels.patch(house.channel_id, change, { ifMatch: 9 });
  await refused(stale, 412, 'stale_version');
  assert.equal((await house.call('GET', '/v1/channels', undefined, { as: null })).status, 401);
  assert.deepEqual(await headsOf(house), heads);
});

test('in a channel where dispatch takes promises on, a job waits to be accepted', async () => {
  await patch({ accept: 'by_dispatch' });
  const job = await givenJob(house, elsewhere);
  assert.deepEqual([job.status, job.accepted_at], ['created', null]);
  assert.ok(job.live.allowed_transitions.includes('accepted'));
  await refused(house.as.source.jobs.transition(job.id, { to: 'accepted' }), 409, 'ownership_conflict');
  const accepted = await go(house, job.id, { to: 'accepted' }, 'dispatch');
  assert.equal(accepted.status, 'accepted');
  const again = await house.as.dispatch.jobs.transition(job.id, { to: 'accepted' });
  assert.deepEqual([again.applied, again.reason], [false, 'already']);
  await patch({ accept: 'on_create' });
});

test('a strict channel refuses the jump of a request and takes that of a report', async () => {
  await patch({ strict_transitions: true });
  const { job } = await givenAssignedJob(house, elsewhere);
  assert.equal((await house.as.source.jobs.get(job.id)).live.allowed_transitions.includes('arrived'), false);
  const jump = await refused(house.as.driver.jobs.transition(job.id, { to: 'arrived' }), 409, 'illegal_transition');
  assert.deepEqual([jump.document.rule, jump.document.from, jump.document.to], ['step_skipped', 'pending', 'arrived']);
  await go(house, job.id, { to: 'arrived', report: true });
  await patch({ strict_transitions: false });
});

test("a channel's own words for reasons are understood", async () => {
  await patch({ reason_aliases: { 'NH-01': 'recipient_unavailable' } });
  const { job } = await givenAssignedJob(house, elsewhere);
  const failed = await go(house, job.id, { to: 'failed', reason_code: 'NH-01' });
  assert.equal(failed.exceptions[0]?.code, 'recipient_unavailable');
  const { job: other } = await givenAssignedJob(house);
  const problem = await refused(
    house.as.driver.jobs.transition(other.id, { to: 'failed', reason_code: 'NH-01' }),
    422,
    'invalid_request',
  );
  assert.deepEqual(
    problem.errors.map(({ pointer }) => pointer),
    ['/reason_code'],
  );
});

test('the hub of the channel is where its goods wait', async () => {
  const address = { location: { lat: 59.33, lng: 18.06 }, precision: 'rooftop' as const, access: null };
  const hub = await house.as.source.hubs.create({ name: 'North', address, time_zone: 'Europe/Stockholm' });
  await patch({ hub_id: hub.id });
  const job = await givenJob(house, elsewhere);
  assert.deepEqual([job.hub_id, job.pickups[0]?.address.location?.lat], [hub.id, 59.33]);
  assert.equal((await givenJob(house)).hub_id, house.server.tenant.hub_id);
  assert.equal(deliveryIn(job).items[0]?.held_by, 'hub');
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 6);
});
