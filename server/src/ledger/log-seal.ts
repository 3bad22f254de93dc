// Sealing a day: the chain over a world's log as it stood when the day ended goes out as an event, so that whoever keeps
// what they got can prove later what the log held. A line belongs here if it says what a seal is.

import type { Accepted, Actor, Command, Moment, WorkingSet } from './command.ts';
import { type ChainPlace, logDayKind } from './log-seal.store.ts';

/** Where every chain begins. */
const CHAIN_START: ChainPlace = { sequence: 0, chain: '00'.repeat(32) };
const DAY_MS = 86_400_000;
const actor: Actor = { type: 'system', id: 'waypost' };

/** The days from one on up to the one before another, at most `limit` of them. */
export function listDays(first: string, before: string, limit: number): string[] {
  const days: string[] = [];
  for (let at = Date.parse(first); at < Date.parse(before) && days.length < limit; at += DAY_MS) days.push(dayOf(at));
  return days;
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const dayBefore = (day: string) => dayOf(Date.parse(day) - DAY_MS);

/** Seals one day of one world; does nothing when somebody has done so, so that any number of processes may ask for it. */
export function sealDayCommand(world_id: number, day: string, correlation_id: string): Command {
  const kind = logDayKind as never;
  return {
    name: 'log.seal',
    world_id,
    actor,
    cause: 'rule',
    correlation_id,
    idempotency: null,
    queue: 'log.seal',
    load: [() => [dayBefore(day), day].map((key) => ({ kind, key }))],
    decide: (set, moment) => sealDay(set, moment, day),
  };
}

function sealDay(set: WorkingSet, moment: Moment, day: string): Accepted {
  const reply = { status: 200, body: null, version: null, location: null };
  const known = set.get(logDayKind, day);
  // Until the clock behind the lock has left the day, more may be recorded on it.
  if (known === undefined || known.sealed !== null || moment.now.slice(0, 10) <= day)
    return { events: [], puts: [], reply };
  const { first_sequence } = known;
  const before = set.get(logDayKind, dayBefore(day))?.sealed ?? (first_sequence === 1 ? CHAIN_START : null);
  const end = known.end ?? before;
  if (end === null) return { events: [], puts: [], reply };
  const events = known.end === null || first_sequence === null ? 0 : end.sequence - first_sequence + 1;
  const details = {
    day,
    first_sequence,
    last_sequence: end.sequence,
    events,
    root: end.chain,
    root_before: before?.chain ?? null,
  };
  return { events: [eventOf(details)], puts: [putOf(day, { ...known, sealed: end })], reply };
}

const putOf = (key: string, value: object) => ({ kind: logDayKind as never, key, value });

/** Each day is an object of its own. */
function eventOf(details: { day: string } & Record<string, unknown>) {
  return {
    type: 'log.sealed',
    topics: [],
    data_id: details.day,
    job_id: null,
    job_sequence: null,
    channel_id: null,
    document: null,
    changes: {},
    details,
    occurred_at: null,
    effective_at: null,
    implied: false,
    applied: true,
    causation_id: null,
  };
}
