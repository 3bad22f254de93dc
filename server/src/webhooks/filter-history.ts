// By which filter an event is judged that may have been sent before: the one that was in force when it was read first,
// so that every message names the same previous one however often a sender is followed by another.
// Pure; what a sender saves of it is a text beside its cursor.

import { compileFilter, type Filter, type Filtered } from '../events/filter.ts';

interface Span {
  /** The last sequence that was read under this filter; null: it is in force. */
  until: number | null;
  filter: Filter;
}

interface CompiledSpan extends Span {
  /** Null: no event was judged by it yet. */
  fits: ((event: Filtered) => boolean) | null;
}

/** What a cursor's row says: as `textAfter` wrote it, and how far the log was read by then. */
export interface SavedFilters {
  text: string;
  read_to: number;
}

export class FilterHistory {
  #spans: CompiledSpan[];
  #text: string | null = null;
  /** How far an earlier owner of the lease had read. */
  readonly #readBefore: number;

  constructor(saved: SavedFilters | null, current: Filter) {
    this.#readBefore = saved?.read_to ?? 0;
    const spans = saved === null ? [] : (JSON.parse(saved.text) as Span[]);
    this.#spans = spans.map(({ until, filter }) => compile(until ?? this.#readBefore, filter));
    const last = this.#spans.at(-1);
    if (last !== undefined && isSame(last.filter, current)) last.until = null;
    else this.#spans = [...this.#spans, compile(null, current)];
  }

  fits(sequence: number, event: Filtered): boolean {
    for (const span of this.#spans) {
      if (span.until !== null && sequence > span.until) continue;
      span.fits ??= compileFilter(span.filter);
      return span.fits(event);
    }
    return false;
  }

  /** How far events were judged when this owner of the lease has read so far: one before it may have read further. */
  judgedTo(readTo: number): number {
    return Math.max(readTo, this.#readBefore);
  }

  /** Another filter is in force for everything after what was judged, now that it is read up to `readTo`. */
  change(filter: Filter, readTo: number): void {
    const last = this.#spans.at(-1);
    if (last === undefined || isSame(last.filter, filter)) return;
    this.#text = null;
    const judgedTo = this.judgedTo(readTo);
    const isUsed = judgedTo > (this.#spans.at(-2)?.until ?? 0);
    if (isUsed) last.until = judgedTo;
    else this.#spans.pop();
    this.#spans.push(compile(null, filter));
  }

  /** What has to be known about events after a cursor. */
  textAfter(cursor: number): string {
    const needed = this.#spans.filter(({ until }) => until === null || until > cursor);
    if (needed.length < this.#spans.length) this.#text = null;
    this.#spans = needed;
    this.#text ??= JSON.stringify(needed.map(({ until, filter }) => ({ until, filter })));
    return this.#text;
  }
}

function compile(until: number | null, filter: Filter): CompiledSpan {
  // What was saved before there were tags names none.
  const { types, topics, channel_ids, tags = null } = filter as Filter & { tags?: Filter['tags'] };
  return { until, filter: { types, topics, channel_ids, tags }, fits: null };
}

function isSame(a: Filter, b: Filter): boolean {
  const textOf = ({ types, topics, channel_ids, tags }: Filter) => JSON.stringify([types, topics, channel_ids, tags]);
  return textOf(a) === textOf(b);
}
