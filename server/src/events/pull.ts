// What a pull of the log asks for, and the form in which it gets each event: list, stream and consumers are the same
// reading. A line belongs here if it decides that from values alone.

import { WaypostError } from '../errors.ts';
import { patternFaults } from './event-types.ts';
import { compileFilter, type Filter, type Filtered, isOwedToAll, tagsIn } from './filter.ts';
import { type Epoch, epochOf, keptOf, type LogPlace, writePlace } from './place.ts';

/** How much one reading may look through, read and answer. */
export interface PullLimits {
  events: number;
  /** A sparse filter looks through at most this many events, then answers how far it came. */
  scanned: number;
  /** Texts of so many bytes end a reading, though it holds at least one event. */
  bytes: number;
}

/** Of one page of a list, whatever its limit says: an event may be a quarter of a megabyte long. */
export const PAGE_LIMITS: Omit<PullLimits, 'events'> = { scanned: 10_000, bytes: 8_388_608 };

/** What an event can be chosen by, as a row of the log has it. */
export interface Chosen {
  type: string;
  /** Joined by spaces. */
  topics: string;
  job_id: string | null;
  channel_id: string | null;
  /** Of a head that was read with its tags. */
  tags?: string | null;
  /** Of a whole row. */
  body?: string;
}

export interface Wanted {
  job_id: string | null;
  /** Heads have to be read with their tags. */
  needs_tags: boolean;
  /** Null: every event is wanted. */
  fits: ((event: Chosen) => boolean) | null;
}

export interface Wishes {
  /** Of the caller's key; null: all channels and what belongs to none. */
  channel_ids: readonly string[] | null;
  types: readonly string[] | null;
  /** What an endpoint filters by; null: none was named. */
  filter: Filter | null;
  job_id: string | null;
}

/** Compiles what is wanted once for many events. */
export function compileWanted({ channel_ids, types, filter, job_id }: Wishes): Wanted {
  const filters = [
    ...(types === null ? [] : [compileFilter({ types, topics: types, channel_ids: null, tags: null })]),
    ...(filter === null ? [] : [compileFilter(filter)]),
  ];
  const needs_tags = (filter?.tags ?? null) !== null;
  if (filters.length === 0 && channel_ids === null && job_id === null) return { job_id, needs_tags, fits: null };
  return {
    job_id,
    needs_tags,
    fits(event) {
      if (job_id !== null && event.job_id !== job_id) return false;
      if (!isVisible(channel_ids, event)) return false;
      if (filters.length === 0) return true;
      const filtered = filteredOf(event);
      return filters.every((filter) => filter(filtered));
    },
  };
}

export function filteredOf({ type, topics, channel_id, tags, body }: Chosen): Filtered {
  return {
    type,
    topics: topics === '' ? [] : topics.split(' '),
    channel_id,
    readTags() {
      if (body !== undefined) return tagsIn(body);
      if (tags === undefined) throw new Error('the heads were read without their tags');
      return tags === null ? [] : (JSON.parse(tags) as (string[] | null)[]).flatMap((list) => list ?? []);
    },
  };
}

/** A key that is bound to channels reads only their events. */
export function isVisible(channel_ids: readonly string[] | null, event: Pick<Chosen, 'type' | 'channel_id'>): boolean {
  if (isOwedToAll(event.type)) return true;
  return channel_ids === null || (event.channel_id !== null && channel_ids.includes(event.channel_id));
}

/** A misspelt name would wait for ever, as if nothing happened. */
export function requireKnownTypes(types: readonly string[] | undefined): void {
  const faults = patternFaults(types, () => 'query/types');
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The request asks for events that do not exist.', { faults });
}

/** A pulled event says beside what it is which one came before it: `previous` is the last member of its text. */
export function writePulled(text: string, previous: number | null): string {
  return `${text.slice(0, -1)},"previous":${previous}}`;
}

/** One event of a stream of server-sent events: its id is its place. JSON text holds no line break. */
export function writeFrame(sequence: number, type: string, text: string): string {
  return `id: ${writePlace({ log_epoch: epochOf(text), sequence })}\nevent: ${type}\ndata: ${text}\n\n`;
}

export function refuseExpired(oldest: number): WaypostError {
  return new WaypostError(
    'cursor_expired',
    `The log reaches back to ${oldest}; what was before is no longer kept. Compare your data with ours, then go on with after=${oldest - 1}.`,
    { extra: { oldest_sequence: oldest } },
  );
}

/** The place belongs to what the log held before it was restored: whoever stands there believes what is no longer so. */
export function refuseRestored(after: LogPlace, end: LogPlace, epochs: readonly Epoch[]): WaypostError {
  const sequence = keptOf(after.log_epoch, epochs);
  const go_on_after = writePlace({ log_epoch: end.log_epoch, sequence });
  const detail =
    sequence === 0
      ? `The log was restored from a backup that does not know the epoch ${after.log_epoch}. Compare your data with ours, then go on with after=${go_on_after}.`
      : `The log was restored from a backup: what it held after ${sequence} is lost, and other events have these numbers now. Forget what you got after ${sequence}, then go on with after=${go_on_after}.`;
  return new WaypostError('log_restored', detail, {
    extra: { log_epoch: end.log_epoch, last_sequence: sequence, go_on_after },
  });
}
