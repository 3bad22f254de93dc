// The statements with which the ledger loads and writes jobs and their index rows. Reading for lists is in
// job-list.store.ts.

import { plannedOnce, type Sent, type Tx, textsOf } from '../db/sql.ts';
import type { Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { Job } from './job.schema.ts';
import type { StoredJob } from './job.ts';
import { type JobLine, writeTerms } from './job-terms.store.ts';
import { isWordTerm, termsOf } from './job-terms.ts';
import { isFinalJob, tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';

interface LoadedJob {
  world_id: number;
  job_id: string;
  fingerprint: Buffer;
  holds_reference: boolean;
  origin_correlation_id: string;
  event_id: string;
  event_hash: string;
  body: string;
  personal: Buffer;
}

/** Jobs by id. */
export const jobKind: Kind<StoredJob> = {
  name: 'job',

  async load(tx: Tx, refs: readonly Ref[], keys: SubjectKeys) {
    const rows = await tx<LoadedJob[]>`
      select j.world_id, j.job_id, j.fingerprint, j.holds_reference, j.origin_correlation_id, j.event_id, j.event_hash,
        j.body, j.personal
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, job_id)
      join jobs j on j.world_id = n.world_id and j.job_id = n.job_id`;
    const texts = await keys.open(tx, rows, 'personal');
    return new Map(rows.map((row, index) => [refKey(row.world_id, row.job_id), storedOf(row, texts[index] ?? '')]));
  },

  write(tx: Tx, written: readonly WrittenLine<StoredJob>[]): Sent[] {
    const lines = written.map((line) => ({ ...line, terms: termsOf(line.value.job) }));
    const fresh = lines.filter((line) => line.before === undefined);
    const known = lines.filter((line) => line.before !== undefined);
    // Known jobs first: a superseded or deleted one frees the reference that a new one takes.
    return [
      ...(known.length > 0 ? [updateJobs(tx, known)] : []),
      ...(fresh.length > 0 ? [plannedOnce(tx, () => insertJobs(tx, fresh))] : []),
      ...writeTasks(tx, lines),
      ...writeTerms(tx, lines),
    ];
  },
};

function storedOf(row: LoadedJob, text: string): StoredJob {
  return {
    job: JSON.parse(text) as Job,
    fingerprint: row.fingerprint,
    holds_reference: row.holds_reference,
    origin_correlation_id: row.origin_correlation_id,
    event_id: row.event_id,
    hash: row.event_hash,
  };
}

/** The columns that lists filter by, as arrays for `unnest`. */
function columnsOf(lines: readonly JobLine[]) {
  const jobs = lines.map((line) => line.value.job);
  const windows = jobs.map(spanOf);
  return {
    world_id: lines.map((line) => line.world_id),
    job_id: jobs.map((job) => job.id),
    channel_id: jobs.map((job) => job.channel_id),
    reference: jobs.map((job) => job.reference),
    holds_reference: lines.map((line) => line.value.holds_reference),
    status: jobs.map((job) => job.status),
    search_text: lines.map(({ terms }) => searchTextOf(terms)),
    metadata: jobs.map((job) => JSON.stringify(job.metadata)),
    window_start: windows.map((span) => span.start),
    window_end: windows.map((span) => span.end),
    version: jobs.map((job) => job.version),
    job_sequence: jobs.map((job) => job.job_sequence),
    created_at: jobs.map((job) => job.created_at),
    updated_at: jobs.map((job) => job.updated_at),
    deleted_at: jobs.map((job) => job.deleted_at),
    origin: lines.map((line) => line.value.origin_correlation_id),
    fingerprint: lines.map((line) => line.value.fingerprint),
    event_id: lines.map((line) => line.document?.event_id ?? null),
    event_hash: lines.map((line) => line.document?.hash ?? null),
    body: lines.map((line) => line.document?.body ?? null),
    personal: lines.map((line) => line.document?.personal ?? null),
  };
}

function insertJobs(tx: Tx, lines: readonly JobLine[]): Sent {
  const of = columnsOf(lines);
  return tx`
    insert into jobs (world_id, job_id, channel_id, reference, holds_reference, status, search_text, metadata,
      window_start, window_end, version, job_sequence, created_at, updated_at, deleted_at, origin_correlation_id,
      fingerprint, event_id, event_hash, body, personal)
    select n.world_id, n.job_id, n.channel_id, n.reference, n.holds_reference, n.status, n.search_text,
      n.metadata::jsonb, n.window_start, n.window_end, n.version, n.job_sequence, n.created_at, n.updated_at,
      n.deleted_at, n.origin, n.fingerprint, n.event_id, n.event_hash, n.body, n.personal
    from unnest(
      ${of.world_id}::int[], ${of.job_id}::text[], ${of.channel_id}::text[], ${of.reference}::text[],
      ${of.holds_reference}::bool[], ${of.status}::text[], ${of.search_text}::text[], ${of.metadata}::text[],
      ${of.window_start}::timestamptz[], ${of.window_end}::timestamptz[], ${of.version}::int[],
      ${of.job_sequence}::int[], ${of.created_at}::timestamptz[], ${of.updated_at}::timestamptz[],
      ${of.deleted_at}::timestamptz[], ${of.origin}::text[], ${of.fingerprint}::bytea[], ${of.event_id}::text[],
      ${of.event_hash}::text[], ${textsOf(tx, of.body)}, ${of.personal}::bytea[]
    ) as n (world_id, job_id, channel_id, reference, holds_reference, status, search_text, metadata, window_start,
      window_end, version, job_sequence, created_at, updated_at, deleted_at, origin, fingerprint, event_id, event_hash,
      body, personal)`.execute();
}

/** A job that only gives its reference away (superseded) has no new document: it keeps the one that it has. */
function updateJobs(tx: Tx, lines: readonly JobLine[]): Sent {
  const of = columnsOf(lines);
  return tx`
    update jobs j set holds_reference = n.holds_reference, status = n.status, search_text = n.search_text,
      metadata = n.metadata::jsonb, window_start = n.window_start, window_end = n.window_end, version = n.version,
      job_sequence = n.job_sequence, updated_at = n.updated_at, deleted_at = n.deleted_at, fingerprint = n.fingerprint,
      event_id = coalesce(n.event_id, j.event_id), event_hash = coalesce(n.event_hash, j.event_hash),
      body = coalesce(n.body, j.body), personal = coalesce(n.personal, j.personal)
    from unnest(
      ${of.world_id}::int[], ${of.job_id}::text[], ${of.holds_reference}::bool[], ${of.status}::text[],
      ${of.search_text}::text[], ${of.metadata}::text[], ${of.window_start}::timestamptz[],
      ${of.window_end}::timestamptz[], ${of.version}::int[], ${of.job_sequence}::int[],
      ${of.updated_at}::timestamptz[], ${of.deleted_at}::timestamptz[], ${of.fingerprint}::bytea[],
      ${of.event_id}::text[], ${of.event_hash}::text[], ${textsOf(tx, of.body)}, ${of.personal}::bytea[]
    ) as n (world_id, job_id, holds_reference, status, search_text, metadata, window_start, window_end, version,
      job_sequence, updated_at, deleted_at, fingerprint, event_id, event_hash, body, personal)
    where j.world_id = n.world_id and j.job_id = n.job_id`.execute();
}

interface TaskLine {
  world_id: number;
  task: Task;
  job_ended: boolean;
}

/** Only rows of tasks whose columns differ are sent; those of tasks that are gone are deleted. */
function writeTasks(tx: Tx, lines: readonly WrittenLine<StoredJob>[]): Sent[] {
  const written: TaskLine[] = [];
  const gone: TaskLine[] = [];
  for (const { world_id, value, before } of lines) {
    const after = tasksOf(value.job);
    const earlier = before === undefined ? [] : tasksOf(before.job);
    const job_ended = isFinalJob(value.job.status);
    const endsNow = before !== undefined && isFinalJob(before.job.status) !== job_ended;
    for (const task of after) {
      const was = earlier.find((one) => one.id === task.id);
      if (endsNow || was === undefined || hasOtherColumns(was, task)) written.push({ world_id, task, job_ended });
    }
    for (const task of earlier) if (!after.some((one) => one.id === task.id)) gone.push({ world_id, task, job_ended });
  }
  const sent: Sent[] = [];
  if (written.length > 0) sent.push(upsertTasks(tx, written));
  if (gone.length > 0) sent.push(deleteTasks(tx, gone));
  return sent;
}

function hasOtherColumns(was: Task, is: Task): boolean {
  return (
    was.status !== is.status ||
    was.driver_id !== is.driver_id ||
    was.contact?.customer_id !== is.contact?.customer_id ||
    was.address.id !== is.address.id ||
    was.position !== is.position ||
    was.service_window?.start !== is.service_window?.start ||
    was.service_window?.end !== is.service_window?.end
  );
}

function upsertTasks(tx: Tx, lines: readonly TaskLine[]): Sent {
  const of = <V>(read: (task: Task) => V) => lines.map((line) => read(line.task));
  return tx`
    insert into tasks (world_id, job_id, task_id, kind, position, status, driver_id, window_start, window_end,
      customer_id, address_id, job_ended)
    select * from unnest(
      ${lines.map((line) => line.world_id)}::int[], ${of((task) => task.job_id)}::text[], ${of((task) => task.id)}::text[],
      ${of((task) => task.kind)}::text[], ${of((task) => task.position)}::smallint[], ${of((task) => task.status)}::text[],
      ${of((task) => task.driver_id)}::text[], ${of((task) => task.service_window?.start ?? null)}::timestamptz[],
      ${of((task) => task.service_window?.end ?? null)}::timestamptz[],
      ${of((task) => task.contact?.customer_id ?? null)}::text[], ${of((task) => task.address.id)}::text[],
      ${lines.map((line) => line.job_ended)}::bool[])
    on conflict (world_id, job_id, task_id) do update set position = excluded.position, status = excluded.status,
      driver_id = excluded.driver_id, window_start = excluded.window_start, window_end = excluded.window_end,
      customer_id = excluded.customer_id, address_id = excluded.address_id, job_ended = excluded.job_ended`.execute();
}

function deleteTasks(tx: Tx, lines: readonly TaskLine[]): Sent {
  return tx`
    delete from tasks t
    using unnest(${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.task.job_id)}::text[],
      ${lines.map((line) => line.task.id)}::text[]) as n (world_id, job_id, task_id)
    where t.world_id = n.world_id and t.job_id = n.job_id and t.task_id = n.task_id`.execute();
}

/** From the first window's start to the last one's end. Every job has a delivery, and every delivery a window. */
function spanOf(job: Job): { start: string; end: string } {
  let start = '';
  let end = '';
  for (const { service_window } of [...job.pickups, ...job.deliveries]) {
    if (service_window === null) continue;
    if (start === '' || service_window.start < start) start = service_window.start;
    if (service_window.end > end) end = service_window.end;
  }
  return { start, end };
}

/** Each word that `?q=` finds, on a line of its own. */
function searchTextOf(terms: readonly string[]): string {
  return terms.map((term) => (isWordTerm(term) ? `\n${term.slice(2)}` : '')).join('');
}

/** From `referenceKey(channel, reference)` to the id of the job that holds the reference; null once it is free again. */
export const jobReferenceKind: Kind<string | null> = {
  name: 'job_reference',

  async load(tx: Tx, refs: readonly Ref[]) {
    const places = refs.map(({ key }) => key.indexOf('/'));
    const rows = await tx<{ world_id: number; channel_id: string; reference: string; job_id: string }[]>`
      select j.world_id, j.channel_id, j.reference, j.job_id
      from unnest(${refs.map((ref) => ref.world_id)}::int[],
        ${refs.map(({ key }, index) => key.slice(0, places[index]))}::text[],
        ${refs.map(({ key }, index) => key.slice((places[index] ?? 0) + 1))}::text[]) as n (world_id, channel_id, reference)
      join jobs j on j.world_id = n.world_id and j.channel_id = n.channel_id and j.reference = n.reference
        and j.holds_reference`;
    return new Map(rows.map((row) => [refKey(row.world_id, `${row.channel_id}/${row.reference}`), row.job_id]));
  },
};

/** A PIN's hash and how often a wrong one was tried. */
export interface StoredPin {
  hash: Buffer;
  tries: number;
}

/** PINs by task id. */
export const pinKind: Kind<StoredPin> = {
  name: 'task_pin',

  async load(tx: Tx, refs: readonly Ref[]) {
    const rows = await tx<{ world_id: number; task_id: string; hash: Buffer; tries: number }[]>`
      select p.world_id, p.task_id, p.hash, p.tries
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, task_id)
      join task_pins p on p.world_id = n.world_id and p.task_id = n.task_id`;
    return new Map(rows.map(({ world_id, task_id, hash, tries }) => [refKey(world_id, task_id), { hash, tries }]));
  },

  write(tx: Tx, lines: readonly WrittenLine<StoredPin>[]): Sent[] {
    return [
      tx`
        insert into task_pins (world_id, task_id, hash, tries)
        select * from unnest(${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
          ${lines.map((line) => line.value.hash)}::bytea[], ${lines.map((line) => line.value.tries)}::smallint[])
        on conflict (world_id, task_id) do update set hash = excluded.hash, tries = excluded.tries`.execute(),
    ];
  },
};
