// What events tell of a change.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffJobs } from './changes.ts';
import { givenJob } from './given-job.ts';
import type { Task } from './task.schema.ts';

const { job } = givenJob({ metadata: { 'a/b': '1' }, tags: ['x'] }).stored;
const [delivery] = job.deliveries as [Task];
const withDelivery = (change: Partial<Task>) => ({ ...job, deliveries: [{ ...delivery, ...change }] });

test('nothing differs between a job and an equal copy of it', () => {
  assert.deepEqual(diffJobs(job, structuredClone(job)), {});
  assert.deepEqual(diffJobs(job, { ...job, version: 9, job_sequence: 9, updated_at: '2027-01-01T00:00:00.000Z' }), {});
});

test('members are told by their pointer, also those of maps with slashes in their keys', () => {
  assert.deepEqual(diffJobs(job, { ...job, priority: 'urgent' }), { priority: ['standard', 'urgent'] });
  assert.deepEqual(diffJobs(job, { ...job, metadata: { 'a/b': '2', 'c~d': '3' } }), {
    'metadata/a~1b': ['1', '2'],
    'metadata/c~0d': [null, '3'],
  });
  assert.deepEqual(diffJobs(job, { ...job, metadata: {} }), { 'metadata/a~1b': ['1', null] });
  assert.deepEqual(diffJobs(job, { ...job, tags: ['x', 'y'] }), { tags: [['x'], ['x', 'y']] });
  assert.deepEqual(diffJobs(job, withDelivery({ status: 'arrived' })), {
    'deliveries/0/status': ['pending', 'arrived'],
  });
});

test('a list grows and shrinks at its end by whole elements', () => {
  const [item] = delivery.items;
  assert.deepEqual(diffJobs(job, withDelivery({ items: [] })), { 'deliveries/0/items/0': [item, null] });
  const second = { ...delivery, id: 'tsk_other' };
  assert.deepEqual(diffJobs(job, { ...job, deliveries: [delivery, second] }), { 'deliveries/1': [null, second] });
});

test('another thing in the same place is told whole', () => {
  const other = { ...delivery, id: 'tsk_other', status: 'arrived' as const };
  assert.deepEqual(diffJobs(job, { ...job, deliveries: [other] }), { 'deliveries/0': [delivery, other] });
  const contact = { ...(delivery.contact as NonNullable<Task['contact']>), customer_id: 'cus_other' };
  const changed = withDelivery({ contact, instructions: 'x' });
  assert.deepEqual(diffJobs(job, changed), { 'deliveries/0': [delivery, changed.deliveries[0]] });
});

test('null and an object differ as wholes', () => {
  const handover = { allowed_outcomes: [], named_recipients: ['E. Falk'], on_failure: 'return' as const };
  assert.deepEqual(diffJobs(job, withDelivery({ handover })), { 'deliveries/0/handover': [null, handover] });
});
