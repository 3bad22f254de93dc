// The shape of every list: `?limit=&after=` → `{data, has_more, next}`. A line belongs here if all lists share it.

import Type, { type TObject, type TSchema } from 'typebox';

export const PAGE_LIMIT_DEFAULT = 50;
export const PAGE_LIMIT_MAX = 200;

/** Members of the query of every list. */
export const pageQuery = {
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: PAGE_LIMIT_MAX,
      description: `How many at most; ${PAGE_LIMIT_DEFAULT} when absent.`,
    }),
  ),
  after: Type.Optional(
    Type.String({ minLength: 1, maxLength: 512, description: '`next` of the page before; absent: the first page.' }),
  ),
};

export interface Page<T> {
  data: readonly T[];
  has_more: boolean;
  /** Send it as `after` to go on; null on the last page. */
  next: string | null;
}

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

export function limitOf(query: { limit?: number }): number {
  return query.limit ?? PAGE_LIMIT_DEFAULT;
}

/** Makes a page of rows that were read with `limit + 1`, so that the last page knows that it is the last. */
export function makePage<Row, T>(
  rows: readonly Row[],
  limit: number,
  render: (row: Row) => T,
  cursorOf: (row: Row) => string,
): Page<T> {
  const last = rows[limit - 1];
  const has_more = rows.length > limit && last !== undefined;
  return { data: rows.slice(0, limit).map(render), has_more, next: has_more ? cursorOf(last) : null };
}
