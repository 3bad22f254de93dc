// The calls that most resources have alike. What is particular to one stands in its own file.

import { iteratePages, type Page } from './pages.ts';
import type { CallOptions, Transport } from './transport.ts';

/** `Document`: as it is answered. `Input`: to create it. `Patch`: to change it. `Query`: to list it. */
export interface ResourceCalls<Document, Input, Patch, Query> {
  create(input: Input, call?: CallOptions): Promise<Document>;
  get(id: string, call?: CallOptions): Promise<Document>;
  /** One page. */
  list(query?: Query, call?: CallOptions): Promise<Page<Document>>;
  /** All of them, page after page. */
  iterate(query?: Query, call?: CallOptions): AsyncGenerator<Document, void, undefined>;
  patch(id: string, patch: Patch, call?: CallOptions): Promise<Document>;
}

export interface DeletableCalls<Document, Input, Patch, Query> extends ResourceCalls<Document, Input, Patch, Query> {
  delete(id: string, call?: CallOptions): Promise<void>;
}

export function resourceCalls<Document, Input, Patch, Query extends { after?: string | undefined }>(
  transport: Transport,
  path: string,
): DeletableCalls<Document, Input, Patch, Query> {
  const list = (query?: Query, call?: CallOptions): Promise<Page<Document>> =>
    transport.send({ method: 'GET', path, query }, call);
  return {
    list,
    create: (input, call) => transport.send({ method: 'POST', path, body: input }, call),
    get: (id, call) => transport.send({ method: 'GET', path: memberPath(path, id) }, call),
    iterate: (query, call) => iteratePages(query?.after, (after) => list({ ...query, after } as Query, call)),
    patch: (id, patch, call) => transport.send({ method: 'PATCH', path: memberPath(path, id), body: patch }, call),
    delete: (id, call) => transport.send({ method: 'DELETE', path: memberPath(path, id) }, call),
  };
}

/** `/v1/jobs` and an id, or an id and what is below it. */
export function memberPath(path: string, id: string, below = ''): string {
  if (typeof id !== 'string' || id === '') throw new TypeError(`${path}: an id is needed, got ${JSON.stringify(id)}`);
  return `${path}/${encodeURIComponent(id)}${below}`;
}
