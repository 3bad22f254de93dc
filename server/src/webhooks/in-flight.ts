// How much is in flight at once: of one endpoint, of its tenant and of all. Each message on its way holds a connection and its
// bytes, and receivers that do not answer hold theirs until the time-out. Pure; a line belongs here if it counts that or says
// whether there is room. Whose turn it is, is in turns.ts.

/** Of one process, unless it is told otherwise. */
export const PROCESS_IN_FLIGHT_MAX = 2_000;

/** Whoever sends for one endpoint. */
export interface Flier {
  readonly config: { tenant_id: string };
}

export class InFlight {
  readonly max: number;
  #total = 0;
  /** Of those that have any. */
  readonly #ofTenant = new Map<string, number>();
  readonly #ofRun = new Map<Flier, number>();

  constructor(max: number) {
    this.max = max;
  }

  get total(): number {
    return this.#total;
  }

  /**
   * Whether it may have one more. What it has counts three times: as its own, as its tenant's and as everybody's. So none
   * has more than is left for the others: one tenant alone has half of all at most, two a third each, and whoever has
   * nothing in flight finds room, however many receivers hang; within a tenant it is the same for its endpoints.
   */
  hasRoom(run: Flier): boolean {
    const own = this.#ofRun.get(run) ?? 0;
    return own + (this.#ofTenant.get(run.config.tenant_id) ?? 0) + this.#total < this.max;
  }

  add(run: Flier): void {
    this.set(run, (this.#ofRun.get(run) ?? 0) + 1);
  }

  /** It has so many now; true when that is fewer than before. */
  set(run: Flier, count: number): boolean {
    const before = this.#ofRun.get(run) ?? 0;
    if (count === before) return false;
    const { tenant_id } = run.config;
    this.#total += count - before;
    keep(this.#ofRun, run, count);
    keep(this.#ofTenant, tenant_id, (this.#ofTenant.get(tenant_id) ?? 0) + count - before);
    return count < before;
  }
}

function keep<K>(counts: Map<K, number>, key: K, count: number): void {
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
