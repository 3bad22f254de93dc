// The calls that most resources have alike. What is particular to one stands in its own file.

import { type ListCalls, listCalls } from './pages.ts';
import type { CallOptions, Transport } from './transport.ts';

/** `Document`: as it is answered. `Input`: to create it. `Patch`: to change it. `Query`: to list it. */
export interface ResourceCalls<Document, Input, Patch, Query> extends ListCalls<Document, Query> {
  create(input: Input, call?: CallOptions): Promise<Document>;
  get(id: string, call?: CallOptions): Promise<Document>;
  patch(id: string, patch: Patch, call?: CallOptions): Promise<Document>;
}

export interface DeletableCalls<Document, Input, Patch, Query> extends ResourceCalls<Document, Input, Patch, Query> {
  delete(id: string, call?: CallOptions): Promise<void>;
}

export function resourceCalls<Document, Input, Patch, Query extends object>(
  transport: Transport,
  path: string,
): DeletableCalls<Document, Input, Patch, Query> {
  return {
    ...listCalls<Document, Query>(transport, path),
    create: (input, call) => transport.send({ method: 'POST', path, body: input }, call),
    get: (id, call) => transport.send({ method: 'GET', path: memberPath(path, id) }, call),
    patch: (id, patch, call) => transport.send({ method: 'PATCH', path: memberPath(path, id), body: patch }, call),
    delete: (id, call) => transport.send({ method: 'DELETE', path: memberPath(path, id) }, call),
  };
}

/** `/v1/jobs` and an id, or an id and what is below it. */
export function memberPath(path: string, id: string, below = ''): string {
  if (typeof id !== 'string' || id === '') throw new TypeError(`${path}: an id is needed, got ${JSON.stringify(id)}`);
  return `${path}/${encodeURIComponent(id)}${below}`;
}
