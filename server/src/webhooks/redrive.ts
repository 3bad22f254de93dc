// Redrives: requests to send dead letters again. A request says which letters it means; senders take them on a few at a
// time. Pure rules; the ledger calls them.

import { WaypostError } from '../errors.ts';
import type { Accepted, Document, Instant, Moment, WorkingSet } from '../ledger/command.ts';
import { draftPlainEvent, plainDocument } from '../ledger/plain-event.ts';
import type { Asked, Redrive, RedriveInput, RedriveRequest } from './redrive.schema.ts';
import { redriveKind, type StoredRedrive } from './redrive.store.ts';

const isoOf = (text: string | undefined): Instant | null => (text === undefined ? null : new Date(text).toISOString());

/** What a request asks for. `visible`: the endpoints that its key may see; null: all. */
export function askedBy(input: RedriveInput, visible: readonly string[] | null): Asked {
  const named = input.endpoint_id === undefined ? null : [input.endpoint_id];
  return {
    endpoint_ids: named ?? (visible === null ? null : [...visible]),
    dead_letter_ids: input.dead_letter_ids ?? null,
    types: input.types ?? null,
    job_id: input.job_id ?? null,
    reason: input.reason ?? null,
    died_since: isoOf(input.died_since),
    died_until: isoOf(input.died_until),
  };
}

export function requestRedrive(moment: Moment, asked: Asked, matching: number): Accepted {
  const request = { id: moment.mint('rdr'), requested_at: moment.now, cancelled_at: null, ...asked, matching };
  const stored = { request, exhausted_at: null, hash: null };
  const accepted = accept(stored, 'endpoint.redrive_requested', {});
  const progress = { remaining: matching, redriving: 0, delivered: 0, dead: 0 };
  return {
    ...accepted,
    reply: {
      status: 202,
      body: { ...request, state: 'running', progress },
      version: null,
      location: `/v1/redrives/${request.id}`,
    },
  };
}

/** No further letters are taken on; what is being sent goes on. */
export function cancelRedrive(set: WorkingSet, moment: Moment, id: string): Accepted {
  const stored = set.get(redriveKind, id);
  if (stored === undefined) throw noRedrive(id);
  const { request, exhausted_at } = stored;
  // What became of the letters is not known here: whoever asks is answered from what was written.
  const reply = { status: 200, body: null, version: null, location: null };
  if (request.cancelled_at !== null || exhausted_at !== null) return { events: [], puts: [], reply };
  const cancelled = { ...stored, request: { ...request, cancelled_at: moment.now } };
  const changes = { cancelled_at: [null, moment.now] as [unknown, unknown] };
  return { ...accept(cancelled, 'endpoint.redrive_cancelled', changes), reply };
}

export function noRedrive(id: string): WaypostError {
  return new WaypostError('not_found', `There is no redrive with the id ${id}.`);
}

/** A key that is bound to channels sees redrives of its own endpoints only. */
export function isRedriveVisible(request: Pick<Asked, 'endpoint_ids'>, visible: readonly string[] | null): boolean {
  return visible === null || (request.endpoint_ids?.every((id) => visible.includes(id)) ?? false);
}

export interface Counted {
  remaining: number;
  redriving: number;
  delivered: number;
  dead: number;
}

export function showRedrive(request: RedriveRequest, exhausted_at: Instant | null, progress: Counted): Redrive {
  const isOver = exhausted_at !== null && progress.redriving === 0;
  const state = request.cancelled_at !== null ? 'cancelled' : isOver ? 'finished' : 'running';
  return { ...request, state, progress };
}

function accept(
  stored: StoredRedrive,
  type: string,
  changes: Record<string, [unknown, unknown]>,
): Omit<Accepted, 'reply'> {
  const { request } = stored;
  return {
    events: [draftPlainEvent({ type, document: documentOf(request), changes, previous_hash: stored.hash })],
    puts: [{ kind: redriveKind as never, key: request.id, value: stored, document_of: request.id }],
    // Senders look for what they are asked when the configuration changes.
    config_changed: true,
  };
}

function documentOf(request: RedriveRequest): Document<RedriveRequest> {
  return plainDocument('redrive', request);
}
