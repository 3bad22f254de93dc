// Holding leases: renews them, takes free ones up to a fair share, gives back what is more than that, and notices when
// one was lost or became free. It knows nothing about what is sent under them.

import type { Sql } from '../db/sql.ts';
import {
  claimLeases,
  countFreeLeases,
  forgetSenders,
  type Lease,
  noteSender,
  releaseLeases,
  renewLeases,
} from './sender.store.ts';
import { fairShare, LEASE_FREE_LOOK_MS, LEASE_RENEW_MS, leaseHolds, type Renewal } from './share.ts';

export interface Clocks {
  monotonicMs(): number;
  wallMs(): number;
}

export interface LeaseHolder {
  /** Whether we may send for a share at this moment. */
  holds(share: number): boolean;
  /** Null: not ours. */
  epochOf(share: number): number | null;
  shares(): number[];
  /**
   * How far the database's clock is ahead of `performance.now()`, in milliseconds: monotonic, so that a clock of ours that
   * is set changes nothing.
   */
  offsetMs(): number;
  /** Claims, renews or gives back now. */
  look(): Promise<void>;
  lose(shares: readonly number[]): void;
  /** Gives everything back, each share as soon as nothing of it is under way; renews the others meanwhile. */
  stop(): Promise<void>;
}

export interface LeaseOptions {
  sql: Sql;
  holder: string;
  clocks: Clocks;
  /** These are ours now: load what belongs to them. */
  onClaimed(leases: readonly Lease[]): Promise<void>;
  /** These are not ours any more: stop at once. */
  onLost(shares: readonly number[]): void;
  /** This one will be given back: send nothing more; resolves when what is in flight is over and written down. */
  onRelease(share: number): Promise<void>;
  onFault(error: unknown): void;
}

export function startLeases(options: LeaseOptions): LeaseHolder {
  return new Leases(options);
}

class Leases implements LeaseHolder {
  readonly #options: LeaseOptions;
  readonly #held = new Map<number, { epoch: number; renewed: Renewal; isLeaving: boolean }>();
  #offsetMs = 0;
  #isLeaving = false;
  #isStopped = false;
  #looking: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  readonly #watch: NodeJS.Timeout;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#watch = setInterval(() => void this.#lookForFree(), LEASE_FREE_LOOK_MS);
    this.#watch.unref();
  }

  holds(share: number): boolean {
    const lease = this.#held.get(share);
    return lease !== undefined && !lease.isLeaving && leaseHolds(lease.renewed, this.#readClocks());
  }

  epochOf(share: number): number | null {
    return this.#held.get(share)?.epoch ?? null;
  }

  shares(): number[] {
    return [...this.#held.keys()];
  }

  offsetMs(): number {
    return this.#offsetMs;
  }

  look(): Promise<void> {
    this.#cancel();
    this.#looking ??= this.#look()
      .catch(this.#options.onFault)
      .finally(() => {
        this.#looking = null;
        if (!this.#isStopped) this.#timer = setTimeout(() => void this.look(), LEASE_RENEW_MS);
      });
    return this.#looking;
  }

  lose(shares: readonly number[]): void {
    const lost = shares.filter((share) => this.#held.delete(share));
    if (lost.length > 0) this.#options.onLost(lost);
  }

  async stop(): Promise<void> {
    const { sql, holder, onFault } = this.#options;
    this.#isLeaving = true;
    clearInterval(this.#watch);
    await this.#looking;
    // Before anything is free: whoever counts the senders then finds one fewer, and takes all that it gives back.
    await forgetSenders(sql, holder).catch(onFault);
    await this.#release(this.shares());
    this.#isStopped = true;
    this.#cancel();
    await this.#looking;
  }

  #cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #readClocks(): Renewal {
    const { clocks } = this.#options;
    return { monotonic_ms: clocks.monotonicMs(), wall_ms: clocks.wallMs() };
  }

  #leases(): Lease[] {
    return [...this.#held].map(([share, { epoch }]) => ({ share, epoch }));
  }

  async #look(): Promise<void> {
    const { sql, holder } = this.#options;
    if (this.#isLeaving) return this.#renew();
    const askedMs = performance.now();
    const { senders, now } = await noteSender(sql, holder);
    this.#offsetMs = now.getTime() - (askedMs + performance.now()) / 2;
    await this.#renew();
    if (this.#isLeaving) return;
    const wanted = fairShare(senders);
    if (this.#held.size > wanted) void this.#release([...this.#held.keys()].slice(wanted));
    else if (this.#held.size < wanted) await this.#claim(wanted - this.#held.size);
  }

  async #renew(): Promise<void> {
    if (this.#held.size === 0) return;
    const before = this.#readClocks();
    const kept = new Set(
      (await renewLeases(this.#options.sql, this.#options.holder, this.#leases())).map(({ share }) => share),
    );
    for (const [share, lease] of this.#held) if (kept.has(share)) lease.renewed = before;
    this.lose([...this.#held.keys()].filter((share) => !kept.has(share)));
  }

  async #claim(count: number): Promise<void> {
    const before = this.#readClocks();
    const claimed = await claimLeases(this.#options.sql, this.#options.holder, count);
    if (claimed.length === 0) return;
    for (const { share, epoch } of claimed) this.#held.set(share, { epoch, renewed: before, isLeaving: false });
    // Not waited for: leases are renewed while a thousand endpoints are loaded. What cannot be loaded is given back.
    this.#options.onClaimed(claimed).catch(async (error: unknown) => {
      this.#options.onFault(error);
      this.lose(claimed.filter(({ share, epoch }) => this.epochOf(share) === epoch).map(({ share }) => share));
      await releaseLeases(this.#options.sql, this.#options.holder, claimed).catch(this.#options.onFault);
    });
  }

  /** What another gave back is taken at once: until then nobody sends for it. */
  async #lookForFree(): Promise<void> {
    if (this.#looking !== null || this.#isLeaving) return;
    const free = await countFreeLeases(this.#options.sql).catch(() => 0);
    if (free > 0 && !this.#isLeaving) await this.look();
  }

  /** Each share is renewed until the last answer is in: nobody else may send for it meanwhile. */
  async #release(shares: readonly number[]): Promise<void> {
    const { sql, holder, onRelease, onFault } = this.#options;
    const give = async (share: number) => {
      const lease = this.#held.get(share);
      if (lease === undefined || lease.isLeaving) return;
      lease.isLeaving = true;
      await onRelease(share);
      if (this.#held.get(share) !== lease) return;
      this.#held.delete(share);
      await releaseLeases(sql, holder, [{ share, epoch: lease.epoch }]);
    };
    await Promise.all(shares.map((share) => give(share).catch(onFault)));
  }
}
