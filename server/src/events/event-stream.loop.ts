// One client's stream of server-sent events: first what the log holds after its place, then what comes, for as long as
// it stays. It takes up no more than one reading at a time: the next is made when the client has taken the one before.

import type { Sql } from '../db/sql.ts';
import { type ErrorCode, WaypostError } from '../errors.ts';
import { noteShown, type Showing } from '../ledger/shown.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { Feed, FeedEvent, Listener } from './feed.loop.ts';
import { isOwedToAll } from './filter.ts';
import { cursorOf, findNewest } from './log.store.ts';
import { epochOf, type LogPlace, writePlace } from './place.ts';
import { findPlace, knowPrevious, type Place, previousOf, pullEvents } from './pull.store.ts';
import { type PullLimits, type Wanted, writeFrame, writePulled } from './pull.ts';
import { renderEvent } from './render.ts';

/** A silent stream says so often that it is alive. */
export const HEARTBEAT_MS = 15_000;
/** What a browser waits before it connects again. */
const RETRY_MS = 2_000;
const READ_LIMITS: PullLimits = { events: 200, scanned: 10_000, bytes: 1_048_576 };

/** What a stream calls its end when its place is no longer good. */
const endings = { cursor_expired: 'expired', log_restored: 'restored' } as const satisfies Partial<
  Record<ErrorCode, string>
>;

export interface StreamParts {
  reads: Sql;
  keys: SubjectKeys;
  feed: Feed;
  heartbeatMs: number;
}

export interface StreamWish {
  world_id: number;
  showing: Showing;
  wanted: Wanted;
  /** Null: from now on. */
  after: LogPlace | null;
  /** What of the request said it. */
  after_pointer: string;
  signal: AbortSignal;
  cut: AbortController;
}

/** How far a stream is. */
interface Reached {
  place: Place;
  log_epoch: number;
}

interface Taken extends Reached {
  frames: Buffer;
  has_more: boolean;
}

export async function* streamEvents(parts: StreamParts, wish: StreamWish): AsyncGenerator<string | Buffer, void> {
  const { reads, feed, heartbeatMs } = parts;
  const { world_id, signal } = wish;
  let listener: Listener | null = null;
  try {
    let { place, log_epoch } = await beginAt(reads, wish);
    const idOf = ({ cursor: { sequence } }: Place) => writePlace({ log_epoch, sequence });
    // A browser that is cut before the first event comes back to this place.
    yield `retry: ${RETRY_MS}\nid: ${idOf(place)}\n\n`;
    let saidAt = performance.now();
    listener = await feed.listen(world_id, { rendering: wish.showing.rendering, signal, cut: wish.cut });
    let isLive = false;
    while (!signal.aborted) {
      const fresh: readonly FeedEvent[] | null = isLive ? await listener.next(place.cursor.sequence) : null;
      const taken: Taken =
        (fresh === null ? null : takeFresh(fresh, wish, { place, log_epoch })) ?? (await readOn(parts, wish, place));
      log_epoch = taken.log_epoch;
      isLive = !taken.has_more;
      place = isLive ? await knowPrevious(reads, world_id, taken.place, wish.wanted) : taken.place;
      const now = performance.now();
      if (taken.frames.length > 0) yield taken.frames;
      else if (now - saidAt >= heartbeatMs) yield `: heartbeat\nid: ${idOf(place)}\n\n`;
      else continue;
      saidAt = now;
    }
  } catch (error) {
    if (!(error instanceof WaypostError)) throw error;
    const name = endings[error.code as keyof typeof endings];
    if (name === undefined) throw error;
    yield `event: ${name}\ndata: ${JSON.stringify({ code: error.code, ...error.extra, detail: error.message })}\n\n`;
  } finally {
    listener?.close();
  }
}

async function beginAt(reads: Sql, { world_id, after, after_pointer }: StreamWish): Promise<Reached> {
  if (after !== null) {
    const { place, end } = await findPlace(reads, world_id, after, after_pointer);
    return { place, log_epoch: end.log_epoch };
  }
  const { log_epoch, ...cursor } = await findNewest(reads, world_id);
  return { place: { cursor, previous: undefined }, log_epoch };
}

/** From the log. */
async function readOn({ reads, keys }: StreamParts, wish: StreamWish, place: Place): Promise<Taken> {
  const { world_id, showing, wanted } = wish;
  const end = await findNewest(reads, world_id);
  const pulled = await pullEvents(reads, world_id, { place, end }, wanted, READ_LIMITS);
  await keys.fetchFor(
    reads,
    pulled.rows.map(({ row }) => row),
  );
  const { log_epoch } = end;
  const frames: string[] = [];
  for (const { row, previous } of pulled.rows) {
    try {
      frames.push(writeFrame(row.sequence, row.type, writePulled(renderEvent(row, keys, showing).text, previous)));
    } catch (error) {
      // A damaged event ends the stream, once what stands before it was told.
      const last = pulled.rows[frames.length - 1]?.row;
      if (last === undefined) throw error;
      const reached = { cursor: cursorOf(last), previous: last.sequence };
      return { frames: Buffer.from(frames.join('')), place: reached, log_epoch, has_more: true };
    }
  }
  const { place: reached, has_more } = pulled;
  return { frames: Buffer.from(frames.join('')), place: reached, log_epoch, has_more };
}

/** From the feed. Null when it has not the rendering: the log has. */
function takeFresh(fresh: readonly FeedEvent[], { showing, wanted }: StreamWish, from: Reached): Taken | null {
  const frames: Buffer[] = [];
  let { cursor, previous } = from.place;
  let { log_epoch } = from;
  for (const event of fresh) {
    cursor = cursorOf(event);
    if (wanted.fits !== null && !wanted.fits(event)) continue;
    const frame = event.frameOf(showing.rendering, previousOf(event.sequence, previous, wanted));
    if (frame === null) return null;
    noteShown(showing, event.personal, () => event.job_id ?? event.data_id);
    frames.push(frame);
    if (isOwedToAll(event.type)) log_epoch = epochOf(frame.toString());
    previous = event.sequence;
  }
  const [only] = frames;
  const joined = frames.length === 1 && only !== undefined ? only : Buffer.concat(frames);
  return { frames: joined, place: { cursor, previous }, log_epoch, has_more: false };
}
