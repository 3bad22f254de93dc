// What must be true of a world's log and of the rows beside it, whatever happened before: read straight from the
// database, so that no code of the server stands between the check and the disk.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Sql } from '../src/db/sql.ts';
import { eventTopics, eventTypes } from '../src/events/event-types.ts';

export interface LoggedEvent {
  id: string;
  type: string;
  topics: string[];
  sequence: number;
  job_sequence: number | null;
  correlation_id: string;
  previous_hash: string | null;
  applied: boolean;
  recorded_at: string;
  data: { data_id: string; job?: LoggedJob; changes: Record<string, [unknown, unknown]> };
}
export interface LoggedJob {
  id: string;
  reference: string;
  version: number;
  job_sequence: number;
  deleted_at: string | null;
}

interface Row {
  sequence: number;
  recorded_at: Date;
  event_id: string;
  job_id: string | null;
  job_sequence: number | null;
  body: string;
  personal: Buffer;
  chain: Buffer;
}

/** Checks numbers, order, chain and hashes of one world; answers its events as they are stored, in order. */
export async function checkWorldLog(sql: Sql, worldId: number): Promise<LoggedEvent[]> {
  const [head] = await sql<{ sequence: number; chain: Buffer }[]>`
    select sequence, chain from heads where world_id = ${worldId}`;
  assert.ok(head, `world ${worldId} has a head`);
  const rows = await sql<Row[]>`
    select sequence, recorded_at, event_id, job_id, job_sequence, body, personal, chain from events
    where world_id = ${worldId} order by sequence`;
  assert.equal(rows.length, head.sequence, 'as many events as the head counts');
  let chain = Buffer.alloc(32);
  let recordedAtMs = 0;
  const hashOfJob = new Map<string, string>();
  const events = rows.map((row, index) => {
    assert.equal(row.sequence, index + 1, 'the sequence has no gap and no duplicate');
    assert.ok(row.recorded_at.getTime() >= recordedAtMs, `recorded_at goes back at event ${row.sequence}`);
    recordedAtMs = row.recorded_at.getTime();
    const hash = createHash('sha256').update(row.body).update(row.personal).digest();
    chain = createHash('sha256').update(chain).update(hash).digest();
    assert.ok(chain.equals(row.chain), `the chain breaks at event ${row.sequence}`);
    const event = JSON.parse(row.body) as LoggedEvent;
    assert.equal(event.sequence, row.sequence);
    assert.equal(event.id, row.event_id);
    const objectId = row.job_id ?? event.data.data_id;
    assert.equal(
      event.previous_hash,
      hashOfJob.get(objectId) ?? null,
      `event ${row.sequence} names the hash before it`,
    );
    hashOfJob.set(objectId, hash.toString('hex'));
    return event;
  });
  assert.ok(chain.equals(head.chain), 'the head holds the chain of the last event');
  checkJobNumbers(events);
  await checkJobRows(sql, worldId, rows);
  return events;
}

/** What an event is called stands in the list by which filters are checked. */
export function checkNames(events: readonly LoggedEvent[]): void {
  const types: ReadonlySet<string> = new Set(eventTypes);
  const known: ReadonlySet<string> = new Set(eventTopics);
  for (const { sequence, type, topics } of events) {
    assert.ok(types.has(type), `the type ${type} of event ${sequence} is listed`);
    for (const topic of topics) assert.ok(known.has(topic), `the topic ${topic} of event ${sequence} is listed`);
  }
}

/** Each job counts its own events from 1, and its document says the same number. */
function checkJobNumbers(events: readonly LoggedEvent[]): void {
  const counts = new Map<string, number>();
  for (const { sequence, job_sequence, data } of events) {
    if (data.job === undefined || job_sequence === null) continue;
    const expected = (counts.get(data.job.id) ?? 0) + 1;
    assert.equal(job_sequence, expected, `job_sequence of event ${sequence}`);
    assert.equal(data.job.job_sequence, expected, `job_sequence in the document of event ${sequence}`);
    counts.set(data.job.id, expected);
  }
}

/** A job's row is byte for byte the document of its last event, sealed values included. */
async function checkJobRows(sql: Sql, worldId: number, rows: readonly Row[]): Promise<void> {
  const last = new Map<string, Row>();
  for (const row of rows) if (row.job_id !== null && row.body.includes('"job":{"id":')) last.set(row.job_id, row);
  const jobs = await sql<{ job_id: string; event_id: string; body: string; personal: Buffer }[]>`
    select job_id, event_id, body, personal from jobs where world_id = ${worldId}`;
  assert.equal(jobs.length, last.size, 'as many jobs as the log speaks of');
  for (const job of jobs) {
    const event = last.get(job.job_id);
    assert.ok(event, `the log speaks of job ${job.job_id}`);
    assert.equal(job.event_id, event.event_id, `job ${job.job_id} names its last event`);
    assert.ok(event.body.includes(`"job":${job.body},"changes":`), `job ${job.job_id} equals its last event`);
    assert.ok(
      job.personal.equals(event.personal),
      `the sealed values of job ${job.job_id} are those of its last event`,
    );
  }
}

/** Members that move with every event and are told by the event itself. */
const silent = ['version', 'job_sequence', 'updated_at'];

/** The first document of each job, changed by the `changes` of every later event, is the document of its last event. */
export function checkReplays(events: readonly LoggedEvent[]): number {
  const replayed = new Map<string, Record<string, unknown>>();
  for (const event of events) {
    const { job, changes } = event.data;
    if (job === undefined) continue;
    const told = withoutSilent(job);
    const before = replayed.get(job.id);
    if (before === undefined) {
      replayed.set(job.id, told);
      continue;
    }
    for (const [pointer, [, after]] of Object.entries(changes)) applyChange(before, pointer, after);
    dropGone(before);
    assert.deepEqual(before, told, `the changes of event ${event.sequence} (${event.type}) make its document`);
  }
  return replayed.size;
}

function withoutSilent(job: LoggedJob): Record<string, unknown> {
  const copy = structuredClone(job) as unknown as Record<string, unknown>;
  for (const name of silent) delete copy[name];
  return copy;
}

function applyChange(document: Record<string, unknown>, pointer: string, after: unknown): void {
  const names = pointer.split('/').map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = names.pop() ?? '';
  let at = document;
  for (const name of names) at = at[name] as Record<string, unknown>;
  at[last] = structuredClone(after);
}

/** Members in which absence is told by leaving out. */
const maps: ReadonlySet<string> = new Set(['metadata', 'on_completion', 'on_failure']);

/** What is gone from the end of a list, or from a map, is told as `null`. */
function dropGone(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) while (value.length > 0 && value.at(-1) === null) value.pop();
  for (const [name, member] of Object.entries(value)) {
    dropGone(member);
    if (!maps.has(name) || member === null) continue;
    for (const [key, one] of Object.entries(member)) if (one === null) delete (member as Record<string, unknown>)[key];
  }
}
