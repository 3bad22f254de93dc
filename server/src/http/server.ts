// The HTTP server: operations in, a listening server out. Fastify routes and reads bodies; everything that the contract
// says (strictness, problems, correlation, keys, limits) happens here and in the files beside it.

import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  type InjectOptions,
  type LightMyRequestResponse,
} from 'fastify';
import type { Logger } from 'pino';
import { openFingerprints } from '../ledger/fingerprint.ts';
import { Shown } from '../ledger/shown.ts';
import { readTraceparent } from '../ledger/trace.ts';
import { runWithin, startSpan } from '../ledger/tracing.ts';
import { API_VERSION, API_VERSIONS } from './api-version.ts';
import {
  type ClientError,
  droppingHeaders,
  HEADER_BYTES_MAX,
  PARAM_LENGTH_MAX,
  refuseBrokenRequest,
  toRefusal,
} from './broken-request.ts';
import { CONNECTION_LIMITS, type ConnectionLimits, limitConnections } from './connections.ts';
import { documentOperations, otherDocuments } from './docs.ts';
import { type Completion, type Desk, type Exchange, writeProblem, writeReply } from './exchange.ts';
import { openProxies } from './forwarded.ts';
import { checkBodyHeaders, readCorrelationId, readVersion, refuseKeyInUrl } from './headers.ts';
import type { Notable } from './notable.ts';
import { buildDocument } from './openapi.ts';
import { ByteStream, type Call, type Caller, type KeyHolder, type Operation, type Reply } from './operation.ts';
import { IN_FLIGHT_MAX, Overload } from './overload.ts';
import { createRateLimits, type RateLimits } from './rate-limit.ts';
import { BODY_BYTES_MAX, compileRoute, type Route, readCall } from './route.ts';
import { requireScope } from './scope.ts';
import { writeStream } from './stream.ts';
import { type Authenticate, endAll, makeStreamBook, type StreamLimits, watchDeparture } from './stream-book.ts';
import { healthOperations, type MetricsDesk } from './system.ts';
import { findOverlaps, refuseUnknown } from './unknown.ts';

const KEEP_ALIVE_TIMEOUT_MS = 72_000;
const CLOSE_DRAIN_MS = 10_000;

/** Who asks when no key is needed. */
const nobody: Caller = {
  world_id: 0,
  tenant_id: '',
  world: 'test',
  key_id: '',
  scopes: new Set(),
  authority: '',
  channel_ids: [],
  rate_limit_per_s: null,
  api_version: API_VERSION,
  key_due: null,
  actor: { type: 'system', id: 'public' },
  from: '',
};

export interface HttpOptions {
  operations: readonly Operation[];
  /** From the Authorization header and the caller's address to the caller; throws unauthorized or key_expired. */
  authenticate: Authenticate;
  log: Logger;
  /** Of the HMAC by which requests are compared. */
  fingerprintKey: Uint8Array;
  /** The address that others use, without a slash at its end; null: the one it listens on. Its path is the base path. */
  publicUrl: string | null;
  /** Answers why the server is not ready; empty when it is. */
  findUnready(): Promise<readonly string[]>;
  metrics?: MetricsDesk | null;
  /** A second server, for the operator alone: health and metrics, nothing else. */
  isForHealth?: boolean;
  /** Section `webhooks` of the OpenAPI document: event type → path item. */
  webhooks?: Readonly<Record<string, unknown>>;
  /** What each tag is about, for the OpenAPI document. */
  tags?: Readonly<Record<string, string>>;
  /** Told of each request once it is answered. */
  onCompleted?: ((completion: Completion) => void) | null;
  /** Told of each request that the audit has to know. */
  onNotable?: ((notable: Notable) => void) | null;
  /** `IN_FLIGHT_MAX` when absent. */
  inFlightMax?: number;
  /** Reads that use the database at once; without a limit when absent. */
  readsMax?: number;
  /** How long a write of a world will take until it is answered; nothing when absent. */
  estimateWriteMs?(worldId: number): number;
  /** What keys may ask for; without limits when absent. */
  rateLimits?: RateLimits;
  /** `STREAM_LIMITS` when absent. */
  streamLimits?: Partial<StreamLimits>;
  tls?: { cert: string | Buffer; key: string | Buffer } | null;
  /** Addresses of proxies whose X-Forwarded headers are believed. */
  trustProxy?: readonly string[];
  /** `CONNECTION_LIMITS` when absent. */
  connectionLimits?: Partial<ConnectionLimits>;
}

export interface Http {
  listen(host: string, port: number): Promise<{ host: string; port: number; url: string }>;
  /**
   * Takes no new connection, ends streams, answers what is under way and, after so long, cuts what is left. Answers how
   * many requests were cut.
   */
  close(drainMs?: number): Promise<number>;
  inject(request: InjectOptions): Promise<LightMyRequestResponse>;
  /** How many requests are being worked on. */
  inFlight(): number;
  /** How many streams are open. */
  streams(): number;
  /** Makes the OpenAPI document. */
  describe(): Record<string, unknown>;
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange | null;
  }
}

export function buildHttp(options: HttpOptions): Http {
  const desk: Desk = {
    log: options.log,
    publicUrl: options.publicUrl ?? '',
    fingerprintOf: openFingerprints(options.fingerprintKey),
    basePath: options.publicUrl === null ? '' : new URL(options.publicUrl).pathname.replace(/\/$/, ''),
    securityHeaders: securityHeadersFor(options),
    inFlight: 0,
    proxies: openProxies(options.trustProxy ?? []),
    overload: new Overload({
      inFlightMax: options.inFlightMax ?? IN_FLIGHT_MAX,
      readsMax: options.readsMax ?? Number.POSITIVE_INFINITY,
      estimateWriteMs: options.estimateWriteMs ?? (() => 0),
      monotonicMs: () => performance.now(),
    }),
    isClosing: false,
    streams: makeStreamBook(options.authenticate, options.streamLimits),
    rateLimits: options.rateLimits ?? createRateLimits({ defaultPerS: 0, monotonicMs: () => performance.now() }),
    onCompleted: options.onCompleted ?? null,
    onNotable: options.onNotable ?? null,
  };
  const health = healthOperations({
    findUnready: async () => (desk.isClosing ? ['The server is stopping.'] : options.findUnready()),
    metrics: options.metrics ?? null,
  });
  const others = otherDocuments(options.operations);
  const operations: readonly Operation[] =
    options.isForHealth === true
      ? health
      : [
          ...options.operations,
          ...health,
          ...documentOperations({ openapi: () => JSON.stringify(describe()), others }),
        ];
  // When it is first asked for: most processes never are, and their start waits for nothing.
  const describe = () => buildDocument(operations, options.webhooks ?? {}, options.tags ?? {}, desk.basePath);
  const routes = operations.map(compileRoute);
  const app = createFastify(desk, options);
  for (const route of routes) addRoute(app, desk, route, options);
  const unknown = (request: FastifyRequest, reply: FastifyReply) => answerUnknown(desk, routes, request, reply);
  // Before a body is read: nobody is going to use it.
  for (const { method, url } of findOverlaps(routes)) app.route({ method, url, onRequest: unknown, handler: unknown });
  app.setNotFoundHandler(unknown);
  app.setErrorHandler((error: { code?: string }, request, reply) =>
    // What nobody knows here is unknown, whatever Fastify has against its body.
    request.is404 ? unknown(request, reply) : answerFailure(desk, error, request, reply),
  );
  return {
    async listen(host, port) {
      await app.listen({ host, port });
      desk.overload.start();
      const bound = app.server.address() as AddressInfo;
      const url = urlOf(options, bound.address, bound.port);
      if (options.publicUrl === null) desk.publicUrl = url;
      return { host: bound.address, port: bound.port, url };
    },
    async close(drainMs = CLOSE_DRAIN_MS) {
      desk.isClosing = true;
      desk.overload.stop();
      endAll(desk.streams);
      let left = 0;
      const cut = setTimeout(() => {
        left = desk.inFlight;
        app.server.closeAllConnections();
      }, drainMs);
      await app.close();
      clearTimeout(cut);
      return left;
    },
    inject: (request) => app.inject(request),
    inFlight: () => desk.inFlight,
    streams: () => desk.streams.open.size,
    describe,
  };
}

function urlOf(options: HttpOptions, address: string, port: number): string {
  const scheme = options.tls == null ? 'http' : 'https';
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function createFastify(desk: Desk, options: HttpOptions): FastifyInstance {
  const limits = { ...CONNECTION_LIMITS, ...options.connectionLimits };
  const parsing = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: limits.headWithinMs,
    connectionsCheckingInterval: limits.checkEveryMs,
  };
  const settings = {
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: limits.requestWithinMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    return503OnClosing: false,
    rewriteUrl: ({ url }: IncomingMessage) => withoutBase(url ?? '/', desk.basePath),
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX, querystringParser: () => NO_QUERY },
    clientErrorHandler: (error: ClientError, socket: Socket) => refuseBrokenRequest(desk, error, socket),
    frameworkErrors: (error: { code?: string }, request: FastifyRequest, reply: FastifyReply) =>
      answerFailure(desk, error, request, reply),
  } as const;
  const app: FastifyInstance =
    options.tls === undefined || options.tls === null
      ? fastify({ ...settings, http: parsing })
      : (fastify({
          ...settings,
          https: { ...options.tls, ...parsing },
        }) as unknown as FastifyInstance);
  limitConnections(app.server, limits, desk.proxies.isProxy);
  app.decorateRequest('exchange', null);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return app;
}

/** A proxy may leave the base path in or take it out: both are taken. */
function withoutBase(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  return rest === '' || rest.startsWith('?') ? `/${rest}` : rest.startsWith('/') ? rest : url;
}

const NO_QUERY: Record<string, unknown> = Object.freeze({});

function addRoute(app: FastifyInstance, desk: Desk, route: Route, options: HttpOptions): void {
  const { authenticate } = options;
  app.route({
    method: route.operation.method,
    url: route.url,
    bodyLimit: route.bodyBytesMax,
    onRequest: (request, reply, done) => admit(desk, route, authenticate, request, reply, done),
    handler: (request, reply) => {
      reply.hijack();
      void answer(desk, route, request, reply);
    },
  });
}

function openExchange(request: FastifyRequest, route: Route | null): Exchange {
  const url = request.raw.url ?? '/';
  const mark = url.indexOf('?');
  const method = request.raw.method ?? 'GET';
  const given = readTraceparent(request.raw.headers.traceparent);
  const name = route === null ? method : `${method} ${route.operation.path}`;
  const span = route?.operation.tag === 'system' ? null : startSpan(name, 'serves', given);
  const exchange: Exchange = {
    route,
    method,
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? '' : url.slice(mark + 1),
    authorization: request.raw.headers.authorization,
    shown: null,
    correlation_id: '',
    span,
    trace: span?.context ?? given,
    from: '',
    version: API_VERSION,
    caller: null,
    bytesIn: 0,
    bucket: null,
    startedAt: performance.now(),
    arrival: null,
    admitted: false,
    answered: false,
    departure: null,
  };
  request.exchange = exchange;
  return exchange;
}

/** Refusals that have come to light may not lose the correlation: a fresh one is made when the caller's is not usable. */
function readCorrelation(exchange: Exchange, request: FastifyRequest): void {
  const { headers } = request.raw;
  try {
    exchange.correlation_id = readCorrelationId(headers['x-correlation-id'], exchange.trace) ?? randomUUID();
  } catch (error) {
    exchange.correlation_id = randomUUID();
    throw error;
  }
}

/** Everything that can be said before the body is read. */
function admit(
  desk: Desk,
  route: Route,
  authenticate: HttpOptions['authenticate'],
  request: FastifyRequest,
  _reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  const exchange = openExchange(request, route);
  try {
    readCorrelation(exchange, request);
    const { headers } = request.raw;
    const version = readVersion(headers['waypost-version'], API_VERSIONS);
    if (version !== null) exchange.version = version;
    if (exchange.query !== '') refuseKeyInUrl(exchange.query);
    if (route.writes) checkBodyHeaders(headers['content-type'], headers['content-encoding']);
    const { scope } = route.operation;
    if (scope === null) {
      route.operation.own_credential?.admit(headers.authorization);
      exchange.caller = nobody;
      done();
      return;
    }
    desk.overload.admit(desk.inFlight);
    exchange.from = desk.proxies.clientOf(request.raw);
    const found = authenticate(headers.authorization, exchange.from);
    if (!(found instanceof Promise)) {
      welcome(desk, exchange, found, route, headers);
      done();
      return;
    }
    found.then((holder) => welcome(desk, exchange, holder, route, headers)).then(() => done(), done);
  } catch (error) {
    done(error as Error);
  }
}

/** What can be said once it is known who asks. Throws what speaks against it. */
function welcome(desk: Desk, exchange: Exchange, holder: KeyHolder, route: Route, headers: IncomingHttpHeaders): void {
  const caller = { ...holder, from: exchange.from };
  exchange.caller = caller;
  if (headers['waypost-version'] === undefined) exchange.version = caller.api_version;
  exchange.bucket = desk.rateLimits.open(caller.key_id, caller.rate_limit_per_s);
  desk.rateLimits.takeOne(exchange.bucket);
  if (route.operation.scope !== null) requireScope(caller, route.operation.scope);
  if (!route.writes) return;
  desk.overload.admitWrite(caller.world_id);
  exchange.arrival = desk.overload.expectBody(caller.key_id, expectedBytes(headers, route.bodyBytesMax));
}

/** As the headers say; a body that comes in pieces of unknown number may be as large as one may be. */
function expectedBytes(headers: IncomingHttpHeaders, bytesMax: number): number {
  const stated = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : bytesMax;
  return Math.min(stated, bytesMax);
}

/** The body has come, or never will: it counts no longer as one on its way. */
function endArrival(desk: Desk, exchange: Exchange): void {
  if (exchange.arrival !== null) desk.overload.endArrival(exchange.arrival);
  exchange.arrival = null;
}

async function answer(desk: Desk, route: Route, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const exchange = request.exchange ?? openExchange(request, route);
  endArrival(desk, exchange);
  exchange.bytesIn = (request.body as Buffer | undefined)?.length ?? 0;
  try {
    if (route.operation.scope !== null) enterFlight(desk, exchange);
    const call = readCall(route, exchange.caller ?? nobody, exchange.correlation_id, {
      path: exchange.path,
      query: exchange.query,
      params: request.params as Record<string, string>,
      headers: request.raw.headers,
      version: exchange.version,
      body: request.body as Buffer | undefined,
      publicUrl: desk.publicUrl,
      fingerprintOf: desk.fingerprintOf,
      shown: () => {
        exchange.shown ??= new Shown();
        return exchange.shown;
      },
      watch: () => watchDeparture(desk, exchange, reply.raw).signal,
    });
    const { items } = route.operation;
    if (items !== undefined) desk.rateLimits.takeItems(exchange.bucket, items(call.body));
    const made = await runWithin(exchange.trace, () => run(desk, route, call));
    if (made.body instanceof ByteStream) {
      const credential = { authorization: request.raw.headers.authorization, from: exchange.from };
      await writeStream(desk, exchange, reply.raw, made, made.body, credential);
    } else writeReply(desk, exchange, reply.raw, made);
  } catch (thrown) {
    writeProblem(desk, exchange, reply.raw, thrown);
  }
}

/** Counts from when the body is there: clients that send theirs slowly keep nobody out. */
function enterFlight(desk: Desk, exchange: Exchange): void {
  desk.overload.enterFlight(desk.inFlight);
  exchange.admitted = true;
  desk.inFlight++;
}

/** Reads wait for their turn at the database here; writes wait in the ledger. */
async function run(desk: Desk, route: Route, call: Call): Promise<Reply> {
  if (route.writes || route.operation.scope === null) return route.operation.run(call);
  const turn = desk.overload.reads.enter();
  if (turn !== null) await turn;
  try {
    return await route.operation.run(call);
  } finally {
    desk.overload.reads.leave();
  }
}

/** Paths and methods that no operation has. */
function answerUnknown(desk: Desk, routes: readonly Route[], request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  const exchange = openExchange(request, null);
  try {
    readCorrelation(exchange, request);
    refuseKeyInUrl(exchange.query);
    const { refusal, allow } = refuseUnknown(routes, exchange.method, exchange.path, `${desk.publicUrl}/docs`);
    writeProblem(desk, exchange, reply.raw, refusal, allow === null ? [] : ['Allow', allow]);
  } catch (thrown) {
    writeProblem(desk, exchange, reply.raw, thrown);
  }
}

/** What Fastify, the hook or the reading of a body threw. */
function answerFailure(desk: Desk, error: { code?: string }, request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  const exchange = request.exchange ?? openExchange(request, null);
  endArrival(desk, exchange);
  if (exchange.correlation_id === '') exchange.correlation_id = randomUUID();
  writeProblem(desk, exchange, reply.raw, toRefusal(error, request, exchange), droppingHeaders(request.raw));
}

function securityHeadersFor(options: HttpOptions): string[] {
  const headers = [
    ['Cache-Control', 'no-store'],
    ['X-Content-Type-Options', 'nosniff'],
    ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
    ['X-Frame-Options', 'DENY'],
    ['Referrer-Policy', 'no-referrer'],
  ];
  if (options.tls != null || options.publicUrl?.startsWith('https:'))
    headers.push(['Strict-Transport-Security', 'max-age=31536000']);
  return headers.flat();
}
