// What a consumer knows from messages alone: each job rebuilt event by event, and a count of everything that is not as
// promised. Pure but for its memory: the receiver feeds it and keeps what it was fed, so that it can be fed again.

import { createEventTracker } from '@waypost/sdk/event-tracker';
import { applyChanges, type Changes, saysTheSame } from './replay.ts';

/** One verified message, as the receiver keeps it. */
export interface Arrival {
  /** `webhook-id`. */
  id: string;
  sequence: number | null;
  previous: number | null;
  received_ms: number;
  body: string;
}

/** The members of an event that a rebuild needs. */
interface EventView {
  sequence: number;
  job_sequence: number | null;
  recorded_at: string;
  data: { job?: JobDocument; changes: Changes };
}

interface JobDocument {
  id: string;
  reference: string;
  status: string;
  [member: string]: unknown;
}

export interface JobView {
  reference: string;
  status: string;
  /** Number of the last event that was applied; those before it were applied too, in order. */
  job_sequence: number;
  /** The job as its last applied event states it. */
  document: JobDocument;
  /** Why the changes of some event do not lead from the job before it to the job that it states; null when all do. */
  contradiction: string | null;
}

export interface MirrorCounts {
  events: number;
  jobs: number;
  duplicated: number;
  out_of_order: number;
  /** Messages that came again with other bytes. */
  changed: number;
  /** Holes that the chain of `waypost-previous` proves, at this moment. */
  gaps: number;
}

export interface Mirror {
  take(arrival: Arrival): void;
  count(): MirrorCounts;
  jobs(): ReadonlyMap<string, JobView>;
  has(sequence: number): boolean;
  /** Milliseconds from recording to first receipt, one per event. */
  latencies(): readonly number[];
  /** Sequences that the chain of `waypost-previous` names and that have not come. */
  listGaps(): number[];
  /** Jobs with an event that waits for one before it: their number, and what they have so far. */
  listIncomplete(): { job_id: string; job_sequence: number; waiting: number[] }[];
}

/** `isOurs` says by its reference whether a job belongs to this run: others may have begun before we listened. */
export function createMirror(isOurs: (reference: string) => boolean): Mirror {
  const tracker = createEventTracker();
  const bodies = new Map<string, number>();
  const sequences = new Set<number>();
  const jobs = new Map<string, JobView>();
  /** Events that came before one of a lower number, by job. */
  const early = new Map<string, Map<number, Step>>();
  const highest = new Map<string, number>();
  const latencies: number[] = [];
  const counts = { duplicated: 0, out_of_order: 0, changed: 0 };

  function takeJob(document: JobDocument, job_sequence: number, changes: Changes): void {
    if (!isOurs(document.reference)) return;
    const top = highest.get(document.id) ?? 0;
    if (job_sequence < top) counts.out_of_order += 1;
    highest.set(document.id, Math.max(top, job_sequence));
    const waiting = early.get(document.id) ?? new Map<number, Step>();
    early.set(document.id, waiting.set(job_sequence, { document, changes }));
    let view = jobs.get(document.id);
    for (;;) {
      const number = (view?.job_sequence ?? 0) + 1;
      const next = waiting.get(number);
      if (next === undefined) break;
      waiting.delete(number);
      view = applyStep(view, next, number);
      jobs.set(document.id, view);
    }
    if (waiting.size === 0) early.delete(document.id);
  }

  const listGaps = (): number[] => tracker.listGaps(Number.MAX_SAFE_INTEGER, 0).map((gap) => gap.sequence);

  return {
    take(arrival) {
      const print = fingerprint(arrival.body);
      const known = bodies.get(arrival.id);
      if (known !== undefined) {
        if (arrival.sequence !== null) counts.duplicated += 1;
        if (known !== print) counts.changed += 1;
        return;
      }
      bodies.set(arrival.id, print);
      if (arrival.sequence === null) return;
      tracker.take(arrival, arrival.received_ms);
      sequences.add(arrival.sequence);
      const event = JSON.parse(arrival.body) as EventView;
      latencies.push(Math.max(0, arrival.received_ms - Date.parse(event.recorded_at)));
      if (event.data.job === undefined || event.job_sequence === null) return;
      takeJob(event.data.job, event.job_sequence, event.data.changes);
    },
    count: () => ({
      events: sequences.size,
      jobs: jobs.size,
      ...counts,
      gaps: listGaps().length,
    }),
    jobs: () => jobs,
    has: (sequence) => sequences.has(sequence),
    latencies: () => latencies,
    listGaps,
    listIncomplete: () =>
      [...early].map(([job_id, waiting]) => ({
        job_id,
        job_sequence: jobs.get(job_id)?.job_sequence ?? 0,
        waiting: [...waiting.keys()].sort((a, b) => a - b),
      })),
  };
}

interface Step {
  document: JobDocument;
  changes: Changes;
}

/** The next state of a job. Each event states it twice, as a whole and as what has changed: both must agree. */
function applyStep(before: JobView | undefined, { document, changes }: Step, job_sequence: number): JobView {
  let contradiction = before?.contradiction ?? null;
  if (before !== undefined && contradiction === null) {
    try {
      if (!saysTheSame(applyChanges(before.document, changes), document)) {
        contradiction = `event ${job_sequence} of the job: its changes do not lead to the job that it states`;
      }
    } catch (error) {
      contradiction = `event ${job_sequence} of the job: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return { reference: document.reference, status: document.status, job_sequence, document, contradiction };
}

/** 53 bits of two FNV hashes: enough to see that a repeat has other bytes. */
function fingerprint(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x1000193;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x5bd1e995);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}
