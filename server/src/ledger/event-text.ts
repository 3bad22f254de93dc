// The bytes of an event: how a draft becomes the JSON that is stored, sent and read for ever.
// A line belongs here if it puts a member into an event.

import { createHash, hash } from 'node:crypto';
import type { Command, Document, EventDraft, Instant } from './command.ts';
import { startCutting } from './personal.ts';

/** Version of the event schema that new events are written in. */
export const SCHEMA_VERSION = '2026-11-01';
/** A rendered document may be as large as this (engine.md, limits). */
export const DOCUMENT_BYTES_MAX = 256 * 1024;

/** A draft whose personal values are cut out, before it has its place in the log. */
export interface CutEvent {
  draft: EventDraft;
  document_text: string | null;
  changes_text: string;
  parts: { subject_id: string; values: unknown[] }[];
}

export interface World {
  world_id: number;
  tenant_id: string;
  world: 'live' | 'test';
}

/** Cuts the document first and the changes after it, so that a row may keep the document with the same sealed values. */
export function cutEvent(draft: EventDraft): CutEvent {
  const cutting = startCutting();
  const { document } = draft;
  const document_text = document === null ? null : JSON.stringify(document.cut(document.value, cutting.hole));
  const changes: Record<string, unknown> = {};
  for (const [pointer, [before, after]] of Object.entries(draft.changes)) {
    const cut = document?.cutChange(pointer, document.value, cutting.hole) ?? null;
    changes[pointer] = cut === null ? [before, after] : [cut(before), cut(after)];
  }
  return { draft, document_text, changes_text: JSON.stringify(changes), parts: cutting.parts };
}

/** The text of a document that no event of this command carries. */
export function cutDocument(document: Document): { text: string; parts: CutEvent['parts'] } {
  const cutting = startCutting();
  return { text: JSON.stringify(document.cut(document.value, cutting.hole)), parts: cutting.parts };
}

export interface Placed {
  event_id: string;
  sequence: number;
  recorded_at: Instant;
  log_epoch: number;
  previous_hash: string | null;
}

/** The body of an event: JSON with holes. Members are in a fixed order, `data` last. */
export function writeEventBody(cut: CutEvent, command: Command, world: World, placed: Placed): string {
  const { draft } = cut;
  const recordedAt = placed.recorded_at;
  const head = {
    id: placed.event_id,
    type: draft.type,
    topics: draft.topics,
    schema_version: SCHEMA_VERSION,
    sequence: placed.sequence,
    job_sequence: draft.job_sequence,
    occurred_at: draft.occurred_at ?? recordedAt,
    effective_at: draft.effective_at ?? recordedAt,
    recorded_at: recordedAt,
    correlation_id: command.correlation_id,
    origin_correlation_id: draft.origin_correlation_id ?? command.correlation_id,
    causation_id: draft.causation_id,
    tenant_id: world.tenant_id,
    channel_id: draft.channel_id,
    world: world.world,
    log_epoch: placed.log_epoch,
    actor: command.actor,
    cause: command.cause,
    implied: draft.implied,
    applied: draft.applied,
    previous_hash: placed.previous_hash,
  };
  const document = cut.document_text === null ? '' : `,"${draft.document?.name}":${cut.document_text}`;
  const details = draft.details === undefined ? '' : `,${JSON.stringify(draft.details).slice(1, -1)}`;
  const data = `{"data_id":${JSON.stringify(draft.data_id)}${document},"changes":${cut.changes_text}${details.length > 1 ? details : ''}}`;
  return `${JSON.stringify(head).slice(0, -1)},"data":${data}}`;
}

/** Hash of one event as stored: SHA-256(body, sealed values), hex. The next event of the same object names it. */
export function hashEvent(body: string, personal: Buffer): string {
  return createHash('sha256').update(body).update(personal).digest('hex');
}

/** The chain over a world's log: SHA-256(chain before, hash of the event). */
export function chainEvent(before: Buffer, eventHash: string): Buffer {
  return hash('sha256', Buffer.concat([before, Buffer.from(eventHash, 'hex')]), 'buffer');
}

/** The document inside a stored event body, as it was written; null when the event carries none. */
export function documentIn(body: string): string | null {
  const { data } = JSON.parse(body) as { data: Record<string, unknown> };
  const name = Object.keys(data)[1];
  return name === undefined || name === 'changes' ? null : JSON.stringify(data[name]);
}
