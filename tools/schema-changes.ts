// What differs between two OpenAPI documents, and whether it breaks somebody: a caller who sends what was right before, or
// a reader who relies on what came before. Events count as replies. Pure; a line belongs here if it judges a difference.

export type Json = Record<string, unknown>;

export interface Change {
  kind: 'breaking' | 'additive';
  /** Operation or event, and the place in it. */
  where: string;
  what: string;
}

/** Sent to us, or sent by us: what is free for the one is not for the other. */
type Direction = 'request' | 'reply';

interface Sides {
  before: Json;
  after: Json;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const asJson = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const keysOf = (...objects: Json[]) => [...new Set(objects.flatMap((object) => Object.keys(object)))];

export function compareDocuments(before: Json, after: Json): Change[] {
  const sides = { before, after };
  const changes: Change[] = [];
  const [old, now] = [listOperations(before), listOperations(after)];
  for (const name of keysOf(old, now)) {
    if (!(name in now)) changes.push({ kind: 'breaking', where: name, what: 'is gone' });
    else if (!(name in old)) changes.push({ kind: 'additive', where: name, what: 'is new' });
    else compareOperation(name, asJson(old[name]), asJson(now[name]), sides, changes);
  }
  return changes;
}

/** `POST /v1/jobs` and `event job.created` → operation. */
function listOperations(document: Json): Json {
  const operations: Json = {};
  for (const [path, item] of Object.entries(asJson(document.paths)))
    for (const method of METHODS)
      if (asJson(item)[method] !== undefined && asJson(asJson(item)[method])['x-internal'] !== true)
        operations[`${method.toUpperCase()} ${path}`] = asJson(item)[method];
  for (const [type, item] of Object.entries(asJson(document.webhooks))) operations[`event ${type}`] = asJson(item).post;
  return operations;
}

function compareOperation(where: string, old: Json, now: Json, sides: Sides, changes: Change[]): void {
  const isEvent = where.startsWith('event ');
  if (!isEvent) compareParameters(where, old, now, sides, changes);
  const bodyOf = (operation: Json, side: keyof Sides) => mediaOf(follow(operation.requestBody, sides[side]));
  const [oldBody, newBody] = [bodyOf(old, 'before'), bodyOf(now, 'after')];
  compareMedia(`${where} body`, oldBody, newBody, isEvent ? 'reply' : 'request', sides, changes);
  if (isEvent) return;
  const repliesOf = (operation: Json) =>
    Object.fromEntries(Object.entries(asJson(operation.responses)).filter(([status]) => status.startsWith('2')));
  const [oldReplies, newReplies] = [repliesOf(old), repliesOf(now)];
  for (const status of keysOf(oldReplies, newReplies)) {
    const place = `${where} ${status}`;
    if (!(status in newReplies)) changes.push({ kind: 'breaking', where: place, what: 'is gone' });
    else if (!(status in oldReplies)) changes.push({ kind: 'additive', where: place, what: 'is new' });
    else {
      const [oldMedia, newMedia] = [
        mediaOf(follow(oldReplies[status], sides.before)),
        mediaOf(follow(newReplies[status], sides.after)),
      ];
      compareMedia(place, oldMedia, newMedia, 'reply', sides, changes);
    }
  }
}

const mediaOf = (holder: Json) => asJson(holder.content);

function compareMedia(
  where: string,
  old: Json,
  now: Json,
  direction: Direction,
  sides: Sides,
  changes: Change[],
): void {
  for (const type of keysOf(old, now)) {
    const place = keysOf(old, now).length > 1 ? `${where} (${type})` : where;
    if (!(type in now)) changes.push({ kind: 'breaking', where: place, what: 'is gone' });
    else if (!(type in old)) {
      const isNeeded = direction === 'request' && Object.keys(old).length === 0;
      changes.push({ kind: isNeeded ? 'breaking' : 'additive', where: place, what: 'is new' });
    } else {
      const judge = { direction, sides, changes, seen: new Set<string>() };
      compareSchemas(place, asJson(old[type]).schema, asJson(now[type]).schema, judge);
    }
  }
}

function compareParameters(where: string, old: Json, now: Json, sides: Sides, changes: Change[]): void {
  const named = (operation: Json, side: keyof Sides): Json =>
    Object.fromEntries(
      ((operation.parameters ?? []) as unknown[]).map((parameter) => {
        const found = follow(parameter, sides[side]);
        return [`${found.in} ${found.name}`, found];
      }),
    );
  const [oldOnes, newOnes] = [named(old, 'before'), named(now, 'after')];
  for (const name of keysOf(oldOnes, newOnes)) {
    const place = `${where} ${name}`;
    const [before, after] = [asJson(oldOnes[name]), asJson(newOnes[name])];
    if (!(name in newOnes)) changes.push({ kind: 'breaking', where: place, what: 'is gone' });
    else if (!(name in oldOnes))
      changes.push({ kind: after.required === true ? 'breaking' : 'additive', where: place, what: 'is new' });
    else {
      if (after.required === true && before.required !== true)
        changes.push({ kind: 'breaking', where: place, what: 'is required now' });
      const judge = { direction: 'request' as const, sides, changes, seen: new Set<string>() };
      compareSchemas(place, before.schema, after.schema, judge);
    }
  }
}

interface Judge {
  direction: Direction;
  sides: Sides;
  changes: Change[];
  /** Pairs of references that are being compared: schemas may hold themselves. */
  seen: Set<string>;
}

function compareSchemas(where: string, oldOne: unknown, newOne: unknown, judge: Judge): void {
  const [old, now] = [asJson(oldOne), asJson(newOne)];
  if (typeof old.$ref === 'string' && typeof now.$ref === 'string') {
    const pair = `${old.$ref} ${now.$ref}`;
    if (judge.seen.has(pair)) return;
    judge.seen.add(pair);
  }
  const [a, b] = [follow(old, judge.sides.before), follow(now, judge.sides.after)];
  if (JSON.stringify(a) === JSON.stringify(b) && !JSON.stringify(a).includes('"$ref"')) return;
  compareTypes(where, a, b, judge);
  compareValues(where, a, b, judge);
  compareBounds(where, a, b, judge);
  compareMembers(where, a, b, judge);
  if (a.items !== undefined && b.items !== undefined) compareSchemas(`${where}/*`, a.items, b.items, judge);
  for (const word of ['allOf', 'anyOf', 'oneOf', 'prefixItems']) compareLists(where, word, a, b, judge);
  const isOpen = (schema: Json) => typeof schema.additionalProperties === 'object';
  if (isOpen(a) && isOpen(b)) compareSchemas(`${where}/{name}`, a.additionalProperties, b.additionalProperties, judge);
}

/** What is allowed to grow is what the one who reads has to bear: we a request, others a reply. */
function note({ direction, changes }: Judge, where: string, what: string, effect: 'wider' | 'narrower'): void {
  const isBreaking = direction === 'request' ? effect === 'narrower' : effect === 'wider';
  changes.push({ kind: isBreaking ? 'breaking' : 'additive', where, what });
}

function compareTypes(where: string, a: Json, b: Json, judge: Judge): void {
  const typesOf = ({ type }: Json) => (type === undefined ? [] : [type].flat()) as string[];
  const [old, now] = [typesOf(a), typesOf(b)];
  if (old.length === 0 && now.length === 0) return;
  const has = (types: string[], type: string) =>
    types.length === 0 || types.includes(type) || (type === 'integer' && types.includes('number'));
  const gone = old.length === 0 ? now : old.filter((type) => !has(now, type));
  const fresh = now.length === 0 ? old : now.filter((type) => !has(old, type));
  if (gone.length > 0) note(judge, where, `is no longer ${gone.join(' or ')}`, 'narrower');
  if (fresh.length > 0 && old.length > 0) note(judge, where, `may be ${fresh.join(' or ')} now`, 'wider');
}

/** A new word in a reply is no break: readers are told to expect words that they do not know. */
function compareValues(where: string, a: Json, b: Json, judge: Judge): void {
  const valuesOf = (schema: Json) =>
    schema.const !== undefined ? [schema.const] : (schema.enum as unknown[] | undefined);
  const [old, now] = [valuesOf(a), valuesOf(b)];
  if (old === undefined && now === undefined) return;
  if (old === undefined || now === undefined) {
    if (old === undefined) note(judge, where, 'takes only some values now', 'narrower');
    else note(judge, where, 'takes any value now', 'wider');
    return;
  }
  const text = (values: unknown[]) => values.map((value) => JSON.stringify(value));
  const gone = text(old).filter((value) => !text(now).includes(value));
  const fresh = text(now).filter((value) => !text(old).includes(value));
  if (gone.length > 0) note(judge, where, `no longer knows ${gone.join(', ')}`, 'narrower');
  if (fresh.length === 0) return;
  const isFixed = a.const !== undefined && judge.direction === 'reply';
  judge.changes.push({ kind: isFixed ? 'breaking' : 'additive', where, what: `knows ${fresh.join(', ')}` });
}

const MINIMA = ['minimum', 'minLength', 'minItems', 'minProperties'];
const MAXIMA = ['maximum', 'maxLength', 'maxItems', 'maxProperties'];

/** Bounds hold for what is sent to us; in replies they are words for people. */
function compareBounds(where: string, a: Json, b: Json, judge: Judge): void {
  if (judge.direction === 'reply') return;
  for (const [words, sign] of [
    [MINIMA, 1],
    [MAXIMA, -1],
  ] as const) {
    for (const word of words) {
      const [old, now] = [a[word], b[word]] as (number | undefined)[];
      if (old === now) continue;
      const isNarrower = now !== undefined && (old === undefined || (now - old) * sign > 0);
      note(judge, where, `${word} ${old ?? 'none'} → ${now ?? 'none'}`, isNarrower ? 'narrower' : 'wider');
    }
  }
  for (const word of ['pattern', 'format', 'uniqueItems']) {
    if (a[word] === b[word]) continue;
    note(
      judge,
      where,
      `${word} ${a[word] ?? 'none'} → ${b[word] ?? 'none'}`,
      b[word] === undefined ? 'wider' : 'narrower',
    );
  }
}

function compareMembers(where: string, a: Json, b: Json, judge: Judge): void {
  const [old, now] = [asJson(a.properties), asJson(b.properties)];
  const requires = (schema: Json, name: string) => ((schema.required ?? []) as string[]).includes(name);
  for (const name of keysOf(old, now)) {
    const place = `${where}/${name}`;
    const [was, is] = [requires(a, name), requires(b, name)];
    if (!(name in now)) judge.changes.push({ kind: 'breaking', where: place, what: 'is gone' });
    else if (!(name in old)) {
      const isNeeded = judge.direction === 'request' && is;
      judge.changes.push({
        kind: isNeeded ? 'breaking' : 'additive',
        where: place,
        what: isNeeded ? 'is new and required' : 'is new',
      });
    } else {
      if (is && !was) note(judge, place, 'is required now', 'narrower');
      if (was && !is) note(judge, place, 'may be missing now', 'wider');
      compareSchemas(place, old[name], now[name], judge);
    }
  }
  if (a.additionalProperties !== false && b.additionalProperties === false && judge.direction === 'request')
    judge.changes.push({ kind: 'breaking', where, what: 'takes no other members now' });
}

function compareLists(where: string, word: string, a: Json, b: Json, judge: Judge): void {
  const [old, now] = [(a[word] ?? []) as unknown[], (b[word] ?? []) as unknown[]];
  for (let index = 0; index < Math.min(old.length, now.length); index++)
    compareSchemas(word === 'allOf' ? where : `${where}/${word}/${index}`, old[index], now[index], judge);
  if (old.length === now.length) return;
  const isWider = word === 'allOf' ? now.length < old.length : now.length > old.length;
  note(judge, where, `${word} of ${old.length} → ${now.length}`, isWider ? 'wider' : 'narrower');
}

function follow(value: unknown, document: Json): Json {
  const { $ref: reference, ...rest } = asJson(value);
  if (typeof reference !== 'string') return asJson(value);
  const found = reference
    .slice(2)
    .split('/')
    .reduce<unknown>((at, name) => asJson(at)[name], document);
  return { ...follow(found, document), ...rest };
}

/** What of a document its promise is made of: without words and examples for people. */
export function promiseOf(value: unknown, isNamed = false): unknown {
  if (Array.isArray(value)) return value.map((item) => promiseOf(item));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => isNamed || !WORDS.has(name));
  return Object.fromEntries(members.map(([name, member]) => [name, promiseOf(member, !isNamed && NAMING.has(name))]));
}

const WORDS = new Set(['description', 'summary', 'example', 'examples', 'tags', 'servers', 'title', 'x-displayName']);
/** Members whose own members are names of something, not words of the schema. */
const NAMING = new Set(['properties', 'paths', 'webhooks', 'schemas', 'responses', 'parameters', 'headers', 'content']);
