// Ownership: who writes what, who is told that another owns it, and the way of a proposal to its decision.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job } from '../../../sdk/src/jobs.ts';
import { checkHouse, type House, headsOf, refused, startHouse } from '../house.ts';
import { deliveryIn, givenAssignedJob, givenJob, go } from './given.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const laterWindow = { start: '2030-11-22T08:00:00.000Z', end: '2030-11-22T10:00:00.000Z' };
const reschedule = (job: Job) => ({ deliveries: [{ id: deliveryIn(job).id, service_window: laterWindow }] });

async function givenProposal(): Promise<{ job: Job; id: string }> {
  const job = await givenJob(house);
  const reply = await house.as.recipient.jobs.patch(job.id, reschedule(job));
  assert.ok('proposal' in reply);
  return { job, id: reply.proposal.id };
}

test('dispatch is told that the source owns the window, and the refusal is told with pointers', async () => {
  const job = await givenJob(house);
  const before = await headsOf(house);
  const problem = await refused(house.as.dispatch.jobs.patch(job.id, reschedule(job)), 409, 'ownership_conflict');
  assert.deepEqual([problem.document.authority, problem.document.owners], ['dispatch', { schedule: ['source'] }]);
  assert.deepEqual(
    problem.errors.map(({ pointer }) => pointer),
    ['/deliveries/0/service_window'],
  );
  assert.deepEqual(await headsOf(house), before);
});

test('a recipient proposes another window; the job waits until the source accepts', async () => {
  const { job, id } = await givenProposal();
  assert.equal((await house.as.source.jobs.get(job.id)).version, 1);
  const proposal = (await house.call('GET', `/v1/proposals/${id}`)).body;
  assert.deepEqual([proposal.status, proposal.authority, proposal.groups], ['open', 'recipient', ['schedule']]);
  assert.deepEqual(proposal.changes.map(({ pointer }: { pointer: string }) => pointer).sort(), [
    'deliveries/0/service_window/end',
    'deliveries/0/service_window/start',
  ]);
  const notYours = await house.call('POST', `/v1/proposals/${id}/accept`, undefined, { as: 'recipient' });
  assert.deepEqual([notYours.status, notYours.body.code], [409, 'ownership_conflict']);
  const accepted = await house.call('POST', `/v1/proposals/${id}/accept`);
  assert.deepEqual([accepted.status, accepted.body.status], [200, 'accepted']);
  const after = await house.as.source.jobs.get(job.id);
  assert.deepEqual([after.version, deliveryIn(after).service_window?.start], [2, laterWindow.start]);
  const again = await house.call('POST', `/v1/proposals/${id}/accept`);
  assert.deepEqual([again.status, again.body.code], [409, 'proposal_closed']);
});

test('a proposal keeps its instants in UTC, however they were sent', async () => {
  const job = await givenJob(house);
  const service_window = { start: '2030-11-22T09:00:00+01:00', end: '2030-11-22T10:00:00Z' };
  const deliveries = [{ id: deliveryIn(job).id, service_window, ready_at: '2030-11-22T05:00:00-03:00' }];
  const reply = await house.as.recipient.jobs.patch(job.id, { deliveries });
  assert.ok('proposal' in reply);
  const { patch, changes } = (await house.call('GET', `/v1/proposals/${reply.proposal.id}`)).body;
  assert.deepEqual(patch.deliveries[0], {
    id: deliveryIn(job).id,
    service_window: laterWindow,
    ready_at: '2030-11-22T08:00:00.000Z',
  });
  assert.equal(changes.find(({ pointer }: { pointer: string }) => pointer.endsWith('/start')).after, laterWindow.start);
});

test('a proposal is declined by the owner or taken back by who made it, and changes nothing', async () => {
  for (const as of ['source', 'recipient'] as const) {
    const { job, id } = await givenProposal();
    const declined = await house.call('POST', `/v1/proposals/${id}/decline`, undefined, { as });
    assert.deepEqual([declined.status, declined.body.status], [200, 'declined']);
    assert.deepEqual(await house.as.source.jobs.get(job.id), job);
  }
});

test('a proposal that the job has gone past cannot be accepted any more', async () => {
  const { job, driver } = await givenAssignedJob(house);
  const reply = await house.as.recipient.jobs.patch(job.id, reschedule(job));
  assert.ok('proposal' in reply);
  await go(house, job.id, { to: 'arrived', driver_id: driver.id });
  const late = await house.call('POST', `/v1/proposals/${reply.proposal.id}/accept`, undefined, { as: 'dispatch' });
  assert.deepEqual([late.status, late.body.code], [409, 'edit_not_allowed']);
  const declined = await house.call('POST', `/v1/proposals/${reply.proposal.id}/decline`, undefined, {
    as: 'dispatch',
  });
  assert.equal(declined.status, 200);
});

test('a channel that accepts proposals by itself lets them through at once', async () => {
  const rights = { write: ['source'], write_on_board: ['dispatch'], propose: ['recipient'], auto_accept: true };
  const path = `/v1/channels/${house.other_channel_id}`;
  assert.equal((await house.call('PATCH', path, { ownership: { schedule: rights } })).status, 200);
  const job = await givenJob(house, (order) => {
    order.channel_id = house.other_channel_id;
  });
  const reply = await house.as.recipient.jobs.patch(job.id, reschedule(job));
  assert.ok('version' in reply);
  assert.equal(reply.version, 2);
});

test('a PIN cannot be proposed: its digits would stand in the proposal and in its event', async () => {
  const rights = { write: ['source'], write_on_board: ['dispatch'], propose: ['recipient'], auto_accept: false };
  const path = `/v1/channels/${house.other_channel_id}`;
  assert.equal((await house.call('PATCH', path, { ownership: { items: rights } })).status, 200);
  const job = await givenJob(house, (order) => {
    order.channel_id = house.other_channel_id;
  });
  const pin = { level: 'required', kind: 'supplied', value: '480917' };
  const proof_requirements = { on_completion: { pin }, on_failure: {} };
  const patch = { deliveries: [{ id: deliveryIn(job).id, proof_requirements }] };
  const before = await headsOf(house);
  const refusal = await house.call('PATCH', `/v1/jobs/${job.id}`, patch, { as: 'recipient' });
  assert.deepEqual([refusal.status, refusal.body.code], [409, 'ownership_conflict']);
  assert.equal(refusal.body.errors[0].pointer, '/deliveries/0/proof_requirements/on_completion/pin/value');
  assert.deepEqual(await headsOf(house), before);
  const rows = await house.database.sql`select 1 from events where body like '%480917%'`;
  assert.equal(rows.length, 0);
});

test('proposals are listed by job and status, to those who see the channel', async () => {
  const { job, id } = await givenProposal();
  const list = (query: string, as: 'source' | 'bound' | 'stranger' = 'source') =>
    house.call('GET', `/v1/proposals?job_id=${job.id}${query}`, undefined, { as });
  assert.deepEqual(
    (await list('')).body.data.map((one: { id: string }) => one.id),
    [id],
  );
  assert.deepEqual((await list('&status=declined')).body.data, []);
  assert.equal((await list('', 'bound')).body.data.length, 1);
  assert.deepEqual((await list('', 'stranger')).body.data, []);
  for (const verb of ['accept', 'decline']) {
    const stranger = await house.call('POST', `/v1/proposals/${id}/${verb}`, undefined, { as: 'stranger' });
    assert.equal(stranger.status, 404);
    assert.equal((await house.call('POST', `/v1/proposals/${id}/${verb}`, undefined, { as: 'weak' })).status, 403);
    assert.equal((await house.call('POST', `/v1/proposals/${id}/${verb}`, undefined, { as: null })).status, 401);
  }
  assert.equal((await house.call('GET', `/v1/proposals/${id}`, undefined, { as: 'stranger' })).status, 404);
  assert.equal((await list('&status=later')).status, 422);
  assert.equal((await list('&after=x')).status, 400);
});

test('every job equals its last event', async () => {
  assert.ok((await checkHouse(house)) >= 7);
});
