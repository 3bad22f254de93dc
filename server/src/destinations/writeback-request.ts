// The request that a write-back makes of what its transform says, and what the system's answer means. Pure; a line belongs
// here if it decides where a request may go, what stands in it, or whether an answer is a success.

import type { Credentials, DestinationSettings } from './destination.schema.ts';
import type { Answer } from './destination.ts';

const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'];
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const HEADER_VALUE = /^[ -~]{0,1024}$/;
/** What connections are made of, and what we say ourselves. */
const RESERVED =
  /^(connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|webhook-.*|waypost-.*)$/;
/** What our signature is for reads nobody there. */
const OURS = /^(webhook-|waypost-)/;
const DETAIL_LENGTH_MAX = 300;

export interface WritebackRequest {
  method: string;
  origin: string;
  path: string;
  headers: string[];
  body: Buffer | null;
}

export interface WritebackPlace {
  /** Of the endpoint: requests go nowhere else, since its credentials go along. */
  url: string;
  settings: DestinationSettings;
  credentials: Credentials;
}

/** Thrown with words about what the transform made. */
export class UnusableRequest extends Error {}

/** Null: there is nothing to tell the system about this event. */
export function readRequest(text: string, place: WritebackPlace, given: readonly string[]): WritebackRequest | null {
  const asked: unknown = JSON.parse(text);
  if (asked === null) return null;
  return requestOf(asked, place, given);
}

/** What is asked when the endpoint is tested: something that changes nothing. */
export function readCheck(place: WritebackPlace, given: readonly string[]): WritebackRequest {
  return requestOf(place.settings.check ?? { method: 'GET', url: '' }, place, given);
}

function requestOf(asked: unknown, place: WritebackPlace, given: readonly string[]): WritebackRequest {
  if (!isObject(asked)) throw new UnusableRequest('the transform makes no object {method, url, headers, body}');
  const { method = 'POST', url = '', headers = {}, body, ...rest } = asked;
  const [stranger] = Object.keys(rest);
  if (stranger !== undefined) throw new UnusableRequest(`a request has no member "${stranger}"`);
  if (typeof method !== 'string' || !METHODS.includes(method))
    throw new UnusableRequest(`the method is one of ${METHODS.join(', ')}`);
  const target = typeof url === 'string' ? URL.parse(url, place.url) : null;
  if (target === null) throw new UnusableRequest('the url of the request is no URL');
  const { origin } = new URL(place.url);
  if (target.origin !== origin)
    throw new UnusableRequest(`the request goes to ${target.origin}, the endpoint to ${origin}`);
  return {
    method,
    origin,
    path: `${target.pathname}${target.search}`,
    headers: headersOf(headers, body, given),
    body: bodyOf(body, place),
  };
}

/** The endpoint's own headers and those of the request; what is said twice, the request says. */
function headersOf(asked: unknown, body: unknown, given: readonly string[]): string[] {
  if (!isObject(asked)) throw new UnusableRequest('the headers of the request are an object');
  const merged = new Map<string, string>();
  for (let at = 0; at < given.length; at += 2) {
    const name = given[at] ?? '';
    if (!OURS.test(name) && name !== 'content-type') merged.set(name, given[at + 1] ?? '');
    if (name === 'webhook-id') merged.set('idempotency-key', given[at + 1] ?? '');
  }
  if (body !== undefined) merged.set('content-type', typeof body === 'string' ? 'text/plain' : 'application/json');
  for (const [name, value] of Object.entries(asked)) {
    const lower = name.toLowerCase();
    const isUsable = HEADER_NAME.test(lower) && typeof value === 'string' && HEADER_VALUE.test(value);
    if (!isUsable || RESERVED.test(lower)) throw new UnusableRequest(`the header "${name}" cannot be sent`);
    merged.set(lower, value);
  }
  return [...merged].flat();
}

function bodyOf(body: unknown, { settings, credentials }: WritebackPlace): Buffer | null {
  if (body === undefined) return null;
  if (typeof body === 'string') return Buffer.from(body);
  // A copy: the body of a check is that of the settings, which are shown.
  const filled: unknown = structuredClone(body);
  for (const [name, pointer] of Object.entries(settings.credentials_at ?? {}))
    insert(filled, pointer, credentials[name] ?? '');
  return Buffer.from(JSON.stringify(filled));
}

/** Puts a credential where the settings say: not where the data of an event could say it. */
function insert(body: unknown, pointer: string, value: string): void {
  const names = pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = names.pop() ?? '';
  let at: unknown = body;
  for (const name of names) at = isContainer(at) ? at[name] : undefined;
  if (!isContainer(at) || !Object.hasOwn(at, last))
    throw new UnusableRequest(`the body of the request has nothing at ${pointer}, where a credential belongs`);
  at[last] = value;
}

const isContainer = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function isObject(value: unknown): value is Record<string, unknown> {
  return isContainer(value) && !Array.isArray(value);
}

/** What the answer means: some systems say 200 and no. */
export function judgeReply(answer: Answer, { settings, credentials }: WritebackPlace): Answer {
  const reply = hide(answer.reply, credentials);
  // 410 is about the one thing that was asked for, not about the endpoint, and pauses nothing.
  if (answer.outcome !== 'delivered')
    return { ...answer, outcome: answer.status === 410 ? 'failed' : answer.outcome, reply, control: null };
  const error = settings.answer === undefined ? null : refusalIn(reply, settings.answer);
  return { ...answer, outcome: error === null ? 'delivered' : 'refused', error, reply, control: null };
}

function refusalIn(reply: string | null, form: NonNullable<DestinationSettings['answer']>): string | null {
  let said: unknown;
  try {
    said = JSON.parse(reply ?? '');
  } catch {
    return `the answer is no JSON of a ${form === 'json_rpc' ? 'JSON-RPC' : 'GraphQL'} server, or longer than what is read of it`;
  }
  if (!isObject(said)) return 'the answer is no object';
  const found = form === 'json_rpc' ? said.error : (firstOf(said.errors) ?? userError(said.data));
  if (found === undefined || found === null) return null;
  return `the system said no: ${wordsIn(found).slice(0, DETAIL_LENGTH_MAX)}`;
}

const firstOf = (list: unknown): unknown => (Array.isArray(list) ? list[0] : undefined);

/** Of a mutation: `{data: {mutation: {userErrors: […]}}}`. */
function userError(data: unknown): unknown {
  if (!isObject(data)) return undefined;
  const results = Object.values(data).filter(isObject);
  return results.map(({ userErrors }) => firstOf(userErrors)).find((each) => each !== undefined);
}

function wordsIn(fault: unknown): string {
  if (!isObject(fault)) return String(fault);
  const detail = isObject(fault.data) ? fault.data.message : undefined;
  return [fault.message, detail].filter((words) => typeof words === 'string').join(': ') || JSON.stringify(fault);
}

/** What a system repeats of its credentials is not kept with the attempt. */
function hide(reply: string | null, credentials: Credentials): string | null {
  if (reply === null) return null;
  return Object.values(credentials).reduce((text, value) => text.replaceAll(value, '…'), reply);
}
