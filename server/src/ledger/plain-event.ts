// Events about what is no job and holds nothing personal: a key, a channel, a consumer, a replay. A line belongs here if all
// of them need it.

import type { Document, EventDraft } from './command.ts';

/** Nothing in it is personal. */
export function plainDocument<T extends object>(name: string, value: T): Document<T> {
  return { name, value, cut: (whole) => whole, cutChange: () => null };
}

export interface PlainEvent {
  type: string;
  document: Document<{ id: string }>;
  changes?: EventDraft['changes'];
  details?: EventDraft['details'];
  /** Of the last event about it. */
  previous_hash: string | null;
  channel_id?: string | null;
}

/** It happened when it is recorded, because that is when it was asked for. */
export function draftPlainEvent({
  type,
  document,
  changes,
  details,
  previous_hash,
  channel_id,
}: PlainEvent): EventDraft {
  return {
    type,
    topics: [],
    data_id: document.value.id,
    job_id: null,
    job_sequence: null,
    channel_id: channel_id ?? null,
    document: document as Document,
    changes: changes ?? {},
    ...(details !== undefined && { details }),
    occurred_at: null,
    effective_at: null,
    implied: false,
    applied: true,
    causation_id: null,
    previous_hash,
  };
}
