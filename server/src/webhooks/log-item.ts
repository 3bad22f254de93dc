// An event of the log on its way to many endpoints: read once, rendered once for each rendering, as the bytes to send.

import { tagsIn } from '../events/filter.ts';
import type { LogRow } from '../events/log.store.ts';
import { renderEvent } from '../events/render.ts';
import type { Instant, Rendering } from '../ledger/command.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { formatMessage, JSON_HEADERS, type MadeMessage, type Revision } from './message-format.ts';

interface RenderedBody {
  body: Buffer;
  redacted: boolean;
}

export interface LogItem {
  row: LogRow;
  place: { sequence: number; recorded_at: Instant };
  /** What a filter looks at. */
  topics: readonly string[];
  /** Read when the first filter asks for them. */
  tags: readonly string[] | null;
  /** The configuration of the world for which it was rendered: an erased person's values are gone with the next one. */
  config_version: number;
  plain: RenderedBody | null;
  personal: RenderedBody | null;
  /** What a transform made of it for the message that is sent next. */
  transformed: (RenderedBody & { by: Revision }) | null;
}

export function itemOf(row: LogRow, config_version: number): LogItem {
  const topics = row.topics === '' ? [] : row.topics.split(' ');
  const place = { sequence: row.sequence, recorded_at: row.recorded_at.toISOString() };
  return { row, place, topics, config_version, tags: null, plain: null, personal: null, transformed: null };
}

export function readItemTags(item: LogItem): readonly string[] {
  item.tags ??= item.row.job_id === null ? [] : tagsIn(item.row.body);
  return item.tags;
}

/** The message as its endpoint gets it. Null when something has to be fetched or made first. */
export function makeMessage(
  item: LogItem,
  keys: SubjectKeys,
  revision: Revision,
  config_version: number,
): MadeMessage | null {
  const rendered = renderItem(item, keys, revision.rendering, config_version);
  const told = revision.transform === null ? rendered : takeTransformed(item, revision);
  if (rendered === null || told === null) return null;
  const { body, redacted } = told;
  if (revision.format === 'native') return { body, redacted, headers: JSON_HEADERS };
  const { data_id, job_id, traceparent, body: text } = item.row;
  const event = { text, data_id, lane: job_id ?? data_id, traceparent };
  return { ...formatMessage(body, revision, event), redacted };
}

/** Made for one message; it may be large, and is not kept. */
function takeTransformed(item: LogItem, by: Revision): RenderedBody | null {
  const made = item.transformed;
  item.transformed = null;
  return made?.by === by ? made : null;
}

/** The bytes of the event. Null when a key has to be fetched first. */
export function renderItem(
  item: LogItem,
  keys: SubjectKeys,
  rendering: Rendering,
  config_version: number,
): RenderedBody | null {
  if (item.config_version !== config_version) {
    item.plain = null;
    item.personal = null;
    item.transformed = null;
    item.config_version = config_version;
  }
  const known = item[rendering];
  if (known !== null) return known;
  try {
    const { text, redacted } = renderEvent(item.row, keys, rendering);
    const rendered = { body: Buffer.from(text), redacted };
    item[rendering] = rendered;
    return rendered;
  } catch {
    // The key was forgotten meanwhile. Whoever fetches it again sees the true error, if there is one.
    return null;
  }
}
