// What an operation of the API is: its path, its schemas, its errors and the function that runs it. Every route file
// exports a function that returns a list of these; the server and the OpenAPI document are both built from them.

import type { Static, TObject, TSchema } from 'typebox';
import type { ErrorCode, WaypostError } from '../errors.ts';
import type { Actor, Idempotency, Instant, Outcome, Rendering } from '../ledger/command.ts';
import type { Fingerprint, FingerprintOf } from '../ledger/fingerprint.ts';
import type { Shown } from '../ledger/shown.ts';
import type { Problem } from './problem.ts';
import type { Scope } from './scope.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Operation {
  /** verb_noun, unique: `create_job`. */
  operation_id: string;
  method: Method;
  /** With braces as in OpenAPI: `/v1/jobs/{job_id}`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /** What the caller's key must hold; null makes the operation public. */
  scope: Scope | null;
  /** It is served and described, and nobody needs to read about it. */
  hidden?: boolean;
  /** A public operation that wants a credential of its own; `admit` throws `unauthorized`. */
  own_credential?: { name: string; description: string; admit(authorization: string | undefined): void };
  /** A value that breaks its schema is 404: such a thing cannot exist. */
  path_params?: TObject;
  /** Strings, integers, numbers, booleans, arrays of strings (`a,b`) and records (`name[key]=value`). */
  query?: TObject;
  /** Texts, by the names of the headers as they are written in documents. */
  headers?: TObject;
  body?: TSchema;
  /** What the body is held against here when `body`, which the document shows, says more: its items are judged one by one. */
  envelope?: TSchema;
  replies: Readonly<Record<number, ReplyContract>>;
  /** Beyond those that every operation can answer. */
  errors: readonly ErrorCode[];
  body_example?: unknown;
  reply_example?: unknown;
  /**
   * Whether it can be about one known object: replies carry its ETag, and writes take If-Match. When absent: whether the
   * path has braces.
   */
  names_one?: boolean;
  /** As how many requests it counts for the rate limit of the key, one for each item of a batch. One when absent. */
  items?(body: unknown): number;
  /** Named limit of the body; `bodyBytesMax` when absent. */
  body_bytes_max?: number;
  run(call: Call): Promise<Reply>;
}

export function namesOne(operation: Operation): boolean {
  return operation.names_one ?? operation.path.includes('{');
}

export function takesIfMatch(operation: Operation): boolean {
  return operation.method !== 'GET' && namesOne(operation);
}

export interface ReplyContract {
  description: string;
  /** Null when the reply has no body, or only the forms of `streams`. */
  schema: TSchema | null;
  /** application/json when absent. */
  media_type?: string;
  /** Headers of this reply alone → what they say. */
  headers?: Readonly<Record<string, { description: string; schema: TSchema }>>;
  /** Media type → the same reply sent piece by piece (`ByteStream`). The Accept header chooses: `Call.media_type`. */
  streams?: Readonly<Record<string, StreamContract>>;
}

export interface StreamContract {
  /** What the text is made of. */
  description: string;
  /** The beginning of such a text. */
  example: string;
}

/** Every media type in which a reply can come; the first is sent when the caller asks for none of them. */
export function mediaTypesOf(reply: ReplyContract): string[] {
  const own = reply.schema === null ? [] : [reply.media_type ?? 'application/json'];
  return [...own, ...Object.keys(reply.streams ?? {})];
}

export function streams(operation: Operation): boolean {
  return Object.values(operation.replies).some((reply) => reply.streams !== undefined);
}

/** Who calls: made by the access room from the credential, never from the request. */
export interface Caller {
  world_id: number;
  tenant_id: string;
  world: 'live' | 'test';
  key_id: string;
  scopes: ReadonlySet<string>;
  authority: string;
  /** The channels that the key is bound to; null means all of the tenant. */
  channel_ids: readonly string[] | null;
  /** What it may ask for on all processes together; null: what the server's settings say. */
  rate_limit_per_s: number | null;
  /** In which version it is answered unless the request says another. */
  api_version: string;
  /** When its key ends or should be rotated, and from when on it is told so; null: never. */
  key_due: { at: Instant; warned_from_ms: number } | null;
  actor: Actor;
  /** The address that this request came from. */
  from: string;
}

/** What a key opens, whoever sends it. */
export type KeyHolder = Omit<Caller, 'from'>;

/** One validated request. */
export interface Call<
  Path = Record<string, string>,
  Query = Record<string, unknown>,
  Body = unknown,
  Headers = Record<string, string>,
> {
  caller: Caller;
  path: Path;
  query: Query;
  /** Those that the operation declares and the caller sent, not empty. */
  headers: Headers;
  body: Body;
  correlation_id: string;
  /** From Idempotency-Key; null when the caller sent none. */
  idempotency: Idempotency | null;
  /** From If-Match; null when absent or `*`. */
  if_match: number | null;
  /** Of method, path, query and canonical body. */
  readonly fingerprint: Fingerprint;
  /** The fingerprint of a part of it, or of the same with something hidden. */
  fingerprintOf: FingerprintOf;
  /** `personal` when the caller holds contacts:read. */
  rendering: Rendering;
  /** Where it is noted whose personal values the reply shows: see noteShown. */
  readonly shown: Shown;
  /** Length of the body as it arrived. */
  body_bytes: number;
  /** What a refusal would say if it were the whole reply: a reply about many holds one for each that was refused. */
  problemOf(error: WaypostError): Problem;
  /** Of the media types in which the operation answers success, the one that the caller's Accept header prefers. */
  readonly media_type: string;
  /** Aborted when the client goes, when its key no longer opens (streams), or when the server stops. */
  readonly signal: AbortSignal;
}

export interface Reply {
  status: number;
  /** A JSON value, JSON or other text that is rendered already, or a stream; undefined for no body. */
  body: unknown;
  version?: number | null;
  location?: string | null;
  headers?: Readonly<Record<string, string>>;
  replayed?: boolean;
  /** Of the API, when it is not the one that the request asks for: a repeat comes in that of the first reply. */
  api_version?: string | null;
}

/** JSON that is rendered already: sent as it is. */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Text that is not JSON, such as a page. The operation's reply names the media type. */
export class OtherText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Text that is kept packed (gzip): sent so to whoever takes it, unpacked to others. */
export class PackedText {
  readonly gzip: Buffer;
  constructor(gzip: Buffer) {
    this.gzip = gzip;
  }
}

/**
 * A reply that is sent piece by piece, as fast as the client takes it. What fails before the first piece becomes a problem
 * document; what fails later cuts the connection, so that nobody takes half for the whole. Whatever the pieces are made
 * from must be opened by the first `next()` and closed by `return()`: an iterator that was never asked is never closed.
 * It ends by itself soon after `Call.signal` is aborted, or is cut.
 */
export class ByteStream {
  /** One of those that the operation declares. */
  readonly media_type: string;
  readonly pieces: AsyncIterable<string | Buffer>;
  /** Aborted by whoever makes the pieces when the client is too slow for them: the connection is cut at once. */
  readonly cut: AbortSignal | null;
  constructor(media_type: string, pieces: AsyncIterable<string | Buffer>, cut: AbortSignal | null = null) {
    this.media_type = media_type;
    this.pieces = pieces;
    this.cut = cut;
  }
}

type StaticOr<S, Otherwise> = S extends TSchema ? Static<S> : Otherwise;

type NoMembers = Record<string, never>;

interface TypedOperation<
  P extends TObject | undefined,
  Q extends TObject | undefined,
  B extends TSchema | undefined,
  H extends TObject | undefined,
> extends Omit<Operation, 'path_params' | 'query' | 'headers' | 'body' | 'items' | 'run'> {
  path_params?: P;
  query?: Q;
  headers?: H;
  body?: B;
  items?(body: StaticOr<B, undefined>): number;
  run(
    call: Call<StaticOr<P, NoMembers>, StaticOr<Q, NoMembers>, StaticOr<B, undefined>, StaticOr<H, NoMembers>>,
  ): Promise<Reply>;
}

/** Declares an operation so that `run` gets path, query and body with the types of their schemas. */
export function operation<
  P extends TObject | undefined = undefined,
  Q extends TObject | undefined = undefined,
  B extends TSchema | undefined = undefined,
  H extends TObject | undefined = undefined,
>(spec: TypedOperation<P, Q, B, H>): Operation {
  return spec as Operation;
}

/** What the ledger answered, as a reply. */
export function replyOf(outcome: Outcome, rendering: Rendering): Reply {
  return {
    status: outcome.status,
    body: outcome.status === 204 ? undefined : new JsonText(outcome.render(rendering)),
    version: outcome.version,
    location: outcome.location,
    headers: outcome.headers,
    replayed: outcome.replayed,
    api_version: outcome.api_version,
  };
}
