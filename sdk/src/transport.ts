// One HTTP exchange with the API, tried again when that is safe and useful. A line belongs here if it concerns every
// operation alike: headers, time limits, retries, idempotency keys, problem documents.

import { WaypostProblem, WaypostUnreachable } from './errors.ts';

const TIMEOUT_MS = 30_000;
const TRIES_MAX = 6;
const RETRY_DELAY_FIRST_MS = 200;
const RETRY_DELAY_MAX_MS = 10_000;
/** A longer Retry-After is the caller's to decide about: the problem is thrown with `retry_after_s`. */
const RETRY_AFTER_MAX_S = 60;
const RETRIED_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface WaypostOptions {
  /** Where the server is, e.g. `https://waypost.example` (a base path is kept). */
  url: string;
  /** An API key, `wp_live_…` or `wp_test_…`. */
  key: string;
  fetch?: typeof fetch | undefined;
  /** Time limit of each try. */
  timeoutMs?: number | undefined;
  /** 1 turns retries off. */
  triesMax?: number | undefined;
  retryDelayMaxMs?: number | undefined;
  /** API version to ask for; absent: the one pinned on the key. */
  version?: string | undefined;
  /** How to wait between tries; for tests. */
  wait?: ((ms: number, signal: AbortSignal | undefined) => Promise<void>) | undefined;
  /** Chance for the jitter; for tests. */
  random?: (() => number) | undefined;
}

/** What a caller may say about one call. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  correlationId?: string | undefined;
  /** Every write has one; state it where a repeat may come from another process (a queue, a restart). */
  idempotencyKey?: string | undefined;
  /** The `version` that was read: the write is refused (412 `stale_version`) when the object has changed since. */
  ifMatch?: number | undefined;
}

export interface Request {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: object | undefined;
  body?: unknown;
}

/** What the reply said beside its body. */
export interface ReplyFacts {
  status: number;
  correlation_id: string | null;
  /** From `Idempotent-Replayed`: this is the first reply to the same key again. */
  replayed: boolean;
  /** From `Waypost-Duplicates`: how many orders of the channel came again today, this one included; null for others. */
  duplicates: number | null;
  tries: number;
}

export interface Transport {
  send<T>(request: Request, options?: CallOptions): Promise<T>;
  /** An exchange whose body the caller reads itself. Tried, and limited in time, until its head has come. */
  open(
    request: Request,
    options?: CallOptions & { accept: string; headers?: Record<string, string> },
  ): Promise<Response>;
}

const factsOfBodies = new WeakMap<object, ReplyFacts>();

/** Status, correlation id, replay and tries of the reply that a result of the client came from. */
export function replyFactsOf(result: object): ReplyFacts | null {
  return factsOfBodies.get(result) ?? null;
}

export function createTransport(options: WaypostOptions): Transport {
  const base = checkUrl(options.url);
  const key = checkKey(options.key);
  const fetchNow = options.fetch ?? fetch;
  const wait = options.wait ?? waitMs;
  const random = options.random ?? Math.random;
  const triesMax = options.triesMax ?? TRIES_MAX;
  const delayMaxMs = options.retryDelayMaxMs ?? RETRY_DELAY_MAX_MS;

  /** Runs `take` on the reply inside the try, so that a connection lost in mid-body counts as no answer. */
  async function exchange<T>(
    request: Request,
    call: CallOptions,
    headers: Record<string, string>,
    take: (response: Response, tries: number) => Promise<T>,
  ): Promise<T> {
    const url = base + request.path + writeQuery(request.query);
    const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS;
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    for (let tries = 1; ; tries++) {
      let delayMs: number;
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(new DOMException('late', 'TimeoutError')), timeoutMs);
      try {
        const signal = call.signal === undefined ? limit.signal : AbortSignal.any([call.signal, limit.signal]);
        const response = await fetchNow(url, { method: request.method, headers, body, signal, redirect: 'error' });
        if (response.ok) return await take(response, tries);
        const problem = await readProblem(response);
        const retryAfterS = problem.retry_after_s;
        if (!RETRIED_STATUSES.has(response.status) || tries >= triesMax || (retryAfterS ?? 0) > RETRY_AFTER_MAX_S) {
          throw problem;
        }
        delayMs = Math.max(backoffMs(tries, delayMaxMs, random()), (retryAfterS ?? 0) * 1_000);
      } catch (error) {
        if (error instanceof WaypostProblem || call.signal?.aborted) throw error;
        if (tries >= triesMax) {
          throw new WaypostUnreachable({ method: request.method, url, tries, timeoutMs, cause: error });
        }
        delayMs = backoffMs(tries, delayMaxMs, random());
      } finally {
        clearTimeout(timer);
      }
      await wait(delayMs, call.signal);
    }
  }

  function writeHeaders(request: Request, call: CallOptions, accept: string): Record<string, string> {
    const headers: Record<string, string> = { authorization: `Bearer ${key}`, accept };
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    if (request.method !== 'GET') headers['idempotency-key'] = call.idempotencyKey ?? crypto.randomUUID();
    if (call.ifMatch !== undefined) headers['if-match'] = `"${call.ifMatch}"`;
    if (call.correlationId !== undefined) headers['x-correlation-id'] = call.correlationId;
    if (options.version !== undefined) headers['waypost-version'] = options.version;
    return headers;
  }

  return {
    send<T>(request: Request, call: CallOptions = {}): Promise<T> {
      return exchange(request, call, writeHeaders(request, call, 'application/json'), readBody<T>);
    },
    open(request, call = { accept: '*/*' }) {
      const headers = { ...writeHeaders(request, call, call.accept), ...call.headers };
      return exchange(request, call, headers, async (response) => response);
    },
  };
}

/** Full jitter between half and the whole of a doubling delay: clients that failed together do not return together. */
export function backoffMs(tries: number, maxMs: number, chance: number): number {
  const whole = Math.min(maxMs, RETRY_DELAY_FIRST_MS * 2 ** (tries - 1));
  return Math.round(whole / 2 + (whole / 2) * chance);
}

/** Both forms of Retry-After: seconds, or an HTTP date. */
export function readRetryAfterS(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d+$/.test(header.trim())) return Number(header);
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? null : Math.max(0, Math.ceil((atMs - nowMs) / 1_000));
}

/** `{limit: 10, types: ['a', 'b'], metadata: {k: 'v'}}` → `?limit=10&types=a%2Cb&metadata%5Bk%5D=v`. */
export function writeQuery(query: object | undefined): string {
  const pairs: string[] = [];
  const add = (name: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    if (typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) add(`${name}[${key}]`, inner);
      return;
    }
    // A list becomes `a,b`.
    pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
  };
  for (const [name, value] of Object.entries(query ?? {})) add(name, value);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

async function readBody<T>(response: Response, tries: number): Promise<T> {
  const text = await response.text();
  // A 204 has no body: its operations declare `T` as undefined.
  const body = text === '' ? undefined : readJson(text, response);
  if (typeof body === 'object' && body !== null) {
    factsOfBodies.set(body, {
      status: response.status,
      correlation_id: response.headers.get('x-correlation-id'),
      replayed: response.headers.get('idempotent-replayed') === 'true',
      duplicates: readCount(response.headers.get('waypost-duplicates')),
      tries,
    });
  }
  return body as T;
}

/** A success that is not JSON did not come from the API: to try again would not help. */
function readJson(text: string, { status, url }: Response): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      const detail = `${url || 'The server'} answered ${status}, but not in JSON: is the url of the client that of Waypost itself?`;
      throw new WaypostProblem({ status, document: { detail }, correlation_id: null, retry_after_s: null });
    }
    throw cause;
  }
}

function readCount(header: string | null): number | null {
  return header === null ? null : Number(header);
}

async function readProblem(response: Response): Promise<WaypostProblem> {
  const text = await response.text();
  let document: unknown = null;
  try {
    document = JSON.parse(text);
  } catch {
    // A proxy in between answers in HTML; the status says enough.
  }
  return new WaypostProblem({
    status: response.status,
    document,
    correlation_id: response.headers.get('x-correlation-id'),
    retry_after_s: readRetryAfterS(response.headers.get('retry-after'), Date.now()),
  });
}

function checkUrl(url: string): string {
  if (typeof url !== 'string' || !/^https?:\/\/[^/]/.test(url)) {
    throw new TypeError(`url must begin with http:// or https://, got ${JSON.stringify(url)}. Is WAYPOST_URL set?`);
  }
  return url.replace(/\/+$/, '').replace(/\/v1$/, '');
}

function checkKey(key: string): string {
  if (typeof key !== 'string' || !/^[\x21-\x7e]+$/.test(key)) {
    throw new TypeError('key must be an API key (wp_live_… or wp_test_…) without blanks. Is WAYPOST_KEY set?');
  }
  return key;
}

/** Throws the reason when it is called off. */
export function waitMs(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', stop, { once: true });
    function done(): void {
      signal?.removeEventListener('abort', stop);
      resolve();
    }
    function stop(): void {
      clearTimeout(timer);
      reject(signal?.reason);
    }
  });
}
