// One request and its reply: what is known of it on the way, how replies and problems are written, and the one log line
// at its end. A line belongs here if it writes to the wire.

import diagnosticsChannel from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import type { Logger } from 'pino';
import { type ErrorCode, errorCodes, type WaypostError } from '../errors.ts';
import type { FingerprintOf } from '../ledger/fingerprint.ts';
import type { Shown } from '../ledger/shown.ts';
import type { TraceContext } from '../ledger/trace.ts';
import type { Span } from '../ledger/tracing.ts';
import type { Proxies } from './forwarded.ts';
import { type Notable, notableOf } from './notable.ts';
import { type Caller, JsonText, OtherText, PackedText, type Reply } from './operation.ts';
import type { Arrival, Overload } from './overload.ts';
import { errorFields, makeProblem, PROBLEM_MEDIA_TYPE, toWaypostError } from './problem.ts';
import type { Bucket, RateLimits } from './rate-limit.ts';
import type { Route } from './route.ts';
import type { StreamBook } from './stream-book.ts';

/** What all exchanges of a server share. */
export interface Desk {
  log: Logger;
  publicUrl: string;
  fingerprintOf: FingerprintOf;
  /** What stands before every path, such as `/waypost`; mostly nothing. */
  basePath: string;
  /** Flat list of names and values that every reply carries. */
  securityHeaders: readonly string[];
  /** Requests that are being worked on now. */
  inFlight: number;
  overload: Overload;
  proxies: Proxies;
  /** It ends: a connection whose request is answered now is not kept for another. */
  isClosing: boolean;
  streams: StreamBook;
  /** Told of each request once it is answered; null when nobody measures. */
  onCompleted: ((completion: Completion) => void) | null;
  /** Told of each request that the audit has to know; null when nobody keeps one. */
  onNotable: ((notable: Notable) => void) | null;
  rateLimits: RateLimits;
}

export interface Exchange {
  /** Null while no operation is found for the path. */
  route: Route | null;
  method: string;
  /** Path without query. */
  path: string;
  /** Raw, without its question mark. */
  query: string;
  /** The header: only the beginning of a key may ever be told of it. */
  authorization: string | undefined;
  /** Whose personal values the reply shows; null: nobody's so far. */
  shown: Shown | null;
  correlation_id: string;
  /** From the arrival of the head to the end of the reply; null for what only asks how the server is. */
  span: Span | null;
  /** The trace that it belongs to: of its span or, where none are collected, the one that the caller names. */
  trace: TraceContext | null;
  /** The address of the client, once somebody needs it. */
  from: string;
  /** In which version of the API it is answered. */
  version: string;
  caller: Caller | null;
  /** Length of the body that was read. */
  bytesIn: number;
  /** What the caller's key has left; null when there is no key or no limit. */
  bucket: Bucket | null;
  startedAt: number;
  /** Its body, while that is on its way. */
  arrival: Arrival | null;
  /** Whether it counts as in flight. */
  admitted: boolean;
  answered: boolean;
  /** Made when an operation asks to be told of the client's departure. */
  departure: AbortController | null;
}

/**
 * What is told of a request once it is answered: its one log line, and what is measured. The URL is left out: what it
 * holds may be secret or personal, the route never is.
 */
export interface Completion {
  /** Null when no operation has the path. */
  operation: string | null;
  method: string;
  route: string | null;
  status: number;
  /** Of a refusal. */
  code: ErrorCode | null;
  /** How many faults a refusal names. */
  faults: number;
  /** How a stream came to its end; null for a reply in one piece. */
  ended: 'whole' | 'client_gone' | 'stalled' | 'too_slow' | 'failed' | null;
  duration_ms: number;
  bytes_in: number;
  bytes_out: number;
  /** An Idempotency-Key was seen before. */
  replayed: boolean;
  tenant_id: string | null;
  world: 'live' | 'test' | null;
  key_id: string | null;
  correlation_id: string;
  trace_id: string | null;
}

const JSON_MEDIA_TYPE = 'application/json';

/** Replies whose own schema they break in a way that could leak: sent to nobody. */
export function checkReply(desk: Desk, exchange: Exchange, reply: Reply): void {
  const faults = exchange.route?.validateReply.get(reply.status)?.(reply.body) ?? null;
  if (faults === null) return;
  const pointers = faults.map((fault) => `${fault.pointer} ${fault.message}`);
  desk.log.error({ operation: exchange.route?.operation.operation_id, faults: pointers }, 'reply.breaks_schema');
  if (faults.some((fault) => fault.code === 'unknown_field')) {
    throw new Error(`the reply holds members that its schema does not know: ${pointers.join('; ')}`);
  }
}

export function writeReply(desk: Desk, exchange: Exchange, response: ServerResponse, reply: Reply): void {
  const { body } = reply;
  if (reply.api_version != null) exchange.version = reply.api_version;
  let text: string | Buffer;
  const mediaType = exchange.route?.operation.replies[reply.status]?.media_type ?? JSON_MEDIA_TYPE;
  const isPacked = body instanceof PackedText && takesGzip(response);
  if (body instanceof JsonText) text = body.text;
  else if (body instanceof OtherText) text = body.text;
  else if (body instanceof PackedText) text = isPacked ? body.gzip : gunzipSync(body.gzip);
  else if (body === undefined) text = '';
  else {
    checkReply(desk, exchange, reply);
    text = JSON.stringify(body);
  }
  const headers = headersOf(desk, reply, body === undefined ? null : mediaType);
  if (body instanceof PackedText) headers.push('Vary', 'Accept-Encoding');
  if (isPacked) headers.push('Content-Encoding', 'gzip');
  finish(desk, exchange, response, { status: reply.status, headers, text, error: null, replayed: reply.replayed });
}

function takesGzip({ req }: ServerResponse): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/.test(String(req.headers?.['accept-encoding'] ?? ''));
}

/** What a reply says in headers, besides what all of them say. */
export function headersOf({ basePath }: Desk, reply: Reply, mediaType: string | null): string[] {
  const headers = mediaType === null ? [] : ['Content-Type', mediaType];
  if (reply.version !== undefined && reply.version !== null) headers.push('ETag', `"${reply.version}"`);
  if (reply.location !== undefined && reply.location !== null) headers.push('Location', basePath + reply.location);
  if (reply.replayed === true) headers.push('Idempotent-Replayed', 'true');
  if (reply.headers !== undefined) for (const [name, value] of Object.entries(reply.headers)) headers.push(name, value);
  return headers;
}

export function writeProblem(
  desk: Desk,
  exchange: Exchange,
  response: ServerResponse,
  thrown: unknown,
  extraHeaders: readonly string[] = [],
): void {
  if (exchange.answered) return;
  const error = toWaypostError(thrown);
  if (error.code === 'internal') {
    const route = exchange.route?.operation.path;
    desk.log.error(
      {
        correlation_id: exchange.correlation_id,
        method: exchange.method,
        route,
        error: errorFields(error.cause ?? error),
      },
      'request.failed',
    );
  }
  const { path: instance, correlation_id } = exchange;
  const text = JSON.stringify(makeProblem(error, { publicUrl: desk.publicUrl, instance, correlation_id }));
  const headers = ['Content-Type', PROBLEM_MEDIA_TYPE, ...extraHeaders];
  if (error.retryAfterS !== null) headers.push('Retry-After', String(Math.ceil(error.retryAfterS)));
  if (error.status === 401) headers.push('WWW-Authenticate', 'Bearer realm="waypost"');
  if (typeof error.extra.missing_scope === 'string') {
    headers.push(
      'WWW-Authenticate',
      `Bearer realm="waypost", error="insufficient_scope", scope="${error.extra.missing_scope}"`,
    );
  }
  finish(desk, exchange, response, { status: errorCodes[error.code].status, headers, text, error });
}

/** What goes out, and what it came from. */
interface Written {
  status: number;
  headers: string[];
  text: string | Buffer;
  error: WaypostError | null;
  replayed?: boolean | undefined;
}

function finish(desk: Desk, exchange: Exchange, response: ServerResponse, written: Written): void {
  const { status, headers, text, error, replayed } = written;
  leaveFlight(desk, exchange);
  const bytes = Buffer.byteLength(text);
  pushStandingHeaders(desk, exchange, headers);
  if (status !== 204) headers.push('Content-Length', String(bytes));
  if (desk.isClosing) headers.push('Connection', 'close');
  // Throws for a header that cannot be sent; the caller then answers with a problem instead.
  response.writeHead(status, headers);
  exchange.answered = true;
  response.end(text);
  tellCompletion(desk, exchange, { status, bytes_out: bytes, error, replayed: replayed === true, ended: null });
}

/** What every reply says in headers, whatever it is. */
export function pushStandingHeaders(desk: Desk, exchange: Exchange, headers: string[]): void {
  headers.push('X-Correlation-Id', exchange.correlation_id, 'Waypost-Version', exchange.version);
  const due = exchange.caller?.key_due ?? null;
  if (due !== null && Date.now() >= due.warned_from_ms) headers.push('Waypost-Key-Expiring', due.at);
  const { bucket } = exchange;
  if (bucket !== null) headers.push('RateLimit-Policy', bucket.policy, 'RateLimit', desk.rateLimits.describe(bucket));
  const { securityHeaders } = desk;
  for (let index = 0; index < securityHeaders.length; index += 2) {
    const [name = '', value = ''] = [securityHeaders[index], securityHeaders[index + 1]];
    // A reply may say otherwise: a page has a policy of its own.
    if (!headers.includes(name)) headers.push(name, value);
  }
}

/** The request no longer counts among those that are being worked on. */
export function leaveFlight(desk: Desk, exchange: Exchange): void {
  if (!exchange.admitted) return;
  exchange.admitted = false;
  desk.inFlight--;
}

/** Failures of ours are warnings; being asked for health every few seconds is nothing to read about. */
function levelOf(status: number, tag: string | undefined): 'warn' | 'info' | 'debug' {
  if (status >= 500) return 'warn';
  return tag === 'system' ? 'debug' : 'info';
}

export interface Result extends Pick<Completion, 'status' | 'bytes_out' | 'replayed' | 'ended'> {
  error: WaypostError | null;
}

function endSpan({ span, method, route, correlation_id, caller }: Exchange, { status, error }: Result): void {
  span?.end(
    () => ({
      'http.request.method': method,
      'http.response.status_code': status,
      'waypost.correlation_id': correlation_id,
      ...(route !== null && { 'http.route': route.operation.path, 'waypost.operation': route.operation.operation_id }),
      ...(caller !== null && caller.tenant_id !== '' && { 'waypost.tenant_id': caller.tenant_id }),
      ...(error !== null && { 'waypost.code': error.code }),
    }),
    status < 500 ? null : (error?.code ?? 'internal'),
  );
}

/** Sees how each request ended. Costs nothing unless somebody subscribed. */
const replies = diagnosticsChannel.channel('waypost:reply');

/** Writes the one line of a request and tells whoever measures. */
export function tellCompletion(desk: Desk, exchange: Exchange, result: Result): void {
  const { status, bytes_out, error, replayed, ended } = result;
  if (desk.onNotable !== null) {
    const notable = notableOf(exchange, status, error);
    if (notable !== null) desk.onNotable(notable);
  }
  const { method, correlation_id, trace } = exchange;
  endSpan(exchange, result);
  const operation = exchange.route?.operation;
  if (replies.hasSubscribers) replies.publish({ operation: operation?.operation_id, status, code: error?.code });
  const level = levelOf(status, operation?.tag);
  const isLogged = desk.log.isLevelEnabled(level);
  if (!isLogged && desk.onCompleted === null) return;
  const caller = operation === undefined || operation.scope === null ? null : exchange.caller;
  const completion: Completion = {
    operation: operation?.operation_id ?? null,
    method,
    route: operation?.path ?? null,
    status,
    code: error?.code ?? null,
    faults: error?.faults.length ?? 0,
    ended,
    duration_ms: Math.round((performance.now() - exchange.startedAt) * 1_000) / 1_000,
    bytes_in: exchange.bytesIn,
    bytes_out,
    replayed,
    tenant_id: caller?.tenant_id ?? null,
    world: caller?.world ?? null,
    key_id: caller?.key_id ?? null,
    correlation_id,
    trace_id: trace?.trace_id ?? null,
  };
  if (isLogged) desk.log[level](completion, 'request.completed');
  desk.onCompleted?.(completion);
}
