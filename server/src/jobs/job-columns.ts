// The columns of jobs in a CSV: one row a job. Where a job has several deliveries, the first one's place and recipient
// stand for them, and `deliveries` says how many there are.

import type { Column } from '../http/csv.ts';
import type { Job } from './job.schema.ts';
import type { Task } from './task.schema.ts';

const ofJob = [
  'id',
  'reference',
  'group_reference',
  'channel_id',
  'purpose',
  'priority',
  'status',
  'status_since',
  'outcome',
  'reason_code',
] as const satisfies readonly (keyof Job)[];
const ofAddress = ['line1', 'line2', 'postal_code', 'city', 'country'] as const;
const atTheEnd = [
  'hub_id',
  'tags',
  'metadata',
  'picked_up_at',
  'version',
  'job_sequence',
  'created_at',
  'updated_at',
  'deleted_at',
] as const satisfies readonly (keyof Job)[];

export const jobColumns: readonly Column[] = [
  ...ofJob.map((name) => column(name, (job) => job[name])),
  column('exceptions', (job) => job.exceptions.map(({ code }) => code).join(' ')),
  column('deliveries', (job) => job.deliveries.length),
  column('items', (job) => job.deliveries.reduce((sum, { items }) => sum + items.length, 0)),
  delivery('driver_id', (task) => task.driver_id),
  delivery('window_start', (task) => task.service_window?.start),
  delivery('window_end', (task) => task.service_window?.end),
  delivery('recipient', (task) => task.contact?.name),
  delivery('phone', (task) => task.contact?.phone),
  delivery('email', (task) => task.contact?.email),
  ...ofAddress.map((name) => delivery(name, (task) => task.address[name])),
  delivery('lat', (task) => task.address.location?.lat),
  delivery('lng', (task) => task.address.location?.lng),
  ...atTheEnd.map((name) => column(name, (job) => job[name])),
];

function column(name: string, read: (job: Job) => unknown): Column {
  return { name, read: (item) => read(item as Job) };
}

/** Of the first delivery. */
function delivery(name: string, read: (task: Task) => unknown): Column {
  return column(name, ({ deliveries: [first] }) => (first === undefined ? null : read(first)));
}
