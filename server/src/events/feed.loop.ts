// What is new in the logs, read once for everybody who listens in this process: a world's feed looks at its head when a
// commit of this process pokes it and now and then besides, reads what is new, and wakes the streams of that world. It
// keeps the newest events for those that come a little later; whoever needs older ones reads the log itself.

import type { Sql } from '../db/sql.ts';
import type { Rendering } from '../ledger/command.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { findAhead, findNewest, type KnownHeads, type LogCursor, type LogRow } from './log.store.ts';
import { pullEvents } from './pull.store.ts';
import { type PullLimits, type Wanted, writeFrame, writePulled } from './pull.ts';
import { renderEvent } from './render.ts';

/** How often the heads are asked for what other processes wrote, while anybody listens. */
const POLL_MS = 50;
const POLL_AFTER_FAULT_MS = 1_000;
/** A world's feed keeps so much of the newest. */
const KEPT_BYTES_MAX = 4_194_304;
const READ_LIMITS: PullLimits = { events: 200, scanned: 200, bytes: 1_048_576 };
const EVERYTHING: Wanted = { job_id: null, needs_tags: false, fits: null };
/** An event keeps the frames of so many filters: of streams that filter alike there are few kinds, or they share little. */
const FRAMES_KEPT_MAX = 8;
/** A listener that is so far behind for a whole check is cut. */
export const BEHIND_BYTES_MAX = 1_048_576;
const CHECK_MS = 1_000;
/** Waking a thousand streams for every single commit would cost more than the events: they are woken less often then. */
const LISTENERS_PER_PAUSE_MS = 20;
const PAUSE_MAX_MS = 50;

export interface FeedOptions {
  reads: Sql;
  keys: SubjectKeys;
  /** After so long without an event a listener is woken all the same. */
  quietMs: number;
  onFault(error: unknown): void;
}

export interface Feed {
  /** The listener begins with what comes from now on at the latest. */
  listen(worldId: number, who: Listening): Promise<Listener>;
  /** These worlds have new events. */
  poke(worldIds: readonly number[]): void;
  /** What is kept of a world may hold personal values of somebody who is erased now. */
  forgetWorld(worldId: number): void;
  stop(): void;
}

export interface Listening {
  rendering: Rendering;
  /** Aborted when it goes. */
  signal: AbortSignal;
  /** To be aborted when it is too slow. */
  cut: AbortController;
}

export interface Listener {
  /**
   * The events after a sequence, as soon as there are any; none when it stayed quiet for long or the signal was aborted.
   * Null: what follows the sequence is not kept here, read the log.
   */
  next(after: number): Promise<readonly FeedEvent[] | null>;
  close(): void;
}

/** An event as all streams of a world share it. */
export class FeedEvent {
  readonly sequence: number;
  readonly recorded_at: Date;
  readonly type: string;
  readonly topics: string;
  readonly job_id: string | null;
  readonly channel_id: string | null;
  readonly data_id: string;
  /** Sealed: by it is told whether anything personal is in the event. */
  readonly personal: Buffer;
  /** Bytes of everything that this feed has read, up to the end of this one. */
  readonly endsAt: number;
  readonly #texts: ReadonlyMap<Rendering, string>;
  readonly #frames = new Map<string, Buffer>();

  constructor(of: Omit<FeedEvent, 'endsAt' | 'frameOf'>, endsAt: number, texts: ReadonlyMap<Rendering, string>) {
    this.sequence = of.sequence;
    this.recorded_at = of.recorded_at;
    this.type = of.type;
    this.topics = of.topics;
    this.job_id = of.job_id;
    this.channel_id = of.channel_id;
    this.data_id = of.data_id;
    this.personal = of.personal;
    this.endsAt = endsAt;
    this.#texts = texts;
  }

  /**
   * Made once for all streams that have the same filter. Null: nobody asked for this rendering when it was read, or the
   * event is damaged; who wants it reads it in the log.
   */
  frameOf(rendering: Rendering, previous: number | null): Buffer | null {
    const name = `${rendering} ${previous}`;
    const known = this.#frames.get(name);
    if (known !== undefined) return known;
    const text = this.#texts.get(rendering);
    if (text === undefined) return null;
    const frame = Buffer.from(writeFrame(this.sequence, this.type, writePulled(text, previous)));
    if (this.#frames.size < FRAMES_KEPT_MAX) this.#frames.set(name, frame);
    return frame;
  }
}

export function startFeed(options: FeedOptions): Feed {
  const worlds = new Map<number, WorldFeed>();
  /** Of all worlds. Null: one of them has moved since it was written. */
  let known: KnownHeads | null = null;
  const onMoved = () => {
    known = null;
  };
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;

  function plan(ms: number): void {
    timer ??= setTimeout(() => {
      poll()
        .then(
          () => POLL_MS,
          (error: unknown) => {
            if (!isStopped) options.onFault(error);
            return POLL_AFTER_FAULT_MS;
          },
        )
        .then((pause) => {
          timer = null;
          if (!isStopped && worlds.size > 0) plan(pause);
        });
    }, ms);
  }

  async function poll(): Promise<void> {
    const now = performance.now();
    for (const world of worlds.values()) if (!world.check(now)) forget(world);
    if (worlds.size === 0) return;
    known ??= writeKnown(worlds.values());
    for (const { world_id, ...head } of await findAhead(options.reads, known)) await worlds.get(world_id)?.readTo(head);
  }

  function forget(world: WorldFeed): void {
    worlds.delete(world.world_id);
    onMoved();
  }

  return {
    async listen(worldId, who) {
      const world = worlds.get(worldId) ?? new WorldFeed(worldId, options, onMoved);
      worlds.set(worldId, world);
      const listener = world.listen(who);
      plan(POLL_MS);
      try {
        await world.begin();
      } catch (error) {
        listener.close();
        throw error;
      }
      return listener;
    },
    poke(worldIds) {
      for (const worldId of worldIds) worlds.get(worldId)?.look();
    },
    forgetWorld(worldId) {
      worlds.get(worldId)?.forget();
    },
    stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** Those that have not begun need no news. */
function writeKnown(worlds: Iterable<WorldFeed>): KnownHeads {
  const begun = [...worlds].filter(({ tip }) => tip !== null);
  return {
    world_ids: begun.map(({ world_id }) => world_id).join(' '),
    sequences: begun.map(({ tip }) => tip).join(' '),
  };
}

interface Waiting extends Listening {
  /** Where it stands, as `FeedEvent.endsAt`; null while it reads the log itself. */
  at: number | null;
  since: number;
  wake: (() => void) | null;
}

/** The newest events of one world. */
class WorldFeed {
  readonly world_id: number;
  readonly #options: FeedOptions;
  readonly #onMoved: () => void;
  readonly #listeners = new Set<Waiting>();
  /** In order, without a gap. */
  #kept: FeedEvent[] = [];
  #tip: LogCursor | null = null;
  #endsAt = 0;
  #reading: Promise<void> | null = null;
  #looking: Promise<void> | null = null;
  #isPoked = false;
  #beginning: Promise<void> | null = null;
  #wokenAt = 0;
  #waking: NodeJS.Timeout | null = null;
  #checkedAt = 0;
  #endedAtCheck = 0;

  /** `onMoved` is told whenever `tip` is another. */
  constructor(world_id: number, options: FeedOptions, onMoved: () => void) {
    this.world_id = world_id;
    this.#options = options;
    this.#onMoved = onMoved;
  }

  /** How far it has read; null: it has not begun, and needs no news. */
  get tip(): number | null {
    return this.#tip?.sequence ?? null;
  }

  listen(who: Listening): Listener {
    const waiting: Waiting = { ...who, at: null, since: 0, wake: null };
    this.#listeners.add(waiting);
    const onAbort = () => waiting.wake?.();
    who.signal.addEventListener('abort', onAbort);
    return {
      next: (after) => this.#next(waiting, after),
      close: () => {
        who.signal.removeEventListener('abort', onAbort);
        this.#listeners.delete(waiting);
      },
    };
  }

  /** It begins at the end of the log: what is older is nobody's news. */
  begin(): Promise<void> {
    this.#beginning ??= findNewest(this.#options.reads, this.world_id).then(
      (head) => {
        this.#tip = head;
        this.#onMoved();
      },
      (error: unknown) => {
        this.#beginning = null;
        throw error;
      },
    );
    return this.#beginning;
  }

  async #next(waiting: Waiting, after: number): Promise<readonly FeedEvent[] | null> {
    const { signal } = waiting;
    const tip = this.#tip?.sequence ?? 0;
    if (after >= tip && !signal.aborted) {
      waiting.at = this.#endsAt;
      waiting.since = performance.now();
      await new Promise<void>((resolve) => {
        waiting.wake = resolve;
      });
      waiting.wake = null;
    }
    if (signal.aborted) return [];
    const found = this.#after(after);
    waiting.at = found === null ? null : (found.at(-1)?.endsAt ?? this.#endsAt);
    return found;
  }

  #after(after: number): readonly FeedEvent[] | null {
    const tip = this.#tip?.sequence ?? 0;
    if (after >= tip) return [];
    const first = this.#kept[0]?.sequence ?? tip + 1;
    return after < first - 1 ? null : this.#kept.slice(after - first + 1);
  }

  /** Looks at the head; a poke that comes meanwhile makes it look once more. */
  look(): void {
    this.#isPoked = true;
    this.#looking ??= this.#lookWhilePoked()
      .catch(this.#options.onFault)
      .finally(() => {
        this.#looking = null;
      });
  }

  async #lookWhilePoked(): Promise<void> {
    while (this.#isPoked) {
      this.#isPoked = false;
      await this.readTo(await findNewest(this.#options.reads, this.world_id));
    }
  }

  /** Reads up to this end; while that is done for an earlier one already, afterwards. */
  async readTo(end: LogCursor): Promise<void> {
    while (this.#reading !== null) await this.#reading;
    if (this.#tip === null || this.#listeners.size === 0 || end.sequence <= this.#tip.sequence) return;
    this.#reading = this.#read(this.#tip, end).finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  async #read(from: LogCursor, end: LogCursor): Promise<void> {
    const { reads, keys } = this.#options;
    for (let tip = from; tip.sequence < end.sequence; ) {
      const place = { cursor: tip, previous: null };
      const pulled = await pullEvents(reads, this.world_id, { place, end }, EVERYTHING, READ_LIMITS);
      const rows = pulled.rows.map(({ row }) => row);
      await keys.fetchFor(reads, rows);
      const renderings = [...new Set([...this.#listeners].map(({ rendering }) => rendering))];
      for (const row of rows) {
        this.#endsAt += row.body.length;
        this.#kept.push(new FeedEvent(row, this.#endsAt, this.#write(row, renderings)));
      }
      tip = pulled.place.cursor;
      this.#tip = tip;
      this.#onMoved();
      this.#dropOldest();
      this.#wakeSoon();
    }
  }

  /** A damaged event holds up nobody who does not want it: it is told once and kept without a text. */
  #write(row: LogRow, renderings: readonly Rendering[]): Map<Rendering, string> {
    const { keys, onFault } = this.#options;
    try {
      return new Map(renderings.map((rendering) => [rendering, renderEvent(row, keys, rendering).text]));
    } catch (cause) {
      onFault(new Error(`the event ${row.sequence} of world ${row.world_id} cannot be rendered`, { cause }));
      return new Map();
    }
  }

  #dropOldest(): void {
    const from = this.#endsAt - KEPT_BYTES_MAX;
    if ((this.#kept[0]?.endsAt ?? from) >= from) return;
    this.#kept = this.#kept.slice(this.#kept.findIndex((event) => event.endsAt >= from));
  }

  #wakeSoon(): void {
    const pauseMs = Math.min(this.#listeners.size / LISTENERS_PER_PAUSE_MS, PAUSE_MAX_MS);
    const leftMs = this.#wokenAt + pauseMs - performance.now();
    if (leftMs <= 1) this.#wakeAll();
    else this.#waking ??= setTimeout(() => this.#wakeAll(), leftMs);
  }

  #wakeAll(): void {
    if (this.#waking !== null) clearTimeout(this.#waking);
    this.#waking = null;
    this.#wokenAt = performance.now();
    for (const { wake } of this.#listeners) wake?.();
  }

  forget(): void {
    this.#kept = [];
  }

  /** Wakes those that have waited for long and cuts those that fell behind. False when nobody listens any more. */
  check(now: number): boolean {
    for (const { wake, since } of this.#listeners) if (now - since >= this.#options.quietMs) wake?.();
    if (now - this.#checkedAt < CHECK_MS) return this.#listeners.size > 0;
    // Only what was there at the check before counts: everybody had the time between to take it.
    const limit = this.#endedAtCheck - BEHIND_BYTES_MAX;
    for (const { at, cut } of this.#listeners) if (at !== null && at < limit) cut.abort();
    this.#checkedAt = now;
    this.#endedAtCheck = this.#endsAt;
    return this.#listeners.size > 0;
  }
}
