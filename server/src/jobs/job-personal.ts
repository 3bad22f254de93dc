// Which values of a job are personal, and whose: the ledger cuts them out of what it stores and seals them under the
// key of that person. A line belongs here if it marks a personal value.

import type { Document, Hole } from '../ledger/command.ts';
import type { Job } from './job.schema.ts';
import type { Proof } from './proof.schema.ts';
import type { Task } from './task.schema.ts';
import type { Visit } from './visit.schema.ts';

/** A job as the ledger takes it into events. */
export function jobDocument(job: Job): Document<Job> {
  return { name: 'job', value: job, cut: cutJob, cutChange: cutJobChange };
}

/**
 * Everything personal at a task belongs to its contact. At a hub, where nobody is met, only what the driver wrote is
 * personal, and it is the driver's.
 */
export function subjectOfTask(task: Pick<Task, 'contact' | 'driver_id'>): string | null {
  return task.contact?.customer_id ?? task.driver_id;
}

function cutJob(job: Job, hole: Hole): object {
  return {
    ...job,
    pickups: job.pickups.map((task) => cutTask(task, hole)),
    deliveries: job.deliveries.map((task) => cutTask(task, hole)),
  };
}

function cutTask(task: Task, hole: Hole): object {
  const subject = subjectOfTask(task);
  if (subject === null) return task;
  return cutMembers(task, task.contact === null ? driversMembers : taskMembers, subject, hole);
}

/** In the order of the object's own members: holes are filled in the order in which the text has them. */
function cutMembers(value: object, members: Readonly<Record<string, Cut>>, subject: string, hole: Hole): object {
  const cut: Record<string, unknown> = { ...value };
  for (const member of Object.keys(cut)) {
    if (cut[member] === null || !Object.hasOwn(members, member)) continue;
    cut[member] = members[member]?.(cut[member], subject, hole);
  }
  return cut;
}

type Cut = (value: unknown, subject: string, hole: Hole) => unknown;

const whole: Cut = (value, subject, hole) => hole('value', subject, value);
const phone: Cut = (value, subject, hole) => hole('phone', subject, value);
const email: Cut = (value, subject, hole) => hole('email', subject, value);

/** Cuts the named members of an object; null stays null. */
function within(members: Readonly<Record<string, Cut>>): Cut {
  return (value, subject, hole) => {
    if (typeof value !== 'object' || value === null) return value;
    return cutMembers(value, members, subject, hole);
  };
}

/** Cuts every element of a list. */
function each(cutOne: Cut): Cut {
  return (value, subject, hole) => {
    if (!Array.isArray(value) || value.length === 0) return value;
    return value.map((one) => cutOne(one, subject, hole));
  };
}

type MembersOf<T> = Partial<Record<keyof T & string, Cut>>;

const accessMembers = { notes: whole };
const addressMembers = {
  name: whole,
  line1: whole,
  line2: whole,
  building: whole,
  floor: whole,
  door: whole,
  landmark: whole,
  location: whole,
  access: within(accessMembers),
} satisfies MembersOf<Task['address']>;
const contactMembers = { name: whole, phone, email } satisfies MembersOf<NonNullable<Task['contact']>>;
const handoverMembers = { named_recipients: whole } satisfies MembersOf<NonNullable<Task['handover']>>;
const visitMembers = { note: whole } satisfies MembersOf<Visit>;
const signerMembers = { name: whole };
const proofMembers = { location: whole, signer: within(signerMembers), note: whole } satisfies MembersOf<Proof>;
const driversMembers = {
  visits: each(within(visitMembers)),
  proofs: each(within(proofMembers)),
} satisfies MembersOf<Task>;
const taskMembers = {
  ...driversMembers,
  address: within(addressMembers),
  contact: within(contactMembers),
  handover: within(handoverMembers),
  instructions: whole,
} satisfies MembersOf<Task>;

/** The same members by their pointers below a task; `#` stands for an index. */
const cutByPath: Readonly<Record<string, Cut>> = {
  visits: taskMembers.visits,
  'visits/#': within(visitMembers),
  'visits/#/note': whole,
  proofs: taskMembers.proofs,
  'proofs/#': within(proofMembers),
  'proofs/#/location': whole,
  'proofs/#/signer': within(signerMembers),
  'proofs/#/signer/name': whole,
  'proofs/#/note': whole,
  address: taskMembers.address,
  'address/access': within(accessMembers),
  'address/access/notes': whole,
  contact: taskMembers.contact,
  handover: taskMembers.handover,
  'handover/named_recipients': whole,
  instructions: whole,
  ...Object.fromEntries(Object.entries(addressMembers).map(([member, cut]) => [`address/${member}`, cut])),
  ...Object.fromEntries(Object.entries(contactMembers).map(([member, cut]) => [`contact/${member}`, cut])),
};

const TASK_POINTER = /^(pickups|deliveries)\/(\d+)(?:\/(.+))?$/;

function cutJobChange(pointer: string, job: Job, hole: Hole): ((changed: unknown) => unknown) | null {
  const match = TASK_POINTER.exec(pointer);
  if (match === null) return null;
  const [, side, index, path] = match;
  if (path === undefined) return (changed) => (isTask(changed) ? cutTask(changed, hole) : changed);
  const shape = path.replace(/\/\d+(?=\/|$)/g, '/#');
  const cut = cutByPath[shape];
  const task = side === 'pickups' ? job.pickups[Number(index)] : job.deliveries[Number(index)];
  const subject = task === undefined ? null : subjectOfTask(task);
  if (cut === undefined || subject === null) return null;
  if (task?.contact === null && !/^(visits|proofs)/.test(path)) return null;
  return (changed) => (changed === null || changed === undefined ? changed : cut(changed, subject, hole));
}

function isTask(value: unknown): value is Task {
  return typeof value === 'object' && value !== null;
}
