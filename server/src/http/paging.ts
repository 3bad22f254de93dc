// The shape of every list: `?limit=&after=` → `{data, has_more, next}`, and how a list is walked from place to place.
// A line belongs here if all lists share it.

import Type, { type TObject, type TSchema } from 'typebox';
import type { Cursor, Shape, Values } from './cursor.ts';
import { JsonText } from './operation.ts';

export const PAGE_LIMIT_DEFAULT = 50;
export const PAGE_LIMIT_MAX = 200;

/** Members of the query of every list. */
export const pageQuery = {
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: PAGE_LIMIT_MAX,
      description: `How many at most; ${PAGE_LIMIT_DEFAULT} when absent, in an export all.`,
    }),
  ),
  after: Type.Optional(
    Type.String({ minLength: 1, maxLength: 512, description: '`next` of the page before; absent: from the first.' }),
  ),
};

/** Schema of a page of these items. */
export function pageOf(item: TSchema): TObject {
  return Type.Object(
    {
      data: Type.Array(item, { maxItems: PAGE_LIMIT_MAX }),
      has_more: Type.Boolean({ description: 'Whether another page follows.' }),
      next: Type.Unsafe<string | null>({
        type: ['string', 'null'],
        description: 'Cursor of the next page; null on the last.',
      }),
    },
    { additionalProperties: false },
  );
}

/** A value as the list's schema has it, or its JSON as it is kept. */
export type Item = JsonText | object;

/** Some of a list in its order. */
export interface Slice {
  items: readonly Item[];
  /** The cursor to go on from; null at the end. */
  next: string | null;
}

/** One list in one order, filtered as a call asks for. */
export interface Walk {
  /** At most `limit` items after a cursor, or from the first. */
  readSlice(after: string | null, limit: number): Promise<Slice>;
}

/** How a list goes by places: the values by which it is ordered. */
export interface Steps<S extends Shape, Row> {
  cursor: Cursor<S>;
  /** At most `count` rows after a place. */
  read(after: Values<S> | null, count: number): Promise<readonly Row[]>;
  placeOf(row: Row): Values<S>;
  show(rows: readonly Row[]): readonly Item[] | Promise<readonly Item[]>;
}

/** Walks from row to row. One row more than wanted is read, so that the last slice knows that it is the last. */
export function walkBy<const S extends Shape, Row>({ cursor, read, placeOf, show }: Steps<S, Row>): Walk {
  return walkPages({
    cursor,
    async read(after, limit) {
      const rows = await read(after, limit + 1);
      return { rows: rows.slice(0, limit), next: rows.length > limit ? (rows[limit - 1] ?? null) : null };
    },
    placeOf,
    show,
  });
}

/** How a list goes whose store itself says where a page ends, which may be before it is full. */
export interface Pages<S extends Shape, Row, Place> {
  cursor: Cursor<S>;
  read(after: Values<S> | null, limit: number): Promise<{ rows: readonly Row[]; next: Place | null }>;
  placeOf(place: Place): Values<S>;
  show(rows: readonly Row[]): readonly Item[] | Promise<readonly Item[]>;
}

export function walkPages<const S extends Shape, Row, Place>({
  cursor,
  read,
  placeOf,
  show,
}: Pages<S, Row, Place>): Walk {
  return {
    async readSlice(after, limit) {
      const { rows, next } = await read(after === null ? null : cursor.decode(after), limit);
      return { items: await show(rows), next: next === null ? null : cursor.encode(placeOf(next)) };
    },
  };
}

/** The body of a page. Items that are rendered already are not rendered again. */
export function pageBody({ items, next }: Slice): unknown {
  const has_more = next !== null;
  const texts = items.map((item) => (item instanceof JsonText ? item.text : null));
  if (texts.includes(null)) return { data: items, has_more, next };
  return new JsonText(`{"data":[${texts.join(',')}],"has_more":${has_more},"next":${JSON.stringify(next)}}`);
}
