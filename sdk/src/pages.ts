// Lists: one page, all of them one after another, or the whole as a stream. A line belongs here if it knows `limit`,
// `after` and `next`, or the lines of an export.

import type { CallOptions, Transport } from './transport.ts';

export interface Page<T> {
  data: T[];
  has_more: boolean;
  next: string | null;
}

/** The ways to read a list. An export takes one request and ends with the list; `limit` bounds it when stated. */
export interface ListCalls<T, Query> {
  /** One page. */
  list(query?: Query, call?: CallOptions): Promise<Page<T>>;
  /** All of them, page after page. */
  iterate(query?: Query, call?: CallOptions): AsyncGenerator<T, void, undefined>;
  /** All of them in one stream. Throws when the connection is lost before the end. */
  export(query?: Query, call?: CallOptions): AsyncGenerator<T, void, undefined>;
  /** The same as CSV with a header row, in pieces of text as they come. */
  exportCsv(query?: Query, call?: CallOptions): AsyncGenerator<string, void, undefined>;
}

export function listCalls<T, Query extends object>(transport: Transport, path: string): ListCalls<T, Query> {
  const list = (query?: Query, call?: CallOptions): Promise<Page<T>> =>
    transport.send({ method: 'GET', path, query }, call);
  async function* stream(accept: string, query?: Query, call?: CallOptions) {
    const { body } = await transport.open({ method: 'GET', path, query }, { ...call, accept });
    if (body !== null) yield* body.pipeThrough(new TextDecoderStream());
  }
  return {
    list,
    iterate: (query, call) =>
      iteratePages((query as { after?: string } | undefined)?.after, (after) =>
        list({ ...query, after } as never, call),
      ),
    async *export(query, call) {
      let rest = '';
      for await (const text of stream('application/x-ndjson', query, call)) {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line) as T;
      }
    },
    exportCsv: (query, call) => stream('text/csv', query, call),
  };
}

/** All items of a list, page after page. `fetchPage` gets the cursor to continue from. */
export async function* iteratePages<T>(
  after: string | undefined,
  fetchPage: (after: string | undefined) => Promise<Page<T>>,
): AsyncGenerator<T, void, undefined> {
  let cursor = after;
  for (;;) {
    const page = await fetchPage(cursor);
    yield* page.data;
    if (!page.has_more || page.next === null || page.next === cursor) return;
    cursor = page.next;
  }
}
