// The lanes of one endpoint: which of them may have something to send, in turn, and when those that wait are to be looked
// at again. Pure; what may go out of one lane is decided in lane.ts, how far the endpoint is altogether in window.ts.

import { isEmpty, type Lane, type Next, newLane, nextOf, wakeAt } from './lane.ts';

/** A lane, and what may go out of it. */
interface Turn<E> {
  lane: Lane<E>;
  next: Next<E>;
}

type IsTaken<E> = (lane: Lane<E>) => boolean;

export class Lanes<E> {
  /** How long the later messages of a lane wait behind a failing one. */
  patience_ms: number;
  /** Null while there was none: most endpoints have nothing on its way, and there are many. */
  #byKey: Map<string, Lane<E>> | null = null;
  /** That may have something to send, whose turn it is first. */
  readonly #listed: Lane<E>[] = [];
  /** That may have something later, the soonest first. */
  readonly #timed: { at: number; lane: Lane<E> }[] = [];

  constructor(patience_ms: number) {
    this.patience_ms = patience_ms;
  }

  all(): Iterable<Lane<E>> {
    return this.#byKey?.values() ?? [];
  }

  find(key: string): Lane<E> | undefined {
    return this.#byKey?.get(key);
  }

  /** The lane; made where there is none. */
  open(key: string): Lane<E> {
    this.#byKey ??= new Map();
    let lane = this.#byKey.get(key);
    if (lane === undefined) {
      lane = newLane(key);
      this.#byKey.set(key, lane);
    }
    return lane;
  }

  /** Something has happened to the lane: it may have something to send, or be empty and forgotten. */
  list(lane: Lane<E>): void {
    if (lane.listed) return;
    if (this.#forgetEmpty(lane)) return;
    if (lane.busy !== null && lane.stuck.length === 0) return;
    lane.listed = true;
    this.#listed.push(lane);
  }

  /** Whose turn it is, and what goes out of it; the lane is to be listed again by whoever sends it. */
  takeTurn(now: number, isTaken: IsTaken<E>): Turn<E> | null {
    this.#wake(now);
    for (let lane = this.#listed.shift(); lane !== undefined; lane = this.#listed.shift()) {
      lane.listed = false;
      // Listed again when what a neighbour sends of it is over.
      if (isTaken(lane)) continue;
      const next = nextOf(lane, this.patience_ms, now);
      if (next !== null) return { lane, next };
      // What waited in it was taken out meanwhile.
      if (!this.#forgetEmpty(lane)) this.#sleep(lane, now);
    }
    return null;
  }

  /** The oldest message of a lane that has no trouble. */
  findUntroubled(isTaken: IsTaken<E>): Turn<E> | null {
    for (const lane of this.#listed) {
      const [message] = lane.queue;
      if (lane.stuck.length > 0 || lane.busy !== null || message === undefined || message.parked) continue;
      if (!isTaken(lane)) return { lane, next: { message, missing: null } };
    }
    return null;
  }

  /** When `takeTurn` may find something without anything happening; null when only an event or answer can change it. */
  wakeAt(): number | null {
    return this.#timed[0]?.at ?? null;
  }

  /** Says whether the lane was empty; one that stands in no list any more is then forgotten. */
  #forgetEmpty(lane: Lane<E>): boolean {
    const isOver = isEmpty(lane);
    if (isOver) this.#byKey?.delete(lane.key);
    return isOver;
  }

  /** Nothing to send now: the lane is looked at again when its time has come. */
  #sleep(lane: Lane<E>, now: number): void {
    const at = wakeAt(lane, this.patience_ms, now);
    if (at === null || !Number.isFinite(at)) return;
    let index = this.#timed.length;
    while (index > 0 && (this.#timed[index - 1]?.at ?? 0) > at) index--;
    const before = this.#timed[index - 1];
    if (before?.lane !== lane || before.at !== at) this.#timed.splice(index, 0, { at, lane });
  }

  #wake(now: number): void {
    for (let first = this.#timed[0]; first !== undefined && first.at <= now; first = this.#timed[0]) {
      this.#timed.shift();
      if (this.#byKey?.get(first.lane.key) === first.lane) this.list(first.lane);
    }
  }
}
