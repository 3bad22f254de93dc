// Has anything been missed? Every message names the one before it that was owed to the endpoint (`waypost-previous`),
// so a hole proves itself whatever the endpoint filters. A line belongs here if it reasons about that chain.

import { type HeadersLike, headerOf } from './webhooks.ts';

/** After a restore numbers are given again: those of earlier epochs count up to `last_sequence`. */
export interface LogEpoch {
  log_epoch: number;
  last_sequence: number;
}

/** What a message says in its headers beside its event. */
export interface MessageFacts {
  /** `webhook-id`: the same for every attempt, so it recognises duplicates. */
  id: string;
  /** Place in the log; null for an `endpoint.test`, which is in no log. */
  sequence: number | null;
  /** The event owed to this endpoint before this one; null for the first. */
  previous: number | null;
  /** Where each epoch of the log begins after the first: empty unless the log was restored from a backup. */
  epochs: readonly LogEpoch[];
  attempt: number;
  /** Id of the replay that sent it, null for live sending. */
  replay: string | null;
}

const FIRST_EPOCH = 1;

export function readMessage(headers: HeadersLike): MessageFacts {
  const numberOf = (name: string): number | null => {
    const text = headerOf(headers, name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  };
  return {
    id: headerOf(headers, 'webhook-id') ?? '',
    sequence: numberOf('waypost-sequence'),
    previous: numberOf('waypost-previous'),
    epochs: (headerOf(headers, 'waypost-epochs') ?? '')
      .split(', ')
      .map((text) => text.split(':').map(Number))
      .flatMap(([log_epoch = 0, last_sequence = 0]) => (log_epoch > 0 ? [{ log_epoch, last_sequence }] : [])),
    attempt: numberOf('waypost-attempt') ?? 1,
    replay: headerOf(headers, 'waypost-replay'),
  };
}

/** An event that is known to be owed and has not come. It may still be on its way: `noticed_ms` says since when. */
export interface EventGap {
  sequence: number;
  /** Everything owed up to here has come: fetch from here. */
  after: string;
  noticed_ms: number;
}

/** JSON that survives a restart. */
export interface TrackerState {
  /** Everything owed up to this sequence has come. */
  through: number;
  /** What has come beyond it, as [previous, sequence]. */
  beyond: [number, number][];
  /** Of the log; 1 when absent. */
  epoch?: number;
}

export interface EventTracker {
  /** Call it for every message once it is stored. Messages without a sequence are no part of the chain. */
  take(
    message: Pick<MessageFacts, 'sequence' | 'previous'> & Partial<Pick<MessageFacts, 'epochs'>>,
    nowMs: number,
  ): 'new' | 'duplicate' | 'untracked';
  /** The log goes on from a backup: what came beyond it never happened there. `take` does it with what a message says. */
  restore(epochs: readonly LogEpoch[]): void;
  /**
   * What is missing before this number is waited for no longer: it has left the log, as 410 `cursor_expired` says with its
   * `oldest_sequence`. Compare your data first.
   */
  giveUp(oldestSequence: number): void;
  /** Everything owed up to here has come, or was given up, as the API takes it. */
  readPlace(): string;
  /** What is missing for at least `graceMs`, oldest first. */
  listGaps(nowMs: number, graceMs: number): EventGap[];
  /** Whether it has come. */
  has(sequence: number): boolean;
  readState(): TrackerState;
}

/** A new endpoint starts at 0; one that already received messages continues from the state that was kept. */
export function createEventTracker(state: TrackerState = { through: 0, beyond: [] }, nowMs = 0): EventTracker {
  let { through, epoch = FIRST_EPOCH } = state;
  const nextOf = new Map(state.beyond);
  const came = new Set(nextOf.values());
  const noticed = new Map<number, number>();
  for (const previous of nextOf.keys()) notice(previous, nowMs);

  function notice(previous: number, atMs: number): void {
    if (previous > through && !came.has(previous) && !noticed.has(previous)) noticed.set(previous, atMs);
  }

  function advance(): void {
    for (let next = nextOf.get(through); next !== undefined; next = nextOf.get(through)) {
      nextOf.delete(through);
      came.delete(next);
      through = next;
    }
  }

  /** The log was restored from a backup: what came beyond that never happened there, and its numbers come again. */
  function restore(epochs: readonly LogEpoch[]): void {
    const newest = Math.max(epoch, ...epochs.map(({ log_epoch }) => log_epoch));
    if (newest === epoch) return;
    const isKnown = epoch === FIRST_EPOCH || epochs.some(({ log_epoch }) => log_epoch === epoch);
    const lost = epochs.filter(({ log_epoch }) => log_epoch > epoch).map(({ last_sequence }) => last_sequence);
    const kept = isKnown ? Math.min(...lost) : 0;
    epoch = newest;
    through = Math.min(through, kept);
    for (const [previous, sequence] of [...nextOf]) {
      if (sequence <= kept) continue;
      nextOf.delete(previous);
      came.delete(sequence);
    }
    for (const sequence of [...noticed.keys()]) if (sequence > kept) noticed.delete(sequence);
  }

  function giveUp(oldestSequence: number): void {
    const missing = [...nextOf.keys()].filter((previous) => previous < oldestSequence && !came.has(previous));
    through = Math.max(through, ...missing);
    for (const [previous, sequence] of [...nextOf]) {
      if (previous >= through) continue;
      nextOf.delete(previous);
      came.delete(sequence);
    }
    for (const sequence of [...noticed.keys()]) if (sequence <= through) noticed.delete(sequence);
    advance();
  }

  const readPlace = () => (epoch === FIRST_EPOCH ? String(through) : `${epoch}-${through}`);

  return {
    take(message, nowMs) {
      const { sequence, epochs = [] } = message;
      if (sequence === null) return 'untracked';
      restore(epochs);
      noticed.delete(sequence);
      if (sequence <= through || came.has(sequence)) return 'duplicate';
      // After a restore everything is complete up to a number that may not have been owed itself.
      const previous = Math.max(message.previous ?? 0, through);
      came.add(sequence);
      nextOf.set(previous, sequence);
      notice(previous, nowMs);
      advance();
      return 'new';
    },
    listGaps(nowMs, graceMs) {
      return [...noticed]
        .filter(([sequence, noticed_ms]) => sequence > through && nowMs - noticed_ms >= graceMs)
        .map(([sequence, noticed_ms]) => ({ sequence, after: readPlace(), noticed_ms }))
        .sort((a, b) => a.sequence - b.sequence);
    },
    restore,
    giveUp,
    has: (sequence) => sequence <= through || came.has(sequence),
    readPlace,
    readState: () => ({ through, beyond: [...nextOf], ...(epoch !== FIRST_EPOCH && { epoch }) }),
  };
}
