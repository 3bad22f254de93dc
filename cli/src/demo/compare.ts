// The moment of truth: what the receiver knows from messages alone against what the API says. Runs in the receiver.

import { Waypost } from '@waypost/sdk';
import { isRecord, WaypostProblem } from '@waypost/sdk/errors';
import type { JobView, Mirror } from './mirror.ts';
import type { ReconcileOrder } from './receiver-words.ts';

/** Reads of the API that run side by side. */
const READS_MAX = 8;
const POLL_MS = 100;
/** So many differences are told in words. */
const EXAMPLES_MAX = 10;

export interface Reconciled {
  /** Events of the log that were owed. */
  events: number;
  lost: number;
  duplicated: number;
  out_of_order: number;
  mismatched: number;
  latencies: number[];
  examples: string[];
}

export async function reconcile(mirror: Mirror, order: ReconcileOrder): Promise<Reconciled> {
  const client = new Waypost({ url: order.url, key: order.key });
  const owed = await awaitEvents(client, mirror, order);
  // Two witnesses: the log that can be read, and the chain that the messages themselves are.
  const lost = new Set([...owed.filter((sequence) => !mirror.has(sequence)), ...mirror.listGaps()]);
  const examples = [...lost].map((sequence) => `lost: event ${sequence} of the log never came`);
  for (const { job_id, job_sequence, waiting } of mirror.listIncomplete()) {
    examples.push(`job ${job_id}: event ${job_sequence + 1} is missing, ${waiting.join(', ')} have come`);
  }
  const { duplicated, out_of_order, changed } = mirror.count();
  let mismatched = changed;
  if (mismatched > 0) examples.push(`${mismatched} messages came again with other bytes`);

  const jobIds = [...order.job_ids];
  const compareNext = async (): Promise<void> => {
    for (let id = jobIds.pop(); id !== undefined; id = jobIds.pop()) {
      const difference = findDifference(mirror.jobs().get(id), await readJob(client, id));
      if (difference === null) continue;
      mismatched += 1;
      examples.push(`job ${id}: ${difference}`);
    }
  };
  await Promise.all(Array.from({ length: READS_MAX }, compareNext));
  return {
    events: owed.length,
    lost: lost.size,
    duplicated,
    out_of_order,
    mismatched,
    latencies: [...mirror.latencies()],
    examples: examples.slice(0, EXAMPLES_MAX),
  };
}

/** Waits until everything in the log has come, or nothing has come for too long. Answers what the log holds. */
async function awaitEvents(client: Waypost, mirror: Mirror, order: ReconcileOrder): Promise<number[]> {
  const owed: number[] = [];
  for await (const event of client.events.iterate({ after: order.after, endpoint_id: order.endpoint_id })) {
    owed.push(event.sequence);
  }
  let had = mirror.count().events;
  let movedAt = performance.now();
  while (owed.some((sequence) => !mirror.has(sequence))) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const has = mirror.count().events;
    if (has > had) {
      had = has;
      movedAt = performance.now();
    }
    if (performance.now() - movedAt > order.patience_ms) break;
  }
  return owed;
}

/** Null when it is not there (a deleted job). */
async function readJob(client: Waypost, id: string): Promise<Record<string, unknown> | null> {
  try {
    const found: unknown = await client.jobs.get(id);
    return isRecord(found) ? found : null;
  } catch (error) {
    if (error instanceof WaypostProblem && error.status === 404) return null;
    throw error;
  }
}

/** What differs between a job rebuilt from events and the job that the API answers; null when nothing does. */
export function findDifference(view: JobView | undefined, answered: Record<string, unknown> | null): string | null {
  if (view === undefined) return 'no event of it ever came';
  if (view.contradiction !== null) return view.contradiction;
  const gone = view.document.deleted_at !== null && view.document.deleted_at !== undefined;
  if (answered === null) return gone ? null : `the API does not know it, its events say ${view.status}`;
  // `live` moves without an event; everything else must be the last event's, member by member and in its order.
  const { live: _live, ...document } = answered;
  if (JSON.stringify(document) === JSON.stringify(view.document)) return null;
  return describeFirst('', view.document, document) ?? 'its members come in another order';
}

/** The first place where two values differ. */
function describeFirst(pointer: string, told: unknown, answered: unknown): string | null {
  if (JSON.stringify(told) === JSON.stringify(answered)) return null;
  if (isTree(told) && isTree(answered)) {
    for (const name of new Set([...Object.keys(told), ...Object.keys(answered)])) {
      const found = describeFirst(pointer === '' ? name : `${pointer}/${name}`, told[name], answered[name]);
      if (found !== null) return found;
    }
    return null;
  }
  return `${pointer} is ${shorten(told)} by its events, ${shorten(answered)} by the API`;
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? 'absent';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
