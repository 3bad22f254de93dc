// Posts one message to an HTTP receiver: connections that are checked each time they are made, a deadline over the
// whole exchange, and an answer in our words. No redirects, no retries but one of a connection that never came about.

import { buildConnector, type Dispatcher, Pool } from 'undici';
import { writeTraceparent } from '../ledger/trace.ts';
import { type Span, startSpan } from '../ledger/tracing.ts';
import { checkedLookup, type DestinationOptions, EgressError, requireAllowedLiteral } from './checked-address.ts';
import type { Answer, Destination, Flight, HttpTarget, Posting } from './destination.ts';

/** So much of an answer is kept with the attempt. */
export const REPLY_KEPT_BYTES = 4_096;
/** So much is read at most, so that the connection can be used again. */
export const REPLY_READ_BYTES = 65_536;
const CONNECT_TIMEOUT_MS = 10_000;
/** To one receiver, for all endpoints of a tenant that lead there; what finds none free waits for its turn. */
export const CONNECTIONS_MAX = 128;
const TURN_TIMEOUT_MS = 60_000;
const DEADLINE_SWEEP_MS = 50;
/** Connections to a receiver that nothing was sent to for so long are closed for good. */
const POOL_IDLE_MS = 300_000;
const DURATION_MAX_MS = 3_600_000;

/** A message to an HTTP receiver. */
export type HttpPosting = Omit<Posting, 'to' | 'subject' | 'body'> & {
  subject: Pick<Posting['subject'], 'tenant_id'>;
  to: HttpTarget;
  /** POST when absent. */
  method?: string;
  body: Buffer | null;
};

export interface HttpDestination extends Pick<Destination, 'close'> {
  post(posting: HttpPosting, onAnswer: (answer: Answer) => void): Flight;
}

export function openHttpDestination(options: DestinationOptions): HttpDestination {
  const pools = new Map<string, { pool: Pool; used_at: number }>();
  const flights = new Set<HttpFlight>();
  const sweep = setInterval(() => {
    const now = options.now();
    for (const flight of flights) flight.checkDeadline(now);
    for (const [key, { pool, used_at }] of pools) {
      if (now - used_at < POOL_IDLE_MS || pool.stats.size > 0) continue;
      pools.delete(key);
      void pool.close();
    }
  }, DEADLINE_SWEEP_MS);
  sweep.unref();

  /**
   * Worlds do not share connections: one may be allowed to reach what the other may not. Nor do tenants: many lead to the
   * same gateway, and where all connections of one hang there, the other's message would wait for a turn.
   */
  function poolFor(posting: HttpPosting): Pool {
    const { origin } = posting.to;
    const key = `${posting.world} ${posting.subject.tenant_id} ${origin}`;
    let entry = pools.get(key);
    if (entry === undefined) {
      const connect = checkedConnector(options, posting.world);
      const pool = new Pool(origin, {
        connect,
        pipelining: 1,
        connections: CONNECTIONS_MAX,
        headersTimeout: 0,
        bodyTimeout: 0,
        allowH2: false,
      });
      entry = { pool, used_at: 0 };
      pools.set(key, entry);
    }
    entry.used_at = options.now();
    return entry.pool;
  }

  /**
   * Answers are told together, once their connections have become free: undici does that in an immediate of its own,
   * and a message sent before would open another connection. It also lets `post` return before a refusal is told.
   */
  function tellLater(tell: () => void): void {
    if (told.push(tell) === 1) queueMicrotask(() => setImmediate(tellAll));
  }
  let told: (() => void)[] = [];

  function tellAll(): void {
    const now = told;
    told = [];
    for (const tell of now) tell();
  }

  return {
    post(posting, onAnswer) {
      const span = startSpan('POST webhook', 'sends', posting.trace);
      const flight = new HttpFlight(traced(posting, span), options.now, (answer) => {
        flights.delete(flight);
        endSpan(span, posting, answer);
        tellLater(() => onAnswer(answer));
      });
      flights.add(flight);
      flight.start(poolFor(posting));
      return flight;
    },
    async close() {
      clearInterval(sweep);
      for (const flight of [...flights]) flight.callOff();
      tellAll();
      await Promise.all([...pools.values()].map(({ pool }) => pool.destroy()));
      pools.clear();
    },
  };
}

/** With the name of its span, where there is a trace. */
function traced(posting: HttpPosting, { context }: Span): HttpPosting {
  if (context === null) return posting;
  return { ...posting, headers: [...posting.headers, 'traceparent', writeTraceparent(context)] };
}

function endSpan(span: Span, { to, about, method = 'POST' }: HttpPosting, { outcome, status, error }: Answer): void {
  span.end(
    () => ({
      'http.request.method': method,
      'server.address': new URL(to.origin).hostname,
      'waypost.outcome': outcome,
      ...(status !== null && { 'http.response.status_code': status }),
      ...about,
    }),
    error,
  );
}

type ReplyHeaders = Record<string, string | string[] | undefined>;

/** One request on its way. It answers exactly once. */
class HttpFlight implements Flight, Dispatcher.DispatchHandler {
  readonly #posting: HttpPosting;
  readonly #now: () => number;
  #answer: ((answer: Answer) => void) | null;
  /** When it was given a connection; until then when it was asked for. */
  #started_at: number;
  #pool: Pool | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #status: number | null = null;
  #headers: ReplyHeaders = {};
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #readBytes = 0;
  #isSecond = false;

  constructor(posting: HttpPosting, now: () => number, answer: (answer: Answer) => void) {
    this.#posting = posting;
    this.#now = now;
    this.#answer = answer;
    this.#started_at = now();
  }

  start(pool: Pool): void {
    const { to, headers, body, method = 'POST' } = this.#posting;
    this.#pool = pool;
    try {
      pool.dispatch({ path: to.path, method: method as Dispatcher.HttpMethod, headers, body }, this);
    } catch (error) {
      this.onResponseError(null, error as Error);
    }
  }

  callOff(): void {
    this.#end('called_off', 'called off by a change of the endpoint');
  }

  checkDeadline(now: number): void {
    const { timeout_ms } = this.#posting;
    const waited = now - this.#started_at;
    if (this.#controller === null) {
      if (waited >= TURN_TIMEOUT_MS)
        this.#end('timed_out', `no connection was free within ${TURN_TIMEOUT_MS / 1_000} s`);
      return;
    }
    if (waited < timeout_ms) return;
    const what = this.#status === null ? 'no answer' : `no end of the answer (${this.#status})`;
    this.#end('timed_out', `${what} within ${timeout_ms / 1_000} s`);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#started_at = this.#now();
    if (this.#answer !== null && !this.#posting.maySend())
      this.#end('called_off', 'called off: another process sends for this endpoint now');
    else if (this.#answer === null) controller.abort(new Error('called off'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    // 1xx answers come before the one that counts.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#readBytes += chunk.length;
    if (this.#keptBytes < REPLY_KEPT_BYTES) {
      const kept = chunk.subarray(0, REPLY_KEPT_BYTES - this.#keptBytes);
      this.#kept.push(kept);
      this.#keptBytes += kept.length;
    }
    if (this.#readBytes > REPLY_READ_BYTES) this.#judge();
  }

  onResponseEnd(): void {
    this.#judge();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error & { code?: string }): void {
    if (this.#answer === null) return;
    // Nothing was sent: the receiver cannot have seen it, so it costs nothing to try once more at once.
    if (
      this.#controller === null &&
      error.code !== 'UND_ERR_CONNECT_TIMEOUT' &&
      !this.#isSecond &&
      !(error instanceof EgressError) &&
      this.#pool !== null
    ) {
      this.#isSecond = true;
      this.start(this.#pool);
      return;
    }
    this.#end('failed', wordsFor(error, this.#status));
  }

  #judge(): void {
    const status = this.#status ?? 0;
    if (status >= 200 && status < 300) this.#end('delivered', null);
    else if (status >= 300 && status < 400)
      this.#end('refused', `redirects are not followed (${status}): give the endpoint its final URL`);
    else this.#end('refused', `answered with status ${status}`);
  }

  #end(outcome: Answer['outcome'], error: string | null): void {
    const answer = this.#answer;
    if (answer === null) return;
    this.#answer = null;
    const isWhole = outcome === 'delivered' || outcome === 'refused';
    if (!isWhole || this.#readBytes > REPLY_READ_BYTES)
      this.#controller?.abort(new Error(error ?? 'the answer is too long'));
    const reply =
      this.#keptBytes === 0 ? null : Buffer.concat(this.#kept).toString('utf8').replaceAll('\u0000', '\uFFFD');
    const control = this.#header('webhook-delivery')?.trim().toLowerCase();
    answer({
      outcome,
      error,
      reply,
      status: this.#status,
      retry_after: this.#header('retry-after'),
      control: control === 'abort' || control === 'pause' ? control : null,
      // A clock that was set meanwhile must not make a row that cannot be written.
      duration_ms: Math.min(Math.max(0, Math.round(this.#now() - this.#started_at)), DURATION_MAX_MS),
    });
  }

  #header(name: string): string | null {
    const value = this.#headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? null;
  }
}

/** Looks at the address at every connect: a name that pointed elsewhere yesterday is checked as it points now. */
function checkedConnector(options: DestinationOptions, world: 'live' | 'test'): buildConnector.connector {
  const connect = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    allowH2: false,
    lookup: checkedLookup(options, world),
  } as buildConnector.BuildOptions);
  return (target, callback) => {
    try {
      requireAllowedLiteral(options, world, target.hostname.replace(/^\[|\]$/g, ''));
    } catch (error) {
      callback(error as Error, null);
      return;
    }
    connect(target, callback);
  };
}

/** What went wrong, for people: the words say what a receiver's engineer can look for. */
function wordsFor(error: Error & { code?: string }, status: number | null): string {
  if (error instanceof EgressError) return error.message;
  const { code = '' } = error;
  if (status !== null) return `the answer (${status}) was cut off before its end`;
  if (code === 'ECONNREFUSED') return 'connection refused: nothing listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name does not resolve';
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'no connection came about in time';
  if (error.name === 'HTTPParserError' || code.startsWith('HPE_')) return 'the answer is not HTTP';
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET')
    return 'the connection was closed before an answer came';
  return `${error.message}${code === '' ? '' : ` (${code})`}`;
}
