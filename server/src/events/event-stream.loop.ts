// One client's stream of server-sent events: first what the log holds after its place, then what comes, for as long as
// it stays. It takes up no more than one reading at a time: the next is made when the client has taken the one before.

import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { Rendering } from '../ledger/command.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { Feed, FeedEvent, Listener } from './feed.loop.ts';
import { findNewest } from './log.store.ts';
import { findPlace, knowPrevious, type Place, previousOf, pullEvents } from './pull.store.ts';
import { type PullLimits, type Wanted, writeFrame, writePulled } from './pull.ts';
import { renderEvent } from './render.ts';

/** A silent stream says so often that it is alive. */
export const HEARTBEAT_MS = 15_000;
/** What a browser waits before it connects again. */
const RETRY_MS = 2_000;
const READ_LIMITS: PullLimits = { events: 200, scanned: 10_000, bytes: 1_048_576 };

export interface StreamParts {
  reads: Sql;
  keys: SubjectKeys;
  feed: Feed;
  heartbeatMs: number;
}

export interface StreamWish {
  world_id: number;
  rendering: Rendering;
  wanted: Wanted;
  /** Null: from now on. */
  after: number | null;
  signal: AbortSignal;
  cut: AbortController;
}

interface Taken {
  frames: Buffer;
  place: Place;
  has_more: boolean;
}

export async function* streamEvents(parts: StreamParts, wish: StreamWish): AsyncGenerator<string | Buffer, void> {
  const { reads, feed, heartbeatMs } = parts;
  const { world_id, signal } = wish;
  let listener: Listener | null = null;
  try {
    let place = await beginAt(reads, wish);
    // A browser that is cut before the first event comes back to this place.
    yield `retry: ${RETRY_MS}\nid: ${place.cursor.sequence}\n\n`;
    let saidAt = performance.now();
    listener = await feed.listen(world_id, wish);
    let isLive = false;
    while (!signal.aborted) {
      const fresh: readonly FeedEvent[] | null = isLive ? await listener.next(place.cursor.sequence) : null;
      const taken: Taken =
        (fresh === null ? null : takeFresh(fresh, wish, place)) ?? (await readOn(parts, wish, place));
      isLive = !taken.has_more;
      place = isLive ? await knowPrevious(reads, world_id, taken.place, wish.wanted) : taken.place;
      const now = performance.now();
      if (taken.frames.length > 0) yield taken.frames;
      else if (now - saidAt >= heartbeatMs) yield `: heartbeat\nid: ${place.cursor.sequence}\n\n`;
      else continue;
      saidAt = now;
    }
  } catch (error) {
    if (!(error instanceof WaypostError) || error.code !== 'cursor_expired') throw error;
    const { oldest_sequence } = error.extra;
    yield `event: expired\ndata: ${JSON.stringify({ code: error.code, oldest_sequence, detail: error.message })}\n\n`;
  } finally {
    listener?.close();
  }
}

async function beginAt(reads: Sql, { world_id, after }: StreamWish): Promise<Place> {
  if (after !== null) return (await findPlace(reads, world_id, after)).place;
  return { cursor: await findNewest(reads, world_id), previous: undefined };
}

/** From the log. */
async function readOn({ reads, keys }: StreamParts, wish: StreamWish, place: Place): Promise<Taken> {
  const { world_id, rendering, wanted } = wish;
  const end = await findNewest(reads, world_id);
  const pulled = await pullEvents(reads, world_id, { place, end }, wanted, READ_LIMITS);
  await keys.fetchFor(
    reads,
    pulled.rows.map(({ row }) => row),
  );
  const frames = pulled.rows.map(({ row, previous }) =>
    writeFrame(row.sequence, row.type, writePulled(renderEvent(row, keys, rendering).text, previous)),
  );
  return { frames: Buffer.from(frames.join('')), place: pulled.place, has_more: pulled.has_more };
}

/** From the feed. Null when it has not the rendering: the log has. */
function takeFresh(fresh: readonly FeedEvent[], { rendering, wanted }: StreamWish, from: Place): Taken | null {
  const frames: Buffer[] = [];
  let { cursor, previous } = from;
  for (const event of fresh) {
    cursor = { sequence: event.sequence, recorded_at: event.recorded_at.toISOString() };
    if (wanted.fits !== null && !wanted.fits(event)) continue;
    const frame = event.frameOf(rendering, previousOf(event.sequence, previous, wanted));
    if (frame === null) return null;
    frames.push(frame);
    previous = event.sequence;
  }
  const [only] = frames;
  const joined = frames.length === 1 && only !== undefined ? only : Buffer.concat(frames);
  return { frames: joined, place: { cursor, previous }, has_more: false };
}
