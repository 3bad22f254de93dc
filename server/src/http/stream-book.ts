// The streams that a server has open: how many there may be, and what ends them from outside: their client goes, their
// key no longer opens, the server stops. What happens on the wire is in stream.ts.

import type { ServerResponse } from 'node:http';
import { WaypostError } from '../errors.ts';
import type { Desk, Exchange } from './exchange.ts';
import type { Caller, KeyHolder } from './operation.ts';

export interface StreamLimits {
  /** Streams that one process has open at once. */
  max: number;
  /** Of these, those of one API key. */
  perKeyMax: number;
  /** A client that takes no byte of what waits for it for so long is cut. */
  stalledAfterMs: number;
  /** A stream that was told to end and goes on for so long is cut. */
  endWithinMs: number;
  /** How often the keys of open streams are checked. */
  checkKeysEveryMs: number;
}

export const STREAM_LIMITS: StreamLimits = {
  max: 2_000,
  perKeyMax: 200,
  stalledAfterMs: 60_000,
  endWithinMs: 2_000,
  checkKeysEveryMs: 500,
};
const RETRY_AFTER_S = 5;

/** What a request proved itself with. */
export interface Credential {
  authorization: string | undefined;
  /** The caller's address. */
  from: string;
}

export type Authenticate = (authorization: string | undefined, from: string) => KeyHolder | Promise<KeyHolder>;

interface OpenStream {
  credential: Credential;
  caller: Caller;
  /** What was found of the key at the last check; null before the first. */
  holder: KeyHolder | null;
  departure: AbortController;
}

export interface StreamBook {
  readonly limits: StreamLimits;
  readonly authenticate: Authenticate;
  readonly open: Set<OpenStream>;
  /** Those who asked to be told when the client goes or the server stops. */
  readonly departures: Map<AbortController, ServerResponse>;
  checking: NodeJS.Timeout | null;
}

export function makeStreamBook(authenticate: Authenticate, limits: Partial<StreamLimits> | undefined): StreamBook {
  return {
    limits: { ...STREAM_LIMITS, ...limits },
    authenticate,
    open: new Set(),
    departures: new Map(),
    checking: null,
  };
}

/** Told when the connection of an exchange ends, or when the exchange is to end. */
export function watchDeparture(desk: Desk, exchange: Exchange, response: ServerResponse): AbortController {
  if (exchange.departure !== null) return exchange.departure;
  const { departures } = desk.streams;
  const controller = new AbortController();
  exchange.departure = controller;
  departures.set(controller, response);
  const leave = () => {
    departures.delete(controller);
    controller.abort();
  };
  if (response.destroyed) leave();
  else response.once('close', leave);
  if (desk.isClosing) controller.abort();
  return controller;
}

/** Tells everything that listens to its signal to end. */
export function endAll(book: StreamBook): void {
  end(book, [...book.departures.keys()]);
}

/** Those that do not end by themselves are cut soon after. */
function end(book: StreamBook, departures: readonly AbortController[]): void {
  for (const departure of departures) departure.abort();
  setTimeout(() => {
    for (const departure of departures) {
      const response = book.departures.get(departure);
      if (response?.headersSent === true) response.destroy();
    }
  }, book.limits.endWithinMs).unref();
}

/** Takes a place among the streams of this process and of the key; answers how to give it back. */
export function openStream(book: StreamBook, stream: OpenStream): () => void {
  const { max, perKeyMax } = book.limits;
  if (book.open.size >= max) {
    throw new WaypostError('busy', `This process has ${max} streams open, as many as it takes.`, {
      retryAfterS: RETRY_AFTER_S,
    });
  }
  const { key_id } = stream.caller;
  if (key_id !== '' && countOf(book, key_id) >= perKeyMax) {
    throw new WaypostError(
      'too_many_streams',
      `This API key has ${perKeyMax} streams open here, as many as one may have: end one, or use another key.`,
      { retryAfterS: RETRY_AFTER_S, extra: { streams_max: perKeyMax } },
    );
  }
  book.open.add(stream);
  checkSoon(book);
  return () => void book.open.delete(stream);
}

function countOf(book: StreamBook, keyId: string): number {
  let count = 0;
  for (const { caller } of book.open) if (caller.key_id === keyId) count++;
  return count;
}

function checkSoon(book: StreamBook): void {
  book.checking ??= setTimeout(() => {
    void checkKeys(book).finally(() => {
      book.checking = null;
      if (book.open.size > 0) checkSoon(book);
    });
  }, book.limits.checkKeysEveryMs).unref();
}

/** Ends the streams whose key was revoked, has expired or has other rights than when they began. */
async function checkKeys(book: StreamBook): Promise<void> {
  /** Keys that have to be looked up, by what they are sent as. */
  const asked = new Map<string, Promise<Found>>();
  const ending: AbortController[] = [];
  for (const stream of [...book.open]) {
    const asking = holderNow(book, stream.credential, asked);
    const found = asking instanceof Promise ? await asking : asking;
    // Mostly it is what it was half a second ago, for streams by the thousand.
    if (found === 'unknown' || (found !== null && found === stream.holder)) continue;
    if (found === null || !hasSameRights(stream.caller, found)) {
      ending.push(stream.departure);
      continue;
    }
    stream.holder = found;
    stream.caller = { ...found, from: stream.caller.from };
  }
  if (ending.length > 0) end(book, ending);
}

/** Null: the key opens nothing any more. A database that does not answer says nothing about a key. */
type Found = KeyHolder | null | 'unknown';

function holderNow(
  book: StreamBook,
  { authorization, from }: Credential,
  asked: Map<string, Promise<Found>>,
): Found | Promise<Found> {
  if (authorization === undefined) return 'unknown';
  const asking = asked.get(authorization);
  if (asking !== undefined) return asking;
  try {
    const found = book.authenticate(authorization, from);
    if (!(found instanceof Promise)) return found;
    const looking = found.catch(foundIn);
    asked.set(authorization, looking);
    return looking;
  } catch (error) {
    return foundIn(error);
  }
}

function foundIn(error: unknown): Found {
  return error instanceof WaypostError && (error.status === 401 || error.status === 403) ? null : 'unknown';
}

function hasSameRights(a: KeyHolder, b: KeyHolder): boolean {
  if (a === b) return true;
  const channels = (caller: KeyHolder) => caller.channel_ids?.toSorted().join() ?? null;
  return a.scopes.size === b.scopes.size && a.scopes.isSubsetOf(b.scopes) && channels(a) === channels(b);
}
