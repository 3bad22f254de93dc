// What happened to one job, as a story: who asked for what, the events that were written, who was told of them and when.
// Pure but for the colours: trace.ts fetches what stands here.

import type { WaypostEvent } from '@waypost/sdk/event';
import type { TracedEvent } from '@waypost/sdk/traces';
import { describeEvent } from './event-line.ts';
import { formatClock, formatMs, type Terminal } from './terminal.ts';

/** Whom an event was sent to, or for whom it waits. */
export type Told = NonNullable<TracedEvent['messages']>[number] & { url: string; endpoint_status: string };

export interface Chapter {
  correlation_id: string;
  at: string;
  actor: { type: string; id: string };
  /** When it happened by the clock of whoever said so, where that is not when it was recorded. */
  occurred_at: string | null;
  events: { event: WaypostEvent; told: Told[] }[];
}

type Paint = Terminal['paint'];

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
  paint: Paint,
  names: ReadonlyMap<string, string>,
): string[] {
  return chapters.flatMap((chapter) => [
    '',
    describeRequest(chapter, paint, names.get(chapter.actor.id)),
    ...chapter.events.flatMap(({ event, told }) => [
      `  ${String(event.sequence).padStart(6)}  ${event.type.padEnd(20)}  ${describeEvent(event, paint)}`,
      ...told.flatMap((each) => describeTold(event.recorded_at, each, paint)),
    ]),
  ]);
}

function describeRequest(
  { correlation_id, at, actor, occurred_at, events }: Chapter,
  paint: Paint,
  name: string | undefined,
): string {
  const isReport = events.some(({ event }) => event.implied || !event.applied);
  const what = events[0]?.event.type === 'job.created' ? 'the order' : isReport ? 'a report' : 'a change';
  const happened = occurred_at === null ? '' : `, happened ${formatClock(occurred_at)}`;
  const by = name ?? `${actor.type} ${actor.id}`;
  return `${paint('bold', formatClock(at))}  ${what} by ${by}${happened}  ${paint('dim', `correlation ${correlation_id}`)}`;
}

function describeTold(recordedAt: string, told: Told, paint: Paint): string[] {
  const head = `          → ${told.url}  `;
  const lines = told.attempts.map(({ attempt, started_at, duration_ms, outcome, status, error }) => {
    const isDelivered = outcome === 'delivered';
    const result = isDelivered ? `${status} in ${formatMs(duration_ms)}` : (error ?? `answered ${status}`);
    const tries = attempt === 1 ? '' : ` (attempt ${attempt})`;
    const after = formatMs(Math.max(0, Date.parse(started_at) - Date.parse(recordedAt)));
    return `${head}${paint(isDelivered ? 'green' : 'red', `${outcome} ${result}`)}, ${after} after it was written${tries}`;
  });
  const state = describeState(told);
  return state === null ? lines : [...lines, `${head}${paint('yellow', state)}`];
}

/** What comes next; null when nothing does. */
function describeState({ state, next_attempt_at, dead_letter_id, endpoint_status }: Told): string | null {
  switch (state) {
    case 'delivered':
      return null;
    case 'retrying':
      return next_attempt_at === null ? 'is tried again' : `is tried again at ${formatClock(next_attempt_at)}`;
    case 'in_flight':
      return 'is on its way';
    case 'waiting':
      return 'waits behind an earlier event of the job';
    case 'superseded':
      return 'was not sent: a newer one of its type went out instead';
    case 'expired':
      return 'was not sent: its time to live had ended';
    case 'dead':
      return `dead letter ${dead_letter_id}`;
    case 'pending':
      if (endpoint_status === 'unverified') return 'waits: the endpoint has not answered its test yet';
      return endpoint_status === 'paused' ? 'waits: the endpoint is paused' : 'waits: the endpoint has not come so far';
  }
}
