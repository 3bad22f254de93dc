// What is refused because the server is too busy, and when: before a body is read, before a command is queued, before a
// read waits for the database. Every measure is one of waiting; a line belongs here if it says who may begin to wait.

import { WaypostError } from '../errors.ts';
import { WAIT_MAX_MS } from '../ledger/lane.ts';
import { LoopLag, watchLoop } from './loop-lag.ts';
import { ReadGate } from './read-gate.ts';

/** Requests whose bodies have come and that are not answered yet. */
export const IN_FLIGHT_MAX = 2_000;
/** Bytes of bodies that are on their way in, as their headers say: of all, and of one key. */
export const ARRIVING_BYTES_MAX = 268_435_456;
export const ARRIVING_BYTES_PER_KEY_MAX = 67_108_864;
const RETRY_AFTER_S = 1;
const RETRY_AFTER_MAX_S = 10;

export interface OverloadOptions {
  inFlightMax: number;
  /** Reads that use the database at once. */
  readsMax: number;
  /** How long a write of this world will take until it is answered. */
  estimateWriteMs(worldId: number): number;
  monotonicMs(): number;
}

/** A body on its way in. */
export interface Arrival {
  key_id: string;
  bytes: number;
}

export class Overload {
  readonly reads: ReadGate;
  readonly #options: OverloadOptions;
  readonly #lag = new LoopLag();
  #watch: { stop(): void } | null = null;
  #arriving = 0;
  readonly #arrivingByKey = new Map<string, number>();

  constructor(options: OverloadOptions) {
    this.#options = options;
    this.reads = new ReadGate(options.readsMax, options.monotonicMs);
  }

  start(): void {
    this.#watch ??= watchLoop(this.#lag, this.#options.monotonicMs);
  }

  stop(): void {
    this.#watch?.stop();
    this.#watch = null;
  }

  /** Throws `busy` for a request that would only make everybody wait. */
  admit(inFlight: number): void {
    this.enterFlight(inFlight);
    if (this.#lag.refusesNext()) throw busy('The server is asked for more than it can do.');
  }

  /** Throws `busy` when too many are being worked on already. */
  enterFlight(inFlight: number): void {
    if (inFlight >= this.#options.inFlightMax) throw busy('Too many requests are being worked on.');
  }

  /** Throws `busy` when a write of this world would wait for too long. */
  admitWrite(worldId: number): void {
    const waitMs = this.#options.estimateWriteMs(worldId);
    if (waitMs > WAIT_MAX_MS)
      throw busy('More changes are waiting than can be written soon.', Math.ceil(waitMs / 1_000));
  }

  /** Notes a body that will come. Throws `busy` when too much is on its way already. */
  expectBody(keyId: string, bytes: number): Arrival {
    const ofKey = this.#arrivingByKey.get(keyId) ?? 0;
    // One that is larger than the limit may come alone.
    if (ofKey > 0 && ofKey + bytes > ARRIVING_BYTES_PER_KEY_MAX)
      throw busy('The bodies that this API key is sending are too large together.');
    if (this.#arriving > 0 && this.#arriving + bytes > ARRIVING_BYTES_MAX)
      throw busy('The bodies that are being sent are too large together.');
    this.#arriving += bytes;
    this.#arrivingByKey.set(keyId, ofKey + bytes);
    return { key_id: keyId, bytes };
  }

  /** The body has come, or never will. */
  endArrival({ key_id, bytes }: Arrival): void {
    this.#arriving -= bytes;
    const left = (this.#arrivingByKey.get(key_id) ?? 0) - bytes;
    if (left > 0) this.#arrivingByKey.set(key_id, left);
    else this.#arrivingByKey.delete(key_id);
  }
}

function busy(what: string, retryAfterS = RETRY_AFTER_S): WaypostError {
  return new WaypostError('busy', `${what} Nothing was done: wait as long as Retry-After says and send it again.`, {
    retryAfterS: Math.min(retryAfterS, RETRY_AFTER_MAX_S),
  });
}
