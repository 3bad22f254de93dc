// Whose turn it is to send. In one turn of the event loop only so many messages go out; whoever has more waits for the next
// one, in which what waits goes round by tenants and, within a tenant, by endpoints. So a tenant with hundreds of busy
// endpoints delays the single event of another by a turn, and what the network and the database have to say is heard
// between. Pure: when the next turn comes is an argument.

/** A few milliseconds of work; as many as one endpoint has in flight, so that one alone never waits. */
export const SENDS_PER_TURN = 32;
/** Of one endpoint, before the next tenant has its turn. */
export const SENDS_AT_A_TIME = 8;

/** An endpoint that is sent to. */
export interface Sendable {
  readonly config: { tenant_id: string };
  /** Sends what it may. */
  pump(): void;
}

export class Turns {
  readonly #later: (turn: () => void) => void;
  #left = SENDS_PER_TURN;
  /** Who waits, by tenant; both in the order in which they are served. */
  readonly #waiting = new Map<string, Set<Sendable>>();
  #served: Sendable | null = null;
  #servedLeft = 0;
  #isPlanned = false;

  constructor(later: (turn: () => void) => void) {
    this.#later = later;
  }

  /** Whether it may send one more now. If not, it is asked to when its turn has come. */
  isOpenTo(run: Sendable): boolean {
    const isOpen = run === this.#served ? this.#servedLeft > 0 : this.#left > 0 && this.#waiting.size === 0;
    if (!isOpen) this.#wait(run);
    return isOpen;
  }

  /** One was sent. */
  note(): void {
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
    for (let run = this.#next(); run !== null; run = this.#next()) {
      this.#served = run;
      this.#servedLeft = Math.min(SENDS_AT_A_TIME, this.#left);
      run.pump();
      this.#served = null;
    }
    if (this.#waiting.size > 0) this.#plan();
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
