// Has anything been missed? Every message names the one before it that was owed to the endpoint (`waypost-previous`),
// so a hole proves itself whatever the endpoint filters. A line belongs here if it reasons about that chain.

import { type HeadersLike, headerOf } from './webhooks.ts';

/** What a message says in its headers beside its event. */
export interface MessageFacts {
  /** `webhook-id`: the same for every attempt, so it recognises duplicates. */
  id: string;
  /** Place in the log; null for an `endpoint.test`, which is in no log. */
  sequence: number | null;
  /** The event owed to this endpoint before this one; null for the first. */
  previous: number | null;
  attempt: number;
  /** Id of the replay that sent it, null for live sending. */
  replay: string | null;
}

export function readMessage(headers: HeadersLike): MessageFacts {
  const numberOf = (name: string): number | null => {
    const text = headerOf(headers, name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  };
  return {
    id: headerOf(headers, 'webhook-id') ?? '',
    sequence: numberOf('waypost-sequence'),
    previous: numberOf('waypost-previous'),
    attempt: numberOf('waypost-attempt') ?? 1,
    replay: headerOf(headers, 'waypost-replay'),
  };
}

/** An event that is known to be owed and has not come. It may still be on its way: `noticed_ms` says since when. */
export interface EventGap {
  sequence: number;
  /** Everything owed up to here has come: fetch from here. */
  after: number;
  noticed_ms: number;
}

/** JSON that survives a restart. */
export interface TrackerState {
  /** Everything owed up to this sequence has come. */
  through: number;
  /** What has come beyond it, as [previous, sequence]. */
  beyond: [number, number][];
}

export interface EventTracker {
  /** Call it for every message once it is stored. Messages without a sequence are no part of the chain. */
  take(message: Pick<MessageFacts, 'sequence' | 'previous'>, nowMs: number): 'new' | 'duplicate' | 'untracked';
  /** What is missing for at least `graceMs`, oldest first. */
  listGaps(nowMs: number, graceMs: number): EventGap[];
  /** Whether it has come. */
  has(sequence: number): boolean;
  readState(): TrackerState;
}

/** A new endpoint starts at 0; one that already received messages continues from the state that was kept. */
export function createEventTracker(state: TrackerState = { through: 0, beyond: [] }, nowMs = 0): EventTracker {
  let through = state.through;
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

  return {
    take(message, nowMs) {
      const { sequence } = message;
      if (sequence === null) return 'untracked';
      noticed.delete(sequence);
      if (sequence <= through || came.has(sequence)) return 'duplicate';
      const previous = message.previous ?? 0;
      came.add(sequence);
      nextOf.set(previous, sequence);
      notice(previous, nowMs);
      advance();
      return 'new';
    },
    listGaps(nowMs, graceMs) {
      return [...noticed]
        .filter(([sequence, noticed_ms]) => sequence > through && nowMs - noticed_ms >= graceMs)
        .map(([sequence, noticed_ms]) => ({ sequence, after: through, noticed_ms }))
        .sort((a, b) => a.sequence - b.sequence);
    },
    has: (sequence) => sequence <= through || came.has(sequence),
    readState: () => ({ through, beyond: [...nextOf] }),
  };
}
