// Lists: one page, or all of them one after another. A line belongs here if it knows `limit`, `after` and `next`.

export interface Page<T> {
  data: T[];
  has_more: boolean;
  next: string | null;
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
