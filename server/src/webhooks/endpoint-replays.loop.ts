// The replays of one endpoint beside its live messages: whose turn it is, and which window a message belongs to. Live
// messages go first; while they wait, every fourth sending is a replay's, and replays never have more than half of what
// may be in flight.

import type { Message, Next } from './lane.ts';
import type { LogItem } from './log-item.ts';
import { soonerOf } from './pace.ts';
import type { ReplayRun } from './replay.loop.ts';
import type { ReplayUpdate } from './replay.store.ts';
import type { Ordering, Window } from './window.ts';

/** Of so many sendings one is a replay's while live messages wait. */
export const TURN_OF = 4;
/** Of what may be in flight, replays have this much at most. */
export const WIDTH_SHARE = 0.5;

/** What most endpoints have: nothing is ever put into it. */
const NONE = new Map<string, ReplayRun>();

export class EndpointReplays {
  readonly #live: Window<LogItem>;
  #runs: Map<string, ReplayRun> = NONE;
  #turn = 0;
  /** Which replay is asked first. */
  #first = 0;

  constructor(live: Window<LogItem>) {
    this.#live = live;
  }

  /** Live and replayed. */
  get inFlight(): number {
    return this.#live.in_flight + this.#replayedInFlight;
  }

  get #replayedInFlight(): number {
    let sum = 0;
    for (const { window } of this.#runs.values()) sum += window.in_flight;
    return sum;
  }

  get ids(): string[] {
    return [...this.#runs.keys()];
  }

  open(replay: ReplayRun): void {
    if (this.#runs === NONE) this.#runs = new Map();
    this.#runs.set(replay.id, replay);
    this.#meet();
    replay.feed();
  }

  /** Nothing further of it goes out; what is in flight ends. */
  close(id: string): void {
    const replay = this.#runs.get(id);
    if (replay === undefined) return;
    replay.isClosed = true;
    this.#sweep();
  }

  /** Forgets them all: the lease is lost, or the endpoint is gone. */
  drop(): void {
    for (const replay of this.#runs.values()) replay.isClosed = true;
    this.#runs.clear();
    this.#meet();
  }

  /** The next message to send: of what is live or, in its turn, of a replay. */
  take(now: number, width: number): Next<LogItem> | null {
    if (this.#runs.size === 0) return this.#live.take(now);
    if (++this.#turn % TURN_OF !== 0) return this.#live.take(now) ?? this.#takeReplayed(now, width);
    return this.#takeReplayed(now, width) ?? this.#live.take(now);
  }

  putBack(message: Message<LogItem>, now: number): void {
    this.#windowOf(message).putBack(message, now);
  }

  retry(message: Message<LogItem>, due_at: number, now: number): void {
    this.#windowOf(message).retry(message, due_at, now);
  }

  deliver(message: Message<LogItem>, { row }: LogItem): void {
    this.#windowOf(message).deliver(message);
    if (message.replay !== null) this.#runs.get(message.replay)?.settle(message, true);
    else if (row.job_id !== null)
      for (const replay of this.#runs.values()) replay.noteLive(row.job_id, message.sequence);
  }

  bury(message: Message<LogItem>): void {
    this.#windowOf(message).bury(message);
    if (message.replay !== null) this.#runs.get(message.replay)?.settle(message, false);
  }

  /** Where a message has its place. */
  #windowOf({ replay }: Message<LogItem>): Window<LogItem> {
    return (replay === null ? undefined : this.#runs.get(replay)?.window) ?? this.#live;
  }

  /** The dead letter that is settled with its delivery. */
  letterOf(message: Message<LogItem>): string | null {
    return message.replay === null ? null : (this.#runs.get(message.replay)?.letterOf(message) ?? null);
  }

  /** Reads on, and forgets those that are over. */
  feed(): void {
    if (this.#runs.size === 0) return;
    this.#sweep();
    for (const replay of this.#runs.values()) replay.feed();
  }

  configure(ordering: Ordering): void {
    for (const { window } of this.#runs.values())
      window.configure({ ordering, order_patience_ms: Number.POSITIVE_INFINITY });
  }

  /** The endpoint is whole again: what failed is tried at once. */
  recover(now: number): void {
    for (const { window } of this.#runs.values()) window.recover(now);
  }

  /** When one of them may have something to send without anything happening. */
  wakeAt(now: number): number | null {
    let soonest: number | null = null;
    for (const replay of this.#runs.values()) soonest = soonerOf(soonest, replay.wakeAt(now));
    return soonest;
  }

  /** What is to be written down with the endpoint's cursor. */
  readUpdates(endpoint_id: string): ReplayUpdate[] {
    const changed = [...this.#runs.values()].filter((replay) => !replay.isSaved);
    return changed.map((replay) => replay.readUpdate(endpoint_id));
  }

  #takeReplayed(now: number, width: number): Next<LogItem> | null {
    if (this.#replayedInFlight >= Math.max(1, Math.floor(width * WIDTH_SHARE))) return null;
    const runs = [...this.#runs.values()];
    for (let index = 0; index < runs.length; index++) {
      const next = runs[(this.#first + index) % runs.length]?.take(now) ?? null;
      if (next === null) continue;
      this.#first = (this.#first + index + 1) % runs.length;
      return next;
    }
    return null;
  }

  #sweep(): void {
    for (const [id, { isClosed, isSaved, window }] of this.#runs)
      if (isClosed && isSaved && window.in_flight === 0) this.#runs.delete(id);
    this.#meet();
  }

  /** Of one job, one message at a time is in flight, whoever sends it. */
  #meet(): void {
    const windows = [this.#live, ...[...this.#runs.values()].map(({ window }) => window)];
    for (const window of windows) window.neighbours = windows.filter((other) => other !== window);
  }
}
