// From an event to the line of a timeline: who did what, when, and what came of it.

import type { Exception } from '../jobs/exception.schema.ts';
import type { Job } from '../jobs/job.schema.ts';
import type { Proof } from '../jobs/proof.schema.ts';
import type { Task } from '../jobs/task.schema.ts';
import type { NotAppliedReason } from '../jobs/transition.schema.ts';
import type { eventTopics } from './event-types.ts';
import type { TimelineEntry } from './timeline.schema.ts';

/** An event of a job as consumers get it; only what is read here. */
export interface JobEvent extends Pick<TimelineEntry, 'type' | 'topics' | 'actor' | 'cause' | 'correlation_id'> {
  id: string;
  job_sequence: number;
  occurred_at: string;
  effective_at: string;
  recorded_at: string;
  implied: boolean;
  applied: boolean;
  data: {
    data_id: string;
    job: Job;
    changes: Record<string, [unknown, unknown]>;
    reason?: NotAppliedReason;
    outcome?: string;
    reason_code?: string;
    reported?: { to: string };
    flags?: string[];
    exceptions?: Exception[];
  };
}

type Topic = (typeof eventTopics)[number];

/** What a topic says to a person. The most telling one of an event comes first in its title: the order is this one. */
const words: Readonly<Record<Topic, string>> = {
  'job.corrected': 'Record corrected',
  'job.reopened': 'Completion undone',
  'delivery.completed': 'Delivery completed',
  'delivery.failed': 'Delivery failed',
  'delivery.arrived': 'Arrived at the delivery',
  'delivery.en_route': 'On the way to the delivery',
  'delivery.cancelled': 'Delivery cancelled',
  'pickup.completed': 'Pickup completed',
  'pickup.failed': 'Pickup failed',
  'pickup.arrived': 'Arrived at the pickup',
  'pickup.en_route': 'On the way to the pickup',
  'pickup.cancelled': 'Pickup cancelled',
  'job.cancelled': 'Job cancelled',
  'job.returned': 'Goods returned',
  'job.completed': 'Job completed',
  'job.partially_completed': 'Job completed in part',
  'job.failed': 'Job failed',
  'job.assigned': 'Assigned to a driver',
  'job.unassigned': 'Taken from its driver',
  'job.rescheduled': 'Time window changed',
  'job.accepted': 'Accepted',
  'job.picked_up': 'Goods on board',
  'exception.opened': 'Exception opened',
  'exception.acknowledged': 'Exception acknowledged',
  'exception.resolved': 'Exception resolved',
  'proof.captured': 'Proof captured',
  'proof.superseded': 'Proof superseded',
};

export function wordOfTopic(topic: Topic): string {
  return words[topic];
}

const wordsOfTypes: Readonly<Record<string, string>> = {
  'job.created': 'Order received',
  'job.deleted': 'Job deleted',
  'job.updated': 'Job changed',
  'job.pickup.updated': 'Pickup changed',
  'job.delivery.updated': 'Delivery changed',
};

const wordsOfReasons: Readonly<Record<NotAppliedReason, string>> = {
  already: 'it is so already',
  superseded: 'the job is further on',
  conflict: 'it contradicts the record',
  proof_missing: 'required proof is missing',
};

export function entryOf(event: JobEvent): TimelineEntry {
  const { data } = event;
  const { job } = data;
  const task = [...job.pickups, ...job.deliveries].find((one) => one.id === data.data_id) ?? null;
  const { occurred_at, effective_at, recorded_at } = event;
  const delayMs = Date.parse(recorded_at) - Date.parse(effective_at);
  return {
    event_id: event.id,
    job_sequence: event.job_sequence,
    title: titleOf(event),
    type: event.type,
    topics: event.topics,
    occurred_at,
    effective_at,
    recorded_at,
    delay_s: Math.max(0, Math.round(delayMs / 1_000)),
    actor: event.actor,
    cause: event.cause,
    correlation_id: event.correlation_id,
    applied: event.applied,
    reason: data.reason ?? null,
    implied: event.implied,
    flags: data.flags ?? [],
    job_status: job.status,
    code: codeOf(event),
    task: task === null ? null : summaryOf(task),
    proofs: proofsIn(data.changes),
    exceptions: (data.exceptions ?? []).map(({ id, code, blocking, status, resolution }) => ({
      id,
      code,
      blocking,
      status,
      resolution,
    })),
    changes: data.changes,
  };
}

function summaryOf(task: Task): TimelineEntry['task'] {
  const { id, kind, position, reference, status, driver_id, visits } = task;
  return { id, kind, position, reference, status, driver_id, visit: visits.at(-1)?.number ?? null };
}

function codeOf({ data }: JobEvent): string | null {
  return data.outcome ?? data.reason_code ?? null;
}

function titleOf(event: JobEvent): string {
  const { data, topics, type, applied } = event;
  if (!applied && data.reported !== undefined) {
    const why = data.reason === undefined ? '' : `, but ${wordsOfReasons[data.reason]}`;
    return `Reported: ${data.reported.to.replaceAll('_', ' ')}${why}`;
  }
  const isOwn = type === 'job.created' || type === 'job.deleted';
  const known = (Object.keys(words) as Topic[]).filter((topic) => topics.includes(topic));
  const own = isOwn ? (wordsOfTypes[type] ?? type) : endOfVisit(event);
  const told = [...(own === null ? [] : [own]), ...known.map((topic) => wordOf(topic, event))];
  const [first = wordsOfTypes[type] ?? type, ...rest] = told;
  return [first, ...rest.map((word) => word.charAt(0).toLowerCase() + word.slice(1))].join('; ');
}

/** A visit that ended without ending its task. */
function endOfVisit({ topics, data }: JobEvent): string | null {
  const ended =
    Object.entries(data.changes).find(([pointer]) => /\/visits\/\d+\/outcome$/.test(pointer))?.[1][1] ?? null;
  const isTaskEnded = topics.some((topic) => /^(delivery|pickup)\.(completed|failed)$/.test(topic));
  return ended === null || isTaskEnded ? null : `Visit ended: ${ended}`;
}

/** With the code that it was said with, or those of the cases that it is about. */
function wordOf(topic: Topic, event: JobEvent): string {
  const word = words[topic];
  const status = /^exception\.(\w+)$/.exec(topic)?.[1];
  if (status !== undefined) {
    const wanted = status === 'opened' ? 'open' : status;
    const codes = (event.data.exceptions ?? []).filter((one) => one.status === wanted).map(({ code }) => code);
    return codes.length === 0 ? word : `${word}: ${codes.join(', ')}`;
  }
  const code = codeOf(event);
  return code !== null &&
    /\.(completed|failed|cancelled|unassigned)$/.test(topic) &&
    !/^job\.(completed|failed)$/.test(topic)
    ? `${word}: ${code}`
    : word;
}

/** A proof that came with the event stands in its changes whole, where none was. */
function proofsIn(changes: JobEvent['data']['changes']): Proof[] {
  return Object.entries(changes).flatMap(([pointer, [before, after]]) =>
    /\/proofs\/\d+$/.test(pointer) && before === null && after !== null ? [after as Proof] : [],
  );
}
