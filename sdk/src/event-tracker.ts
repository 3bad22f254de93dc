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
  /** Beyond it: everything owed after the first number up to the second has come. One pair for each gap that is open. */
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

/** Everything owed after `from` up to `to` has come; `from` itself is owed and has not. */
interface Stretch {
  from: number;
  to: number;
  noticed_ms: number;
}

/** A new endpoint starts at 0; one that already received messages continues from the state that was kept. */
export function createEventTracker(state: TrackerState = { through: 0, beyond: [] }, nowMs = 0): EventTracker {
  let { through, epoch = FIRST_EPOCH } = state;
  /** Beyond `through`, in order, none touching the next: as many as there are gaps, however many events have come. */
  let stretches: Stretch[] = [];
  for (const [from, to] of state.beyond) add({ from, to, noticed_ms: nowMs });

  /** Each message says that nothing is owed between the one before and itself, so that what touches is one. */
  function add(one: Stretch): void {
    let first = stretches.length;
    while (first > 0 && (stretches[first - 1]?.to ?? 0) >= one.from) first--;
    let end = first;
    for (let next = stretches[end]; next !== undefined && next.from <= one.to; next = stretches[++end]) {
      const noticed_ms = next.from <= one.from ? next.noticed_ms : one.noticed_ms;
      one = { from: Math.min(next.from, one.from), to: Math.max(next.to, one.to), noticed_ms };
    }
    stretches.splice(first, end - first, one);
    advance();
  }

  function advance(): void {
    for (let next = stretches[0]; next !== undefined && next.from <= through; next = stretches[0]) {
      through = Math.max(through, next.to);
      stretches.shift();
    }
  }

  const has = (sequence: number) =>
    sequence <= through || stretches.some(({ from, to }) => from < sequence && sequence <= to);

  /** The log was restored from a backup: what came beyond that never happened there, and its numbers come again. */
  function restore(epochs: readonly LogEpoch[]): void {
    const newest = Math.max(epoch, ...epochs.map(({ log_epoch }) => log_epoch));
    if (newest === epoch) return;
    const isKnown = epoch === FIRST_EPOCH || epochs.some(({ log_epoch }) => log_epoch === epoch);
    const lost = epochs.filter(({ log_epoch }) => log_epoch > epoch).map(({ last_sequence }) => last_sequence);
    const kept = isKnown ? Math.min(...lost) : 0;
    epoch = newest;
    through = Math.min(through, kept);
    stretches = stretches.flatMap((one) => (one.from > kept ? [] : [{ ...one, to: Math.min(one.to, kept) }]));
    advance();
  }

  function giveUp(oldestSequence: number): void {
    const missing = stretches.map(({ from }) => from).filter((from) => from < oldestSequence);
    through = Math.max(through, ...missing);
    advance();
  }

  const readPlace = () => (epoch === FIRST_EPOCH ? String(through) : `${epoch}-${through}`);

  return {
    take({ sequence, previous, epochs = [] }, nowMs) {
      if (sequence === null) return 'untracked';
      restore(epochs);
      if (has(sequence)) return 'duplicate';
      add({ from: previous ?? 0, to: sequence, noticed_ms: nowMs });
      return 'new';
    },
    listGaps(nowMs, graceMs) {
      return stretches
        .filter(({ noticed_ms }) => nowMs - noticed_ms >= graceMs)
        .map(({ from, noticed_ms }) => ({ sequence: from, after: readPlace(), noticed_ms }));
    },
    restore,
    giveUp,
    has,
    readPlace,
    readState: () => ({
      through,
      beyond: stretches.map(({ from, to }) => [from, to]),
      ...(epoch !== FIRST_EPOCH && { epoch }),
    }),
  };
}
