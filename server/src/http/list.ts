// The operation that answers a list: page by page, or whole as an export. A room says what is special about its list
// (filters, orders, rows), and gets the operation.

import type { Static, TObject, TProperties, TSchema } from 'typebox';
import Type from 'typebox';
import type { ErrorCode } from '../errors.ts';
import type { Column } from './csv.ts';
import { CSV, exportForms, isExport, writeExport } from './export.ts';
import { ByteStream, type Call, type Operation, operation } from './operation.ts';
import { PAGE_LIMIT_DEFAULT, pageBody, pageOf, pageQuery, type Walk } from './paging.ts';
import type { Scope } from './scope.ts';

type PathOf<P> = P extends TObject ? Static<P> : Record<string, never>;
type QueryOf<F extends TProperties> = Static<TObject<F & typeof pageQuery>>;

/** A call of a list. */
export type ListCall<F extends TProperties = TProperties, P extends TObject | undefined = undefined> = Call<
  PathOf<P>,
  QueryOf<F>,
  undefined
>;

export interface List<F extends TProperties, P extends TObject | undefined> {
  operation_id: string;
  path: string;
  tag: string;
  /** What its items are called together; an export is named so. */
  many: string;
  summary: string;
  /** The order, and what the filters do. */
  description: string;
  scope: Scope;
  path_params?: P;
  /** Members of the query beside `limit` and `after`. */
  filters?: F;
  item: TSchema;
  example: unknown;
  /** Columns of the CSV; when absent, those of the schema. */
  columns?: readonly Column[];
  /** Beyond those that every list can answer. */
  errors?: readonly ErrorCode[];
  /** The list in the order and with the filters that the call asks for. */
  walk(call: ListCall<F, P>): Walk | Promise<Walk>;
}

export function listOperation<F extends TProperties, P extends TObject | undefined = undefined>(
  list: List<F, P>,
): Operation {
  const { many, item, example } = list;
  const query = Type.Object({ ...pageQuery, ...list.filters }, { additionalProperties: false });
  const run = async (call: ListCall<F, P>) => {
    const walk = await list.walk(call);
    const { limit = PAGE_LIMIT_DEFAULT, after = null } = call.query as { limit?: number; after?: string };
    if (!isExport(call)) return { status: 200, body: pageBody(await walk.readSlice(after, limit)) };
    const ending = call.media_type === CSV ? 'csv' : 'ndjson';
    return {
      status: 200,
      body: new ByteStream(call.media_type, writeExport(call as never, walk, list)),
      headers: { 'Content-Disposition': `attachment; filename="${many.replaceAll(' ', '-')}.${ending}"` },
    };
  };
  return operation({
    operation_id: list.operation_id,
    method: 'GET',
    path: list.path,
    tag: list.tag,
    summary: list.summary,
    description: `${list.description} With \`Accept: application/x-ndjson\` or \`text/csv\` the whole list comes as a stream.`,
    scope: list.scope,
    ...(list.path_params !== undefined && { path_params: list.path_params as TObject }),
    query,
    replies: { 200: { description: `A page of ${many}.`, schema: pageOf(item), streams: exportForms(list) } },
    errors: list.errors ?? [],
    reply_example: { data: [example], has_more: false, next: null },
    run: run as Operation['run'],
  } as Operation);
}
