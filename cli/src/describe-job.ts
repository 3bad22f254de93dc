// A job in words for a terminal: one line in a list, or its tasks with where they stand. Pure but for the colours.

import type { Job, Task } from '@waypost/sdk/jobs';
import { alignRows, formatClock, type Terminal } from './terminal.ts';

type Paint = Terminal['paint'];
type Shown = Omit<Job, 'live'>;

const GOOD: ReadonlySet<string> = new Set(['completed']);
const BAD: ReadonlySet<string> = new Set(['failed', 'exception', 'cancelled']);

export function paintStatus(status: string, paint: Paint): string {
  return GOOD.has(status) ? paint('green', status) : BAD.has(status) ? paint('red', status) : paint('cyan', status);
}

/** Its tasks have all ended, or it was deleted. */
export function hasEnded(job: Shown): boolean {
  return job.current === null || job.deleted_at !== null;
}

export function describeJob(job: Shown, paint: Paint): string[] {
  const end = job.outcome === null ? '' : ` (${job.outcome})`;
  const rows = [...job.pickups, ...job.deliveries]
    .toSorted((a, b) => a.position - b.position)
    .map((task) => [
      `  ${task.position}`,
      task.kind,
      paintStatus(task.status, paint),
      describePlace(task),
      describeWindow(task),
    ]);
  const exceptions = job.exceptions.map(
    (one) =>
      `  ${paint('yellow', 'exception')} ${one.code}, ${one.status}${one.blocking ? ', blocks the task' : ''}  ${one.id}`,
  );
  return [
    `${paint('bold', job.reference)}  ${paintStatus(job.status, paint)}${end}  ${paint('dim', job.id)}`,
    ...alignRows(rows),
    ...exceptions,
  ];
}

export function listJobs(jobs: readonly Shown[], paint: Paint): string[] {
  return alignRows(
    jobs.map((job) => [
      job.reference,
      paintStatus(job.status, paint),
      job.outcome ?? '',
      `since ${formatClock(job.status_since)}`,
      job.exceptions.length === 0 ? '' : paint('yellow', `${job.exceptions.length} open`),
      paint('dim', job.id),
    ]),
  );
}

function describePlace({ address, implicit }: Task): string {
  const place = [address.line1, [address.postal_code, address.city].filter(Boolean).join(' ')]
    .filter(Boolean)
    .join(', ');
  return implicit ? `${place} (at the hub)`.trimStart() : place;
}

function describeWindow({ service_window }: Task): string {
  if (service_window === null) return '';
  return `${formatClock(service_window.start).slice(0, 5)}–${formatClock(service_window.end).slice(0, 5)}`;
}
