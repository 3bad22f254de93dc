// Named consumers as the ledger makes and deletes them. What each has read is no business of the log's: their readers
// write it down themselves (consumer-cursor.store.ts).

import { channelKind } from '../channels/channel.store.ts';
import { WaypostError } from '../errors.ts';
import type { Accepted, Document, EventDraft, Instant, Moment, WorkingSet } from '../ledger/command.ts';
import { DOCUMENT } from '../ledger/command.ts';
import { draftPlainEvent, plainDocument } from '../ledger/plain-event.ts';
import { type Loads, refTo, requireVersion } from '../ledger/resource.ts';
import { CONSUMERS_MAX, type ConsumerDocument, type ConsumerInput } from './consumer.schema.ts';
import { consumerCountKind, consumerKind, consumerNameKind } from './consumer.store.ts';
import { patternFaults } from './event-types.ts';

/** A place in the log; null: just after the event that makes the consumer. */
export type Start = { sequence: number; recorded_at: Instant } | null;

export interface StoredConsumer {
  consumer: ConsumerDocument;
  deleted_at: Instant | null;
  start: Start;
  event_id: string | null;
  hash: string | null;
}

const COUNT = 'count';

export function loadsToCreate(input: ConsumerInput): Loads {
  return [
    () => [
      refTo(consumerNameKind, input.name),
      refTo(consumerCountKind, COUNT),
      ...(input.channel_ids ?? []).map((id) => refTo(channelKind, id)),
    ],
    (set) => {
      const id = set.get(consumerNameKind, input.name) ?? null;
      return id === null ? [] : [refTo(consumerKind, id)];
    },
  ];
}

/** The same request again is answered with what stands; another under the same name is refused. */
export function createConsumer(
  set: WorkingSet,
  moment: Moment,
  input: ConsumerInput,
  start: Start,
  bound_to: readonly string[] | null,
): Accepted {
  requireKnown(set, input, bound_to);
  const wanted = {
    description: input.description ?? null,
    types: input.types ?? ['*'],
    channel_ids: input.channel_ids ?? (bound_to === null ? null : [...bound_to]),
  };
  const id = set.get(consumerNameKind, input.name) ?? null;
  const standing = id === null ? undefined : set.get(consumerKind, id);
  if (standing !== undefined) return acceptAgain(standing, wanted);
  const count = set.get(consumerCountKind, COUNT) ?? 0;
  if (count >= CONSUMERS_MAX)
    throw new WaypostError('limit_reached', `A world has at most ${CONSUMERS_MAX} consumers; delete one first.`, {
      extra: { limit: CONSUMERS_MAX },
    });
  const consumer = { id: moment.mint('csm'), name: input.name, ...wanted, created_at: moment.now, version: 1 };
  const stored: StoredConsumer = { consumer, deleted_at: null, start, event_id: null, hash: null };
  return {
    events: [draftEvent('consumer.created', stored)],
    puts: [
      { kind: consumerKind, key: consumer.id, value: stored, document_of: consumer.id },
      { kind: consumerNameKind, key: consumer.name, value: consumer.id },
      { kind: consumerCountKind, key: COUNT, value: count + 1 },
    ],
    reply: { status: 201, body: DOCUMENT, version: 1, location: `/v1/consumers/${consumer.name}` },
  };
}

function acceptAgain(
  stored: StoredConsumer,
  wanted: Pick<ConsumerDocument, 'description' | 'types' | 'channel_ids'>,
): Accepted {
  const { consumer } = stored;
  const differing = (['types', 'channel_ids'] as const).filter(
    (name) => listOf(consumer[name]) !== listOf(wanted[name]),
  );
  if (differing.length > 0)
    throw new WaypostError(
      'consumer_exists',
      `The consumer ${consumer.name} reads something else: it was made with other ${differing.join(' and ')}, and a consumer never changes. Take another name, or delete it first.`,
      { extra: { differing: differing.map((name) => `/${name}`) } },
    );
  return {
    events: [],
    puts: [],
    reply: {
      status: 200,
      body: DOCUMENT,
      version: 1,
      location: null,
      document: documentOf(consumer),
      ...(stored.event_id !== null && { event_id: stored.event_id }),
    },
  };
}

const listOf = (names: readonly string[] | null) => names?.toSorted().join() ?? null;

function requireKnown(set: WorkingSet, input: ConsumerInput, bound_to: readonly string[] | null): void {
  const faults = patternFaults(input.types, (index) => `/types/${index}`);
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The consumer asks for events that do not exist.', { faults });
  const unknown = (input.channel_ids ?? []).flatMap((id, index) =>
    set.get(channelKind, id) === undefined || (bound_to !== null && !bound_to.includes(id))
      ? [{ pointer: `/channel_ids/${index}`, code: 'unknown_channel', message: `There is no channel ${id}.` }]
      : [],
  );
  if (unknown.length > 0)
    throw new WaypostError('unknown_reference', 'The request names a channel that does not exist.', {
      faults: unknown,
    });
}

export function loadsToDelete(id: string): Loads {
  return [() => [refTo(consumerKind, id), refTo(consumerCountKind, COUNT)]];
}

export function deleteConsumer(set: WorkingSet, moment: Moment, id: string, if_match: number | null): Accepted {
  const stored = set.get(consumerKind, id);
  if (stored === undefined || stored.deleted_at !== null)
    throw new WaypostError('not_found', 'There is no such consumer any more.');
  requireVersion(stored.consumer, if_match);
  const gone = { ...stored, deleted_at: moment.now };
  const count = set.get(consumerCountKind, COUNT) ?? 1;
  return {
    events: [draftEvent('consumer.deleted', gone)],
    puts: [
      { kind: consumerKind, key: id, value: gone, document_of: id },
      { kind: consumerNameKind, key: stored.consumer.name, value: null },
      { kind: consumerCountKind, key: COUNT, value: count - 1 },
    ],
    reply: { status: 204, body: null, version: null, location: null },
  };
}

function draftEvent(type: string, { consumer, hash }: StoredConsumer): EventDraft {
  return draftPlainEvent({ type, document: documentOf(consumer), previous_hash: hash });
}

function documentOf(consumer: ConsumerDocument): Document<ConsumerDocument> {
  return plainDocument('consumer', consumer);
}
