// Every edit in every state of its task, against the words of the table.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldGroups } from '../channels/channel.schema.ts';
import { newChannel } from '../channels/channel.ts';
import { WaypostError } from '../errors.ts';
import {
  type EditLimit,
  editLimits,
  isEditOpen,
  jobEditRules,
  listEdits,
  taskEditRules,
  taskListRule,
} from './edit-rules.ts';
import { givenJob } from './given-job.ts';
import type { Job } from './job.schema.ts';
import { judgeEdits, rightOf } from './ownership.ts';
import { settleJob } from './status.ts';
import { type Task, type TaskStatus, taskStatuses } from './task.schema.ts';

const { job } = givenJob().stored;
const [pickup] = job.pickups as [Task];
const [delivery] = job.deliveries as [Task];
const NOW = '2026-11-21T10:00:00.000Z';

function jobIn(pickupStatus: TaskStatus, status: TaskStatus, more: Partial<Task> = {}): Job {
  const resumes_to = status === 'exception' ? ('en_route' as const) : null;
  const visits = status === 'failed' ? [{ number: 1 } as never] : [];
  return settleJob(
    {
      ...job,
      pickups: [{ ...pickup, status: pickupStatus }],
      deliveries: [{ ...delivery, status, resumes_to, visits, ...more }],
    },
    NOW,
  );
}

/** States of a delivery, its pickup still open, in which an edit with this limit is allowed. */
const openIn: Record<EditLimit, readonly TaskStatus[]> = {
  always: taskStatuses,
  job_ended: taskStatuses,
  assigned: ['pending', 'cancelled'],
  started: ['pending'],
  arrived: ['pending', 'en_route', 'exception'],
  task_ended: ['pending', 'en_route', 'arrived', 'exception'],
  on_board: ['pending', 'en_route', 'arrived', 'exception'],
};

test('every limit in every state of its task', () => {
  for (const until of Object.keys(editLimits) as EditLimit[]) {
    for (const status of taskStatuses) {
      const at = jobIn('pending', status);
      const edit = { group: null, until, pointer: 'x', task: at.deliveries[0] as Task };
      assert.equal(isEditOpen(at, edit), openIn[until].includes(status), `${until} while the task is ${status}`);
    }
  }
});

test('once the goods are on board or the job has ended, what depends on that is closed', () => {
  const edit = (at: Job, until: EditLimit) =>
    isEditOpen(at, { group: null, until, pointer: 'x', task: at.deliveries[0] as Task });
  assert.equal(edit(jobIn('completed', 'pending'), 'on_board'), false);
  assert.equal(edit(jobIn('completed', 'pending'), 'assigned'), false);
  assert.equal(edit(jobIn('completed', 'completed'), 'job_ended'), false);
  assert.equal(edit(jobIn('pending', 'pending', { driver_id: 'drv_1' }), 'assigned'), false);
  assert.equal(edit(jobIn('pending', 'exception', { resumes_to: 'arrived' }), 'arrived'), false);
});

const other: { [M in keyof typeof taskEditRules]: Task[M] } = {
  reference: 'other',
  metadata: { a: 'b' },
  service_window: { start: NOW, end: '2026-11-21T11:00:00.000Z', hard: true },
  ready_at: NOW,
  wait_max_s: 1,
  service_duration_s: 1,
  appointment: { reference: null, confirmed: true, dock: null },
  address: { ...delivery.address, door: '4' },
  contact: { ...(delivery.contact as NonNullable<Task['contact']>), name: 'Other' },
  items: [],
  services: [{ code: 'install', duration_s: null, result: null, reason_code: null }],
  requires: { skills: [], crew_size: 2, vehicle_features: [] },
  proof_requirements: { version: 1, on_completion: { note: { level: 'required' } }, on_failure: {} },
  handover: { allowed_outcomes: [], named_recipients: [], on_failure: 'return' },
  cash_on_delivery: { amount_minor: 1, currency: 'SEK' },
  minimum_age: 18,
  documents: [{ name: 'Note', url: 'https://shop.example/note' }],
  depends_on: [],
  instructions: 'other',
};

test('every member that may change is found as one edit of its own group', () => {
  for (const member of Object.keys(taskEditRules) as (keyof typeof taskEditRules)[]) {
    const after = { ...job, deliveries: [{ ...delivery, [member]: other[member] }] };
    const edits = listEdits(job, after);
    assert.deepEqual(
      edits.map(({ pointer, group, until }) => ({ pointer, group, until })),
      [{ pointer: `deliveries/0/${member}`, ...taskEditRules[member] }],
    );
  }
  const ofJob = {
    group_reference: 'g',
    tags: ['t'],
    metadata: { a: 'b' },
    purpose: 'transfer',
    priority: 'urgent',
  } as const;
  for (const member of Object.keys(jobEditRules) as (keyof typeof jobEditRules)[]) {
    const [edit, ...rest] = listEdits(job, { ...job, [member]: ofJob[member] });
    assert.equal(edit?.pointer, member);
    assert.equal(edit?.group, jobEditRules[member].group);
    assert.equal(rest.length, 0);
  }
});

test('members that no caller may change have no edit, and an equal copy has none', () => {
  assert.deepEqual(listEdits(job, structuredClone(job)), []);
  assert.deepEqual(
    listEdits(job, { ...job, deliveries: [{ ...delivery, status: 'completed', driver_id: 'drv_1', visits: [] }] }),
    [],
  );
});

test('tasks that come or go are edits of the list', () => {
  const added = { ...delivery, id: 'tsk_new' };
  assert.deepEqual(listEdits(job, { ...job, deliveries: [delivery, added] }), [
    { ...taskListRule, pointer: 'deliveries/1', task: null },
  ]);
  assert.deepEqual(
    listEdits(job, { ...job, deliveries: [added] }).map((edit) => edit.pointer),
    ['deliveries/0', 'deliveries/0'],
  );
});

const channel = newChannel('chn_1', 'Shop', null, NOW);

test('every authority over every group, before and after goods are on board', () => {
  const rights = (authority: string, isOnBoard: boolean) =>
    Object.fromEntries(fieldGroups.map((group) => [group, rightOf(channel, group, isOnBoard, authority)]));
  const nothing = Object.fromEntries(fieldGroups.map((group) => [group, 'none']));
  assert.deepEqual(rights('source', false), {
    ...nothing,
    priority: 'write',
    schedule: 'write',
    address: 'write',
    items: 'write',
    instructions: 'write',
  });
  assert.deepEqual(rights('source', true), {
    ...nothing,
    priority: 'propose',
    schedule: 'propose',
    address: 'propose',
    items: 'propose',
    instructions: 'write',
  });
  assert.deepEqual(rights('dispatch', false), {
    ...nothing,
    assignment: 'write',
    execution: 'write',
    completion: 'write',
    instructions: 'write',
  });
  assert.deepEqual(rights('dispatch', true), {
    ...nothing,
    priority: 'write',
    schedule: 'write',
    address: 'write',
    items: 'write',
    assignment: 'write',
    execution: 'write',
    completion: 'write',
    instructions: 'write',
  });
  assert.deepEqual(rights('driver', true), { ...nothing, execution: 'write', completion: 'write' });
  assert.deepEqual(rights('recipient', false), { ...nothing, schedule: 'propose', instructions: 'write' });
  assert.deepEqual(rights('warehouse', false), nothing);
});

test('edits are judged together: written, proposed, or refused with every owner', () => {
  const edit = (group: (typeof fieldGroups)[number] | null) => ({
    group,
    until: 'always' as const,
    pointer: `x/${group}`,
    task: null,
  });
  assert.equal(judgeEdits(job, [], channel, 'warehouse'), 'write');
  assert.equal(judgeEdits(job, [edit(null)], channel, 'warehouse'), 'write');
  assert.equal(judgeEdits(job, [edit('schedule'), edit('priority')], channel, 'source'), 'write');
  assert.equal(judgeEdits(job, [edit('schedule'), edit('instructions')], channel, 'recipient'), 'propose');
  assert.throws(
    () => judgeEdits(job, [edit('schedule'), edit('priority'), edit('assignment')], channel, 'recipient'),
    (error) => {
      assert.ok(error instanceof WaypostError);
      assert.equal(error.code, 'ownership_conflict');
      assert.deepEqual(error.extra.owners, { priority: ['source'], assignment: ['dispatch'] });
      return true;
    },
  );
  const open = {
    ...channel,
    ownership: { ...channel.ownership, schedule: { ...channel.ownership.schedule, auto_accept: true } },
  };
  assert.equal(judgeEdits(job, [edit('schedule')], open, 'recipient'), 'write');
});
