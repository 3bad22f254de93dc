// Holding leases: renews them, takes free ones up to a fair share, gives back what is more than that, and notices when
// one was lost. It knows nothing about what is sent under them.

import type { Sql } from '../db/sql.ts';
import { claimLeases, forgetSenders, type Lease, noteSender, releaseLeases, renewLeases } from './sender.store.ts';
import { fairShare, LEASE_RENEW_MS, leaseHolds, type Renewal } from './share.ts';

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
  /** How far the database's clock is ahead of ours, in milliseconds. */
  offsetMs(): number;
  /** Claims, renews or gives back now. */
  look(): Promise<void>;
  lose(shares: readonly number[]): void;
  /** Gives everything back. */
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
  /** These will be given back: send nothing more; resolves when what is in flight is over and written down. */
  onRelease(shares: readonly number[]): Promise<void>;
  onFault(error: unknown): void;
}

export function startLeases(options: LeaseOptions): LeaseHolder {
  const { sql, holder, clocks } = options;
  const held = new Map<number, { epoch: number; renewed: Renewal; isLeaving: boolean }>();
  let offset = 0;
  let isStopped = false;
  let looking: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;

  const readClocks = (): Renewal => ({ monotonic_ms: clocks.monotonicMs(), wall_ms: clocks.wallMs() });
  const leases = () => [...held].map(([share, { epoch }]) => ({ share, epoch }));

  function lose(shares: readonly number[]): void {
    const lost = shares.filter((share) => held.delete(share));
    if (lost.length > 0) options.onLost(lost);
  }

  async function look(): Promise<void> {
    const before = readClocks();
    const { senders, now } = await noteSender(sql, holder);
    offset = now.getTime() - (before.wall_ms + clocks.wallMs()) / 2;
    await renew();
    if (isStopped) return;
    const wanted = fairShare(senders);
    if (held.size > wanted) await release([...held.keys()].slice(wanted));
    else if (held.size < wanted) await claim(wanted - held.size);
  }

  async function renew(): Promise<void> {
    if (held.size === 0) return;
    const before = readClocks();
    const kept = new Set((await renewLeases(sql, holder, leases())).map(({ share }) => share));
    for (const [share, lease] of held) if (kept.has(share)) lease.renewed = before;
    lose([...held.keys()].filter((share) => !kept.has(share)));
  }

  async function claim(count: number): Promise<void> {
    const before = readClocks();
    const claimed = await claimLeases(sql, holder, count);
    if (claimed.length === 0) return;
    for (const { share, epoch } of claimed) held.set(share, { epoch, renewed: before, isLeaving: false });
    await options.onClaimed(claimed);
  }

  /** Renewed until the last answer is in: nobody else may send meanwhile. */
  async function release(shares: readonly number[]): Promise<void> {
    const leaving = shares.filter((share) => held.get(share)?.isLeaving === false);
    for (const share of leaving) {
      const lease = held.get(share);
      if (lease !== undefined) lease.isLeaving = true;
    }
    if (leaving.length === 0) return;
    void options
      .onRelease(leaving)
      .then(async () => {
        const given = leases().filter(({ share }) => leaving.includes(share));
        for (const { share } of given) held.delete(share);
        await releaseLeases(sql, holder, given);
      })
      .catch(options.onFault);
  }

  function lookSoon(): Promise<void> {
    looking ??= look()
      .catch(options.onFault)
      .finally(() => {
        looking = null;
        if (!isStopped) timer = setTimeout(() => void lookSoon(), LEASE_RENEW_MS);
      });
    return looking;
  }

  return {
    holds(share) {
      const lease = held.get(share);
      return lease !== undefined && !lease.isLeaving && leaseHolds(lease.renewed, readClocks());
    },
    epochOf: (share) => held.get(share)?.epoch ?? null,
    shares: () => [...held.keys()],
    offsetMs: () => offset,
    look() {
      if (timer !== null) clearTimeout(timer);
      return lookSoon();
    },
    lose,
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await looking;
      if (timer !== null) clearTimeout(timer);
      const given = leases();
      held.clear();
      await releaseLeases(sql, holder, given).catch(options.onFault);
      await forgetSenders(sql, holder).catch(options.onFault);
    },
  };
}
