// Examples of the API's document made usable now: every instant is moved by the same time, references are new. Pure:
// `nowMs` and the random word are given.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };

const HOUR_MS = 3_600_000;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** An order lies ahead: its first instant becomes the next full hour but one. */
export function freshenAhead(body: Json, nowMs: number): Json {
  const first = Math.min(...instantsIn(body));
  return moveInstants(body, (Math.floor(nowMs / HOUR_MS) + 2) * HOUR_MS - first);
}

/** A report lies behind: its last instant becomes now. */
export function freshenBehind(body: Json, nowMs: number): Json {
  const last = Math.max(...instantsIn(body));
  return moveInstants(body, Math.floor(nowMs / 1_000) * 1_000 - last);
}

/** The body with these members set; undefined takes one away. */
export function withMembers(body: Json, members: Readonly<Record<string, Json | undefined>>): Json {
  if (!isTree(body)) return body;
  const merged: Record<string, Json | undefined> = { ...body, ...members };
  const kept = Object.entries(merged).filter((entry): entry is [string, Json] => entry[1] !== undefined);
  return Object.fromEntries(kept);
}

function instantsIn(value: Json): number[] {
  if (typeof value === 'string') return INSTANT.test(value) ? [Date.parse(value)] : [];
  if (isList(value)) return value.flatMap(instantsIn);
  return isTree(value) ? Object.values(value).flatMap(instantsIn) : [];
}

function moveInstants(value: Json, byMs: number): Json {
  if (typeof value === 'string') return INSTANT.test(value) ? writeInstant(Date.parse(value) + byMs, value) : value;
  if (isList(value)) return value.map((each) => moveInstants(each, byMs));
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, moveInstants(each, byMs)]));
}

/** With milliseconds where the example has them. */
function writeInstant(atMs: number, like: string): string {
  const text = new Date(atMs).toISOString();
  return like.includes('.') ? text : text.replace('.000Z', 'Z');
}

export function isTree(value: Json): value is { readonly [member: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
