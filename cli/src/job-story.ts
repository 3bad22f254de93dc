// What happened to one job, as a story: who asked for what, the events that were written, who was told of them and when.
// Pure but for the colours: trace.ts fetches what stands here.

import type { Attempt } from '@waypost/sdk/endpoints';
import type { WaypostEvent } from '@waypost/sdk/event';
import { describeEvent } from './event-line.ts';
import { formatClock, formatMs, type Terminal } from './terminal.ts';

/** Whom an event was sent to. */
export interface Told {
  endpoint_id: string;
  url: string;
  /** Oldest first. Empty: it still waits. */
  attempts: Pick<Attempt, 'attempt' | 'started_at' | 'duration_ms' | 'outcome' | 'status' | 'error'>[];
}

export interface Chapter {
  correlation_id: string;
  at: string;
  actor: { type: string; id: string };
  /** When it happened by the clock of whoever said so, where that is not when it was recorded. */
  occurred_at: string | null;
  events: { event: WaypostEvent; told: Told[] }[];
}

/** How far a device's clock may be from ours before both times are told. */
const SAME_TIME_MS = 1_000;

/** Events of one request belong together. */
export function tellChapters(events: readonly WaypostEvent[], toldOf: (event: WaypostEvent) => Told[]): Chapter[] {
  const chapters: Chapter[] = [];
  for (const event of events) {
    const { correlation_id, recorded_at, occurred_at, actor } = event;
    const last = chapters.at(-1);
    const line = { event, told: toldOf(event) };
    if (last?.correlation_id === correlation_id && last.at === recorded_at) {
      last.events.push(line);
      if (!event.implied) last.occurred_at = apart(occurred_at, recorded_at);
      continue;
    }
    chapters.push({
      correlation_id,
      at: recorded_at,
      actor,
      occurred_at: event.implied ? null : apart(occurred_at, recorded_at),
      events: [line],
    });
  }
  return chapters;
}

function apart(occurred_at: string, recorded_at: string): string | null {
  return Math.abs(Date.parse(recorded_at) - Date.parse(occurred_at)) > SAME_TIME_MS ? occurred_at : null;
}

/** `names`: what actors are called. */
export function describeChapters(
  chapters: readonly Chapter[],
  paint: Terminal['paint'],
  names: ReadonlyMap<string, string>,
): string[] {
  return chapters.flatMap((chapter) => [
    '',
    describeRequest(chapter, paint, names.get(chapter.actor.id)),
    ...chapter.events.flatMap(({ event, told }) => [
      `  ${String(event.sequence).padStart(6)}  ${paint('dim', `#${event.job_sequence}`)}  ${event.type}  ${describeEvent(event, paint)}`,
      ...told.flatMap((each) => describeTold(event, each, paint)),
    ]),
  ]);
}

function describeRequest(
  { correlation_id, at, actor, occurred_at, events }: Chapter,
  paint: Terminal['paint'],
  name: string | undefined,
): string {
  const isReport = events.some(({ event }) => event.implied || !event.applied);
  const [first] = events;
  const what = first?.event.type === 'job.created' ? 'the order' : isReport ? 'a report' : 'a change';
  const happened = occurred_at === null ? '' : `, happened ${formatClock(occurred_at)}`;
  return `${paint('bold', formatClock(at))}  ${what} by ${name ?? `${actor.type} ${actor.id}`}${happened}  ${paint('dim', `correlation ${correlation_id}`)}`;
}

function describeTold(event: WaypostEvent, { url, attempts }: Told, paint: Terminal['paint']): string[] {
  const indent = '             → ';
  if (attempts.length === 0) return [`${indent}${url}  ${paint('yellow', 'waits')}`];
  return attempts.map(({ attempt, started_at, duration_ms, outcome, status, error }) => {
    const after = formatMs(Math.max(0, Date.parse(started_at) - Date.parse(event.recorded_at)));
    const isDelivered = outcome === 'delivered';
    const result = isDelivered ? `${status} in ${formatMs(duration_ms)}` : (error ?? `${status ?? outcome}`);
    const words = `${outcome} ${result}`;
    const tries = attempt === 1 ? '' : ` (attempt ${attempt})`;
    return `${indent}${url}  ${after} later  ${paint(isDelivered ? 'green' : 'red', words)}${tries}`;
  });
}
