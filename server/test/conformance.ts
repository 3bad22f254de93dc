// Checks replies against the OpenAPI document: the harness calls it for every reply of the suite, so that the document
// can be trusted. A line belongs here if it compares what was sent with what was promised.

import { AssertionError } from 'node:assert';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { formats } from '../src/http/formats.ts';

export interface SeenReply {
  method: string;
  /** With or without origin and query. */
  url: string;
  status: number;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | number | undefined>>;
  body: string;
}

type Json = Record<string, unknown>;

type Check = (reply: SeenReply) => void;

const checks = new Map<string, Check>();
/** Servers of one test file give the same document: what was compiled for one is good for all. */
const checksOfText = new Map<string, Check>();
const plainFetch = globalThis.fetch;

/** From now on every reply that `fetch` gets from this server is checked; one that breaks the document is thrown. */
export async function watchReplies(url: string): Promise<void> {
  const { origin } = new URL(url);
  const text = await (await plainFetch(`${origin}/openapi.json`)).text();
  const check = checksOfText.get(text) ?? createConformance(JSON.parse(text) as Json);
  checksOfText.set(text, check);
  checks.set(origin, check);
  globalThis.fetch = fetchChecked;
}

async function fetchChecked(...sent: Parameters<typeof fetch>): Promise<Response> {
  const reply = await plainFetch(...sent);
  const request = new Request(sent[0], {
    method: sent[1]?.method ?? (sent[0] instanceof Request ? sent[0].method : 'GET'),
  });
  const check = checks.get(new URL(request.url).origin);
  if (check === undefined) return reply;
  // A stream of news has no end that could be waited for.
  const isEndless = reply.headers.get('content-type') === 'text/event-stream';
  const body = isEndless ? '' : await reply.clone().text();
  check({
    method: request.method,
    url: request.url,
    status: reply.status,
    headers: Object.fromEntries(reply.headers),
    body,
  });
  return reply;
}

interface DescribedReply {
  $ref?: string;
  headers?: Json;
  content?: Record<string, { schema: Json }>;
  'x-error-codes'?: string[];
}

interface DescribedOperation {
  operationId: string;
  responses: Record<string, DescribedReply>;
}

/** Answers a check that throws an AssertionError for a reply that the document does not promise. */
export function createConformance(document: Json): Check {
  const { responses } = document.components as { responses: Record<string, DescribedReply> };
  const paths = document.paths as Record<string, Record<string, DescribedOperation>>;
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    // Each test file compiles them anew, and most are used a few times.
    code: { optimize: false },
    messages: false,
    formats: Object.fromEntries(Object.entries(formats).map(([name, format]) => [name, format.test])),
  });
  ajv.addSchema({ ...document, $id: 'waypost:openapi' });
  // As the router does: a path of fixed words goes before one that takes them for an id.
  const templates = Object.keys(paths);
  const compiled = new Map<string, ValidateFunction>();
  const validator = (pointer: string) => {
    const known = compiled.get(pointer) ?? ajv.compile({ $ref: `waypost:openapi#${pointer}` });
    compiled.set(pointer, known);
    return known;
  };

  return (reply) => {
    const path = new URL(reply.url, 'http://server').pathname;
    const method = reply.method === 'HEAD' ? 'get' : reply.method.toLowerCase();
    // A path that is written out belongs to its own operations alone; where only patterns fit, the method decides.
    const fitting = templates.filter((each) => matches(each, path));
    const own = fitting.includes(path) ? [path] : fitting;
    const template = own.find((each) => paths[each]?.[method] !== undefined);
    const fail = (words: string): never => {
      const shown = reply.body.length > 500 ? `${reply.body.slice(0, 500)}…` : reply.body;
      throw new AssertionError({ message: `${reply.method} ${path} → ${reply.status}: ${words}\n${shown}` });
    };
    checkHeaders(reply, fail);
    if (template === undefined) {
      if (![400, 404, 405, 408, 413, 415, 431].includes(reply.status))
        fail('no operation of the document has this path and method');
      checkProblem(reply, null, validator('/components/schemas/Problem'), fail);
      return;
    }
    const operation = paths[template]?.[method] as DescribedOperation;
    const listed = operation.responses[String(reply.status)];
    const shared = listed?.$ref?.replace('#/components/responses/', '');
    const described = shared === undefined ? listed : responses[shared];
    if (described === undefined) return fail(`${operation.operationId} does not document this status`);
    for (const [header, name] of [
      ['etag', 'ETag'],
      ['location', 'Location'],
      ['idempotent-replayed', 'Idempotent-Replayed'],
    ] as const) {
      if (reply.headers[header] !== undefined && described.headers?.[name] === undefined)
        fail(`${name} is not documented`);
    }
    if (reply.method === 'HEAD') return;
    const at =
      shared === undefined
        ? `/paths/${fragmentOf(template)}/${method}/responses/${reply.status}`
        : `/components/responses/${shared}`;
    checkBody(reply, described, at, validator, fail);
    if (described['x-error-codes'] !== undefined) {
      checkProblem(reply, described['x-error-codes'], validator('/components/schemas/Problem'), fail);
    }
  };
}

type Fail = (words: string) => never;

function checkHeaders(reply: SeenReply, fail: Fail): void {
  if (typeof reply.headers['x-correlation-id'] !== 'string') fail('X-Correlation-Id is missing');
  if (reply.headers.etag !== undefined && !/^"[1-9]\d*"$/.test(String(reply.headers.etag)))
    fail('ETag has another form');
  if (reply.status === 401 && reply.headers['www-authenticate'] === undefined) fail('WWW-Authenticate is missing');
  if (reply.status === 405 && reply.headers.allow === undefined) fail('Allow is missing');
}

function checkBody(
  reply: SeenReply,
  described: DescribedReply,
  at: string,
  validator: (pointer: string) => ValidateFunction,
  fail: Fail,
): void {
  if (described.content === undefined) {
    if (reply.body !== '') fail('a body was sent where none is documented');
    return;
  }
  const mediaType = String(reply.headers['content-type']);
  if (described.content[mediaType] === undefined) fail(`the media type ${mediaType} is not documented`);
  const validate = validator(`${at}/content/${fragmentOf(mediaType)}/schema`);
  const value: unknown = /^application\/(.*\+)?json$/.test(mediaType) ? JSON.parse(reply.body) : reply.body;
  if (validate(value)) return;
  const faults = (validate.errors ?? []).map((e) => `${e.instancePath} ${e.keyword} ${JSON.stringify(e.params)}`);
  fail(`the body breaks its schema:\n${faults.slice(0, 10).join('\n')}`);
}

function checkProblem(reply: SeenReply, codes: readonly string[] | null, validate: ValidateFunction, fail: Fail): void {
  if (reply.method === 'HEAD') return;
  if (reply.headers['content-type'] !== 'application/problem+json') fail('a refusal must be application/problem+json');
  const problem = JSON.parse(reply.body) as { code: string; status: number; type: string; correlation_id: string };
  if (!validate(problem)) fail(`the problem breaks its schema: ${JSON.stringify(validate.errors)}`);
  if (problem.status !== reply.status) fail('`status` is not the status');
  if (!problem.type.endsWith(`/docs/errors#${problem.code}`)) fail('`type` does not lead to the code');
  if (problem.correlation_id !== reply.headers['x-correlation-id']) fail('`correlation_id` is not X-Correlation-Id');
  if (codes !== null && !codes.includes(problem.code)) fail(`the code ${problem.code} is not documented here`);
}

function matches(template: string, path: string): boolean {
  const wanted = template.split('/');
  const parts = path.split('/');
  return parts.length === wanted.length && wanted.every((part, index) => part.startsWith('{') || part === parts[index]);
}

/** A JSON pointer part inside a URI fragment. */
function fragmentOf(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}
