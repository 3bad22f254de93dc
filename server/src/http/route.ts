// An operation made ready to serve: its schemas compiled once, so that a request costs no more than running them. A
// line belongs here if it turns the raw parts of a request into a validated call.

import type { TSchema } from 'typebox';
import { type Fault, WaypostError } from '../errors.ts';
import type { Idempotency } from '../ledger/command.ts';
import type { Fingerprint, FingerprintOf } from '../ledger/fingerprint.ts';
import type { Shown } from '../ledger/shown.ts';
import { chooseMediaType } from './accept.ts';
import { endSentence } from './fault-words.ts';
import { readIdempotencyKey, readIfMatch } from './headers.ts';
import { readJson } from './json.ts';
import { type Call, type Caller, mediaTypesOf, type Operation, takesIfMatch } from './operation.ts';
import { makeProblem, type Problem } from './problem.ts';
import { compileQuery, type ReadQuery } from './query.ts';
import { compileValidator, type Validate } from './validator.ts';

export const BODY_BYTES_MAX = 1_048_576;

export interface Route {
  operation: Operation;
  /** `/v1/jobs/:job_id`, as the router wants it. */
  url: string;
  writes: boolean;
  bodyBytesMax: number;
  /** Whether If-Match can mean anything: the operation writes one object that may exist. */
  takesIfMatch: boolean;
  readQuery: ReadQuery;
  /** Names of the headers that the operation declares. */
  headerNames: readonly string[];
  validateHeaders: Validate | null;
  validatePath: Validate | null;
  validateBody: Validate | null;
  /** In which success is answered; the first is sent when nothing else is asked for. */
  mediaTypes: readonly string[];
  /** By status; null where the reply has no schema of its own. */
  validateReply: ReadonlyMap<number, Validate>;
}

/** What arrived, before validation. */
export interface Arrived {
  path: string;
  query: string;
  params: Record<string, string>;
  headers: NodeJS.Dict<string | string[]>;
  /** Of the API, in which it is answered. */
  version: string;
  body: Buffer | undefined;
  publicUrl: string;
  fingerprintOf: FingerprintOf;
  /** Answers where it is noted whose personal values are shown. */
  shown(): Shown;
  /** Answers the signal that tells when the client goes. */
  watch(): AbortSignal;
}

export function compileRoute(operation: Operation): Route {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
  const declared = Object.keys(operation.path_params?.properties ?? {});
  if (names.join() !== declared.join()) {
    throw new Error(`${operation.operation_id}: path_params must declare ${names.join(', ') || 'nothing'}, in order`);
  }
  const writes = operation.method !== 'GET';
  const replies = Object.entries(operation.replies).filter(([, reply]) => reply.schema !== null && isJson(reply));
  return {
    operation,
    url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    writes,
    bodyBytesMax: operation.body_bytes_max ?? BODY_BYTES_MAX,
    takesIfMatch: takesIfMatch(operation),
    mediaTypes: Object.entries(operation.replies).flatMap(([status, reply]) =>
      status.startsWith('2') ? mediaTypesOf(reply) : [],
    ),
    readQuery: compileQuery(operation.query),
    headerNames: Object.keys(operation.headers?.properties ?? {}),
    validateHeaders: operation.headers === undefined ? null : compileValidator(operation.headers, 'header'),
    validatePath: operation.path_params === undefined ? null : compileValidator(operation.path_params, 'path'),
    validateBody: operation.body === undefined ? null : compileValidator(operation.envelope ?? operation.body, ''),
    validateReply: new Map(
      replies.map(([status, reply]) => [Number(status), compileValidator(reply.schema as TSchema, '')]),
    ),
  };
}

function isJson(reply: { media_type?: string }): boolean {
  return (reply.media_type ?? 'application/json') === 'application/json';
}

/** Reads and checks every part of a request; throws what is wrong with it. */
export function readCall(route: Route, caller: Caller, correlation_id: string, arrived: Arrived): Call {
  const idempotencyKey = route.writes ? readIdempotencyKey(arrived.headers['idempotency-key']) : null;
  const if_match = route.writes ? readPrecondition(route, arrived) : null;
  if (route.validatePath !== null) checkPath(route.validatePath, arrived.params);
  const query = route.readQuery(arrived.query);
  const body = route.writes ? readBody(route, arrived.body) : undefined;
  const headers = readHeaders(route, arrived);
  const call = new ValidatedCall(route, caller, correlation_id, arrived, query, headers, body, if_match);
  if (idempotencyKey !== null) call.claim(idempotencyKey);
  return call;
}

function readPrecondition(route: Route, arrived: Arrived): number | null {
  const given = arrived.headers['if-match'];
  if (given !== undefined && !route.takesIfMatch) {
    throw new WaypostError(
      'invalid_header',
      'If-Match means nothing here: this operation does not change one known object.',
      {
        faults: [{ pointer: 'header/If-Match', code: 'not_allowed', message: 'is not taken by this operation' }],
      },
    );
  }
  return readIfMatch(given);
}

const NO_HEADERS: Record<string, string> = Object.freeze({});

/** An empty header says nothing: browsers send an empty Last-Event-ID before the first event. */
function readHeaders(route: Route, arrived: Arrived): Record<string, string> {
  if (route.validateHeaders === null) return NO_HEADERS;
  const given = route.headerNames.flatMap((name) => {
    const text = arrived.headers[name.toLowerCase()];
    return text === undefined || text === '' ? [] : [[name, String(text)] as const];
  });
  const headers = Object.fromEntries(given);
  const faults = route.validateHeaders(headers);
  if (faults === null) return headers;
  const words = faults.map((fault) => `${fault.pointer.replace('header/', '')} ${fault.message}`).join('; ');
  throw new WaypostError('invalid_header', `${words}.`, { faults });
}

/** A path that breaks its schema names something that cannot exist. */
function checkPath(validate: Validate, params: Record<string, string>): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  const isClean = Object.values(params).every((value) => !/[\u0000-\u001f\u007f]/.test(value));
  const faults: readonly Fault[] | null = isClean
    ? validate(params)
    : [{ pointer: 'path', code: 'control_character', message: 'holds a control character' }];
  if (faults === null) return;
  const first = faults[0];
  const words = first === undefined ? '' : `: ${first.pointer.replace('path/', '')} ${first.message}`;
  throw new WaypostError('not_found', `Nothing is found here${words}.`, { faults });
}

function readBody(route: Route, bytes: Buffer | undefined): unknown {
  const isAbsent = bytes === undefined || bytes.length === 0;
  if (route.validateBody === null) {
    if (isAbsent) return undefined;
    const body = readJson(bytes);
    if (typeof body === 'object' && body !== null && Object.keys(body).length === 0) return undefined;
    throw new WaypostError('invalid_request', 'This operation takes no body.', {
      faults: [{ pointer: '', code: 'not_allowed', message: 'must be absent or an empty object' }],
    });
  }
  if (isAbsent) throw refuseEmptyBody(route.validateBody({}) === null);
  const body = readJson(bytes);
  const faults = route.validateBody(body);
  if (faults !== null) throw refuseBody(faults);
  return body;
}

function refuseEmptyBody(isNothingNeeded: boolean): WaypostError {
  const least = isNothingNeeded ? '; {} is enough' : '';
  return new WaypostError('malformed_json', `The body is empty: this operation needs a JSON object${least}.`);
}

/** Faults of a body, or of one item of it. */
export function refuseBody(faults: readonly Fault[]): WaypostError {
  const first = faults[0];
  const detail =
    faults.length === 1 && first !== undefined
      ? endSentence(`${first.pointer === '' ? 'The body' : first.pointer} ${first.message}`)
      : `The body has ${faults.length} faults; \`errors\` lists them.`;
  return new WaypostError('invalid_request', detail, { faults });
}

class ValidatedCall implements Call {
  readonly caller: Caller;
  readonly path: Record<string, string>;
  readonly query: Record<string, unknown>;
  readonly headers: Record<string, string>;
  readonly body: unknown;
  readonly correlation_id: string;
  readonly if_match: number | null;
  readonly body_bytes: number;
  readonly fingerprintOf: FingerprintOf;
  idempotency: Idempotency | null = null;
  readonly #route: Route;
  readonly #arrived: Arrived;
  #fingerprint: Fingerprint | null = null;

  constructor(
    route: Route,
    caller: Caller,
    correlation_id: string,
    arrived: Arrived,
    query: Record<string, unknown>,
    headers: Record<string, string>,
    body: unknown,
    if_match: number | null,
  ) {
    this.caller = caller;
    this.path = arrived.params;
    this.query = query;
    this.headers = headers;
    this.body = body;
    this.correlation_id = correlation_id;
    this.if_match = if_match;
    this.body_bytes = arrived.body?.length ?? 0;
    this.fingerprintOf = arrived.fingerprintOf;
    this.#route = route;
    this.#arrived = arrived;
  }

  /** Made when first asked for: reads need none. */
  get fingerprint(): Fingerprint {
    const { path, query } = this.#arrived;
    const target = query === '' ? path : `${path}?${query}`;
    this.#fingerprint ??= this.fingerprintOf(this.#route.operation.method, target, this.body);
    return this.#fingerprint;
  }

  get media_type(): string {
    return chooseMediaType(this.#arrived.headers.accept, this.#route.mediaTypes);
  }

  get signal(): AbortSignal {
    return this.#arrived.watch();
  }

  get shown(): Shown {
    return this.#arrived.shown();
  }

  get rendering(): 'plain' | 'personal' {
    return this.caller.scopes.has('contacts:read') ? 'personal' : 'plain';
  }

  problemOf(error: WaypostError): Problem {
    const { path: instance, publicUrl } = this.#arrived;
    return makeProblem(error, { publicUrl, instance, correlation_id: this.correlation_id });
  }

  /** Keys belong to the one channel that the caller is bound to, else to its API key. */
  claim(key: string): void {
    const { channel_ids, key_id } = this.caller;
    const client = channel_ids?.length === 1 ? (channel_ids[0] ?? key_id) : key_id;
    const call = this;
    const { method, path } = this.#route.operation;
    this.idempotency = {
      operation: `${method} ${path}`,
      client,
      key,
      body: this.body,
      api_version: this.#arrived.version,
      // A body of many items is never compared as a whole.
      get fingerprint() {
        return call.fingerprint;
      },
    };
  }
}
