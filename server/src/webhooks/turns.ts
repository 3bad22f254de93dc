// Whose turn it is to send. In one turn of the event loop only so many messages go out; whoever has more waits for the next
// one, in which what waits goes round by tenants and, within a tenant, by endpoints. So a tenant with hundreds of busy
// endpoints delays the single event of another by a turn, and what the network and the database have to say is heard
// between. Who finds no room for more in flight (in-flight.ts) waits for an answer, whoever's. Pure: when the next turn comes
// is an argument.

import { type Flier, InFlight } from './in-flight.ts';

/** A few milliseconds of work; as many as one endpoint has in flight, so that one alone never waits. */
export const SENDS_PER_TURN = 32;
/** Of one endpoint, before the next tenant has its turn. */
export const SENDS_AT_A_TIME = 8;

/** An endpoint that is sent to. */
export interface Sendable extends Flier {
  /** Sends what it may. */
  takeTurn(): void;
}

export class Turns {
  readonly #later: (turn: () => void) => void;
  readonly #inFlight: InFlight;
  #left = SENDS_PER_TURN;
  /** Who waits for room. */
  readonly #held = new Set<Sendable>();
  /** Who waits for a turn, by tenant; both in the order in which they are served. */
  readonly #waiting = new Map<string, Set<Sendable>>();
  #served: Sendable | null = null;
  #servedLeft = 0;
  #isPlanned = false;

  constructor(later: (turn: () => void) => void, inFlightMax: number) {
    this.#later = later;
    this.#inFlight = new InFlight(inFlightMax);
  }

  /** How many wait for room. */
  get held(): number {
    return this.#held.size;
  }

  get inFlightMax(): number {
    return this.#inFlight.max;
  }

  /** Whether it may send one more now. If not, it is asked to when its turn has come. */
  isOpenTo(run: Sendable): boolean {
    if (!this.#inFlight.hasRoom(run)) {
      this.#held.add(run);
      return false;
    }
    const isOpen = run === this.#served ? this.#servedLeft > 0 : this.#left > 0 && this.#waiting.size === 0;
    if (!isOpen) this.#wait(run);
    return isOpen;
  }

  /** It has so many in flight now. */
  count(run: Sendable, inFlight: number): void {
    if (this.#inFlight.set(run, inFlight) && this.#held.size > 0) this.#plan();
  }

  /** It sends nothing more. */
  leave(run: Sendable): void {
    this.#held.delete(run);
    this.count(run, 0);
  }

  /** One was sent. */
  note(run: Sendable): void {
    this.#inFlight.add(run);
    this.#left--;
    this.#servedLeft--;
    this.#plan();
  }

  #wait(run: Sendable): void {
    const { tenant_id } = run.config;
    const others = this.#waiting.get(tenant_id);
    if (others === undefined) this.#waiting.set(tenant_id, new Set([run]));
    else others.add(run);
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#later(() => this.#begin());
  }

  #begin(): void {
    this.#isPlanned = false;
    this.#left = SENDS_PER_TURN;
    this.#admit();
    for (let run = this.#next(); run !== null; run = this.#next()) {
      this.#served = run;
      this.#servedLeft = Math.min(SENDS_AT_A_TIME, this.#left);
      run.takeTurn();
      this.#served = null;
    }
    if (this.#waiting.size > 0) this.#plan();
  }

  /** Who has room by now waits for a turn like the others. */
  #admit(): void {
    for (const run of this.#held) {
      if (this.#inFlight.total >= this.#inFlight.max) return;
      if (!this.#inFlight.hasRoom(run)) continue;
      this.#held.delete(run);
      this.#wait(run);
    }
  }

  /** Who waits longest of the tenant whose turn it is; the tenant's others have theirs when all tenants had one. */
  #next(): Sendable | null {
    const [first] = this.#left > 0 ? this.#waiting : [];
    if (first === undefined) return null;
    const [tenant_id, runs] = first;
    const [run = null] = runs;
    this.#waiting.delete(tenant_id);
    if (run !== null) runs.delete(run);
    if (runs.size > 0) this.#waiting.set(tenant_id, runs);
    return run;
  }
}
