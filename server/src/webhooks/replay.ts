// Replays: requests to send events again, how they are shown, and when a message of one is given up. Pure rules; the
// ledger and senders call them.

import { WaypostError } from '../errors.ts';
import { compileFilter, compilePatterns, type Filtered } from '../events/filter.ts';
import type { Accepted, Document, Instant, Moment, WorkingSet } from '../ledger/command.ts';
import { draftPlainEvent, plainDocument } from '../ledger/plain-event.ts';
import {
  type EndReason,
  REPLAYS_OPEN_MAX,
  type Replay,
  type ReplayInput,
  type ReplayPlan,
  type ReplayRequest,
} from './replay.schema.ts';
import { openReplaysKind, replayKind, type StoredReplay } from './replay.store.ts';
import { type Failure, JITTER_SHARE, nextTry } from './retry.ts';

/**
 * Pauses after the first, second, … failure of a replayed message. Short: the cursor of a replay waits for it, and what is
 * given up is a dead letter, which has the whole ladder when it is sent again.
 */
export const REPLAY_LADDER_S = [5, 30, 120] as const;

/** When a replayed message is tried again; null: it is given up. */
export function nextReplayTry(tries: number, now: number, jitter: number, retry_after_s: number | null): number | null {
  const pause = REPLAY_LADDER_S[tries - 1];
  if (pause === undefined) return null;
  const laddered = Math.round(pause * 1_000 * (1 + JITTER_SHARE * jitter));
  return now + Math.max(laddered, (retry_after_s ?? 0) * 1_000);
}

/** The same of any message: its ladder is that of first sendings, or of replays. */
export function nextTryOf(
  { replay, rung: tries }: { replay: string | null; rung: number },
  failure: Omit<Failure, 'tries'>,
): number | null {
  const { now, jitter, retry_after_s } = failure;
  return replay === null ? nextTry({ tries, ...failure }) : nextReplayTry(tries, now, jitter, retry_after_s);
}

/** What of an event is looked at. */
export interface Choosable extends Filtered {
  job_id: string | null;
}

/** Which events a replay sends. `isOwed`: those that the endpoint's filter takes; null: all. */
export function compileChoice({ filter, job_ids, types }: Pick<ReplayPlan, 'filter' | 'job_ids' | 'types'>): {
  isOwed: ((event: Filtered) => boolean) | null;
  isWanted: (event: Choosable) => boolean;
} {
  const takesAll =
    filter.channel_ids === null && filter.tags === null && [...filter.types, ...filter.topics].includes('*');
  const isOwed = takesAll ? null : compileFilter(filter);
  const jobs = job_ids === null ? null : new Set(job_ids);
  const fits = types === null ? null : compilePatterns(types);
  return {
    isOwed,
    isWanted: (event) =>
      (isOwed === null || isOwed(event)) &&
      (jobs === null || (event.job_id !== null && jobs.has(event.job_id))) &&
      (fits === null || fits(event.type) || event.topics.some(fits)),
  };
}

/** What the first sending named as previous: nothing from before the endpoint's beginning. */
export function previousFor(sequence: number, previous: number | null, start_sequence: number): number | null {
  return previous !== null && sequence > start_sequence && previous <= start_sequence ? null : previous;
}

const isoOf = (text: string | undefined): Instant | null => (text === undefined ? null : new Date(text).toISOString());

/** A replay of everything is asked for in words: `from_sequence: 1`. */
export function requireChoice(input: ReplayInput): void {
  const { from_sequence, until_sequence, since, until, job_ids, types, dead_letters } = input;
  const named = [from_sequence, until_sequence, since, until, job_ids, types];
  if (named.some((each) => each !== undefined) || dead_letters === true) return;
  const message =
    'Say what to send again, such as from_sequence, since, job_ids, types or dead_letters; from_sequence 1 is everything.';
  throw new WaypostError('invalid_request', message, {
    faults: [{ pointer: '', code: 'nothing_chosen', message }],
  });
}

export function requestReplay(
  set: WorkingSet,
  moment: Moment,
  input: ReplayInput,
  plan: ReplayPlan,
  total: number | null,
): Accepted {
  const open = set.get(openReplaysKind, plan.target_id) ?? 0;
  if (open >= REPLAYS_OPEN_MAX) {
    const detail = `${open} replays into this endpoint are not over; wait for one, or cancel one.`;
    throw new WaypostError('limit_reached', detail, { extra: { limit: REPLAYS_OPEN_MAX } });
  }
  const request: ReplayRequest = {
    id: moment.mint('rpl'),
    endpoint_id: plan.endpoint_id,
    to: plan.target_id === plan.endpoint_id ? null : plan.target_id,
    from_sequence: plan.from.sequence + 1,
    until_sequence: plan.end.sequence,
    since: isoOf(input.since),
    until: isoOf(input.until),
    job_ids: input.job_ids ?? null,
    types: input.types ?? null,
    dead_letters: plan.dead_letters,
    rate_per_s: plan.rate_per_s,
    total,
    requested_at: moment.now,
    ended_at: null,
    end_reason: null,
    result: null,
  };
  const stored: StoredReplay = { request, plan: { ...plan, requested_at: moment.now }, hash: null };
  const accepted = accept(stored, 'endpoint.replay_requested', {});
  return {
    ...accepted,
    puts: [...accepted.puts, { kind: openReplaysKind as never, key: plan.target_id, value: open + 1 }],
    reply: { status: 202, body: showReplay(request, null, null), version: null, location: `/v1/replays/${request.id}` },
  };
}

/** It is over: its sender has sent everything, somebody stopped it, or its endpoint is gone. One that is over stays so. */
export function endReplay(
  set: WorkingSet,
  moment: Moment,
  id: string,
  end_reason: EndReason,
  result: ReplayRequest['result'] = null,
): Accepted {
  const stored = set.get(replayKind, id);
  if (stored === undefined) throw noReplay(id);
  // What became of the events is not known here: whoever asks is answered from what was written.
  const reply = { status: 200, body: null, version: null, location: null };
  if (stored.request.ended_at !== null) return { events: [], puts: [], reply };
  const request: ReplayRequest = { ...stored.request, ended_at: moment.now, end_reason, result };
  const changes: Record<string, [unknown, unknown]> = {
    ended_at: [null, moment.now],
    end_reason: [null, end_reason],
  };
  if (result !== null) changes.result = [null, result];
  const type = end_reason === 'completed' ? 'endpoint.replay_completed' : 'endpoint.replay_cancelled';
  return { ...accept({ ...stored, request }, type, changes), reply };
}

export function noReplay(id: string): WaypostError {
  return new WaypostError('not_found', `There is no replay with the id ${id}.`);
}

/** A key that is bound to channels sees replays between its own endpoints only. */
export function isReplayVisible(
  { endpoint_id, to }: Pick<ReplayRequest, 'endpoint_id' | 'to'>,
  visible: readonly string[] | null,
): boolean {
  return visible === null || (visible.includes(endpoint_id) && (to === null || visible.includes(to)));
}

/** How far its sender is. */
export interface ReplayPlace {
  phase: 'events' | 'closing';
  sequence: number;
  sent: number;
  delivered: number;
  failed: number;
  closed: number;
  started_at: Instant;
  saved_at: Instant;
}

export function showReplay(
  { result, ...request }: ReplayRequest,
  place: ReplayPlace | null,
  waiting_for: Replay['waiting_for'],
): Replay {
  const { end_reason, ended_at, until_sequence } = request;
  const isClosing = place?.phase === 'closing';
  const state = {
    completed: 'completed',
    cancelled: 'cancelled',
    endpoint_deleted: 'ended',
    open: waiting_for === null ? 'running' : 'waiting',
  } as const;
  const { delivered = 0, failed = 0, closed = 0 } = result ?? place ?? {};
  const as_of = result === null ? (place?.saved_at ?? null) : ended_at;
  const seconds = place === null || as_of === null ? 0 : (Date.parse(as_of) - Date.parse(place.started_at)) / 1_000;
  return {
    ...request,
    state: state[end_reason ?? 'open'],
    waiting_for: ended_at === null ? waiting_for : null,
    progress: {
      phase: place?.phase ?? 'events',
      sequence: isClosing || result !== null ? until_sequence : (place?.sequence ?? request.from_sequence - 1),
      sent: result === null ? (place?.sent ?? 0) : delivered + failed,
      ...{ delivered, failed, closed },
      per_s: seconds <= 0 ? null : Math.round((delivered / seconds) * 10) / 10,
      as_of,
    },
  };
}

/** What of a replay its events carry. */
export function requestIn(replay: Replay): ReplayRequest {
  const { state: _state, waiting_for: _waiting, progress: _progress, ...request } = replay;
  return { ...request, result: null };
}

function accept(
  stored: StoredReplay,
  type: string,
  changes: Record<string, [unknown, unknown]>,
): Omit<Accepted, 'reply'> {
  const { request } = stored;
  return {
    events: [draftPlainEvent({ type, document: documentOf(request), changes, previous_hash: stored.hash })],
    puts: [{ kind: replayKind as never, key: request.id, value: stored, document_of: request.id }],
    // Senders look for what they are asked when the configuration changes.
    config_changed: true,
  };
}

function documentOf(request: ReplayRequest): Document<ReplayRequest> {
  return plainDocument('replay', request);
}
