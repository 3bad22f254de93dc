// No personal value of a job may reach the log in clear, wherever it stands.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillHoles, startCutting } from '../ledger/personal.ts';
import { diffJobs } from './changes.ts';
import { delivery, givenJob } from './given-job.ts';
import type { Job } from './job.schema.ts';
import { jobDocument } from './job-personal.ts';
import type { Task } from './task.schema.ts';

const SECRET = 'SECRET';
const secrets: Partial<Task['address']> = {
  name: `${SECRET} name`,
  line1: `${SECRET} line1`,
  line2: `${SECRET} line2`,
  building: `${SECRET} building`,
  floor: `${SECRET} floor`,
  door: `${SECRET} door`,
  landmark: `${SECRET} landmark`,
};

/** A job in which every personal member is filled. */
function fullJob(): Job {
  const { job } = givenJob({
    deliveries: [
      delivery({
        address: {
          ...secrets,
          country: 'SE',
          location: { lat: 12.345678, lng: 98.765432 },
          precision: 'rooftop',
          access: { notes: `${SECRET} notes` },
        },
        contact: {
          name: `${SECRET} person`,
          phone: '+46701234567',
          email: 'secret@example.com',
          contact_policy: { ways: [] },
        },
        instructions: `${SECRET} instructions`,
        handover: { named_recipients: [`${SECRET} neighbour`] },
      }),
    ],
  }).stored;
  const [task] = job.deliveries as [Task];
  const proof = {
    note: `${SECRET} proof`,
    signer: { name: `${SECRET} signer`, relationship: 'self' },
    location: { lat: 12.345678, lng: 1, accuracy_m: null },
  };
  const visit = { number: 1, note: `${SECRET} visit` };
  const hub = { visits: [visit] as never, driver_id: 'drv_anna' };
  return {
    ...job,
    pickups: job.pickups.map((one) => ({ ...one, ...hub })),
    deliveries: [{ ...task, visits: [visit] as never, proofs: [proof] as never }],
  };
}

const clear = /SECRET|12\.345678|98\.765432|701234567|secret@example/;

test('nothing personal is left in the cut document, and filling the holes gives it back', () => {
  const job = fullJob();
  const document = jobDocument(job);
  const { hole, parts } = startCutting();
  const text = JSON.stringify(document.cut(job, hole));
  assert.doesNotMatch(text, clear);
  assert.deepEqual(JSON.parse(fillHoles(text, parts, 'personal')), job);
  assert.deepEqual(parts.map((part) => part.subject_id).sort(), ['cus_00000000000000000000000000', 'drv_anna']);
});

test('an erased contact takes everything that is theirs, and nothing else', () => {
  const job = fullJob();
  const { hole, parts } = startCutting();
  const text = JSON.stringify(jobDocument(job).cut(job, hole));
  const erased = parts.map((part) => ({ ...part, values: part.subject_id.startsWith('cus') ? null : part.values }));
  const read = JSON.parse(fillHoles(text, erased, 'personal')) as Job;
  const [task] = read.deliveries as [Task];
  assert.equal(task.contact?.name, null);
  assert.equal(task.address.line1, null);
  assert.equal(task.address.location, null);
  assert.equal(task.address.country, 'SE');
  assert.equal(task.handover?.named_recipients, null);
  assert.equal(read.pickups[0]?.visits[0]?.note, `${SECRET} visit`);
  assert.equal(read.pickups[0]?.address.line1, 'Hamngatan 2');
});

test('every way in which a change can be told is cut as the document is', () => {
  const job = fullJob();
  const [task] = job.deliveries as [Task];
  const [proof] = task.proofs;
  const variants: Partial<Task>[] = [
    { instructions: null },
    { handover: null },
    { visits: [] },
    { proofs: [] },
    { visits: task.visits.map((visit) => ({ ...visit, note: `${SECRET} two` })) },
    { proofs: [{ ...proof, note: `${SECRET} two`, signer: null, location: null }] as never },
    {
      proofs: [
        {
          ...proof,
          signer: { name: `${SECRET} two`, relationship: null },
          location: { lat: 12.345678, lng: 98.765432, accuracy_m: 1 },
        },
      ] as never,
    },
    { address: { ...task.address, id: 'adr_other' } },
    { address: { ...task.address, location: { lat: 98.765432, lng: 12.345678, accuracy_m: 3 } } },
    { address: { ...task.address, location: null } },
    { address: { ...task.address, access: null } },
    {
      address: {
        ...task.address,
        access: { notes: `${SECRET} two`, entrance: null, parking: null, elevator: null, stairs: null },
      },
    },
    ...Object.keys(secrets).map((member) => ({ address: { ...task.address, [member]: `${SECRET} two` } })),
    { handover: { allowed_outcomes: [], on_failure: 'return', named_recipients: [`${SECRET} two`] } },
    {
      contact: {
        ...(task.contact as NonNullable<Task['contact']>),
        name: `${SECRET} two`,
        phone: null,
        email: 'secret@example.com',
      },
    },
    { contact: { ...(task.contact as NonNullable<Task['contact']>), customer_id: 'cus_other' } },
    { id: 'tsk_other' },
  ];
  for (const change of variants) {
    for (const [before, after] of [
      [job, { ...job, deliveries: [{ ...task, ...change }] }],
      [{ ...job, deliveries: [{ ...task, ...change }] }, job],
      [job, { ...job, deliveries: [] }],
      [{ ...job, deliveries: [] }, job],
    ] as [Job, Job][]) {
      for (const [pointer, [was, is]] of Object.entries(diffJobs(before, after))) {
        const { hole, parts } = startCutting();
        const cut = jobDocument(after).cutChange(pointer, after, hole);
        const told = JSON.stringify(cut === null ? [was, is] : [cut(was), cut(is)]);
        assert.doesNotMatch(told, clear, pointer);
        assert.deepEqual(JSON.parse(fillHoles(told, parts, 'personal')), [was, is], pointer);
      }
    }
  }
});
