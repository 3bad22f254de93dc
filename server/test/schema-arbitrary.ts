// Random values out of the schemas of an OpenAPI document: most keep to them, some are damaged. A line belongs here if
// it turns a schema into values.

import fc from 'fast-check';

export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  items?: Schema;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

/** Values that are odd wherever they stand. */
export const oddities: readonly unknown[] = [
  null,
  true,
  '',
  ' ',
  '0',
  0,
  -1,
  1.5,
  1e15,
  Number.MAX_SAFE_INTEGER,
  [],
  {},
  [null],
  { '': '' },
  'x'.repeat(300),
  '🚚',
  "'; drop table jobs;--",
  '2026-02-30T10:00:00Z',
  '\u007f',
];

const texts = ['A', 'Storgatan 1', 'ö 🚚', "O'Hara", 'a/b~c', '<b>', 'v0.0', '%_'];
const ofFormat: Record<string, readonly string[]> = {
  'date-time': [
    '2030-11-21T13:00:00Z',
    '2030-11-21T15:00:00.5+01:00',
    '2029-01-01T00:00:00Z',
    '2031-06-01T00:00:00-08:00',
  ],
  email: ['a@b.se', 'name@shop.example'],
  'time-zone': ['Europe/Stockholm', 'Asia/Tokyo'],
  'country-code': ['SE', 'DE'],
  'language-tag': ['sv', 'pt-BR'],
  uri: ['https://shop.example/doc'],
};
const ITEMS_MADE_MAX = 3;
const OPTIONAL_ONE_IN = 3;
const GRAFTS_MAX = 4;
/** Deeper than this only what is required is made. */
const DEPTH_MAX = 6;

export interface Naming {
  /** Whether a text of this name and pattern names something. */
  namesSomething(name: string, pattern: string | undefined): boolean;
  /** What exists by now that it could name: most texts that name something name one of these. */
  idsOf(name: string, pattern: string | undefined): readonly string[];
}

export function createArbitraries(components: Record<string, Schema>, naming: Naming) {
  function makeOf(schema: Schema, name: string, depth: number): fc.Arbitrary<unknown> {
    if (schema.$ref !== undefined) return makeOf(resolve(schema.$ref), name, depth);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => makeOf(one, name, depth)));
    const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? 'object'];
    const each = types.map((type) => ({
      weight: type === 'null' ? 1 : 3,
      arbitrary: ofType(type, schema, name, depth),
    }));
    return fc.oneof(...each);
  }

  function ofType(type: string, schema: Schema, name: string, depth: number): fc.Arbitrary<unknown> {
    switch (type) {
      case 'null':
        return fc.constant(null);
      case 'boolean':
        return fc.boolean();
      case 'integer': {
        const [min, max] = [schema.minimum ?? 0, schema.maximum ?? 1_000_000];
        return fc.oneof(fc.integer({ min, max: Math.min(max, min + 5) }), fc.integer({ min, max }));
      }
      case 'number':
        return fc.double({ min: schema.minimum ?? -1e6, max: schema.maximum ?? 1e6, noNaN: true });
      case 'string':
        return textOf(schema, name, naming);
      case 'array': {
        const item = makeOf(schema.items ?? { type: 'string' }, name.replace(/s$/, ''), depth + 1);
        const minLength = schema.minItems ?? 0;
        const maxLength = Math.max(minLength, Math.min(schema.maxItems ?? ITEMS_MADE_MAX, ITEMS_MADE_MAX));
        return fc.uniqueArray(item, {
          minLength,
          maxLength,
          comparator: (a, b) => JSON.stringify(a) === JSON.stringify(b),
        });
      }
      default:
        return recordOf(schema, depth);
    }
  }

  function recordOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
    const { properties = {}, required = [], additionalProperties } = schema;
    if (Object.keys(properties).length === 0 && typeof additionalProperties === 'object') {
      const value = makeOf(additionalProperties, '', depth + 1);
      return fc.dictionary(fc.constantFrom('a', 'b c', 'ö/~', 'recipient_unavailable'), value, { maxKeys: 3 });
    }
    const names = Object.keys(properties).filter((name) => depth < DEPTH_MAX || required.includes(name));
    const model = names.map((name) => {
      const value = makeOf(properties[name] ?? {}, name, depth + 1);
      return [name, required.includes(name) ? value : seldom(value, OPTIONAL_ONE_IN)] as const;
    });
    return fc.record(Object.fromEntries(model), { noNullPrototype: true }).map(withoutAbsent);
  }

  /** Every place of an example, with values that its schema allows there. */
  function placesOf(schema: Schema, example: unknown, path: readonly string[]): Graft[] {
    const { properties = {}, items } = schema.$ref === undefined ? schema : resolve(schema.$ref);
    if (Array.isArray(example)) return items === undefined ? [] : placesOf(items, example[0], [...path, '0']);
    if (typeof example !== 'object' || example === null) return [];
    return Object.entries(properties).flatMap(([name, property]) => {
      const at = [...path, name];
      return [{ at, value: makeOf(property, name, at.length) }, ...placesOf(property, Reflect.get(example, name), at)];
    });
  }

  function resolve(ref: string): Schema {
    const target = components[ref.split('/').at(-1) ?? ''];
    if (target === undefined) throw new Error(`the document lacks ${ref}`);
    return target;
  }

  return {
    /** Keeps to the schema, as far as a schema can say. */
    makeOf: (schema: Schema, name = '') => makeOf(schema, name, 0),
    /** The example with a few of its places written anew: most of these make sense. */
    graftOf(schema: Schema, example: unknown): fc.Arbitrary<unknown> {
      const places = placesOf(schema, example, []);
      if (places.length === 0) return fc.constant(example);
      const graft = fc.constantFrom(...places).chain(({ at, value }) => value.map((made) => ({ at, made })));
      return fc.array(graft, { maxLength: GRAFTS_MAX }).map((grafts) => {
        const copy = structuredClone(example);
        for (const { at, made } of grafts) plant(copy, at, made);
        return copy;
      });
    },
    /** Whatever the arbitrary makes, with one place damaged. */
    damagedOf: (whole: fc.Arbitrary<unknown>) =>
      fc.tuple(whole, fc.nat(), fc.constantFrom(...oddities)).map(([value, place, odd]) => damage(value, place, odd)),
  };
}

interface Graft {
  at: readonly string[];
  value: fc.Arbitrary<unknown>;
}

/** Undefined but for one time in so many. */
export function seldom<T>(arbitrary: fc.Arbitrary<T>, oneIn: number): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

function withoutAbsent(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

function plant(root: unknown, at: readonly string[], value: unknown): void {
  const name = at.at(-1) ?? '';
  let node = root;
  for (const step of at.slice(0, -1)) {
    // An earlier graft may have taken the place away.
    if (typeof node !== 'object' || node === null) return;
    node = Reflect.get(node, step);
  }
  if (typeof node === 'object' && node !== null) Reflect.set(node, name, structuredClone(value));
}

/** A text that names something names what exists, but for one time in eight. */
function textOf(schema: Schema, name: string, { namesSomething, idsOf }: Naming): fc.Arbitrary<unknown> {
  const own = plainTextOf(schema);
  if (!namesSomething(name, schema.pattern)) return own;
  return fc.tuple(own, fc.nat()).map(([text, place]) => {
    const ids = idsOf(name, schema.pattern);
    return place % 8 === 0 ? text : (ids[place % ids.length] ?? text);
  });
}

function plainTextOf({ format, pattern, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  const formed = format === undefined ? undefined : ofFormat[format];
  if (formed !== undefined) return fc.constantFrom(...formed);
  if (pattern !== undefined) return matching(pattern);
  const fitting = texts.filter((text) => text.length >= minLength && text.length <= maxLength);
  const random = fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, minLength + 12) });
  return fitting.length > 0 ? fc.oneof(fc.constantFrom(...fitting), random) : random;
}

const patterns = new Map<string, fc.Arbitrary<string>>();

/** The same few patterns stand in hundreds of places, and each takes a while to be understood. */
function matching(pattern: string): fc.Arbitrary<string> {
  const known = patterns.get(pattern) ?? fc.stringMatching(new RegExp(pattern));
  patterns.set(pattern, known);
  return known;
}

/** The value with its `place`-th part exchanged for something odd, taken out, or joined by something unknown. */
function damage(value: unknown, place: number, odd: unknown): unknown {
  const copy = structuredClone(value);
  const parts: (() => void)[] = [];
  const walk = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    const members = node as Record<string, unknown>;
    const put = (name: string) => {
      members[name] = odd;
    };
    for (const name of Object.keys(members)) {
      parts.push(
        () => put(name),
        () => delete members[name],
      );
      walk(members[name]);
    }
    if (!Array.isArray(node)) parts.push(() => put('unknown_member'));
  };
  walk(copy);
  if (parts.length === 0) return odd;
  parts[place % parts.length]?.();
  return copy;
}
