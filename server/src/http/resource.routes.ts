// The operations of resources that are one document each: make, read, list, change, delete. A room says what is
// special about its resource (schemas, rules, words), and gets the operations.

import type { Static, TObject, TProperties, TSchema } from 'typebox';
import Type from 'typebox';
import { type ErrorCode, WaypostError } from '../errors.ts';
import type { Command, Decision, Moment, WorkingSet } from '../ledger/command.ts';
import { idPattern } from '../ledger/id.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { findResource, type ReadSource, type ResourceStore } from '../ledger/resource.store.ts';
import type { Base, Loads, Request } from '../ledger/resource.ts';
import { type ListFilter, listResources } from '../ledger/resource-list.store.ts';
import { defineCursor } from './cursor.ts';
import { listOperation } from './list.ts';
import { type Call, JsonText, type Operation, replyOf } from './operation.ts';
import { walkPages } from './paging.ts';
import type { Scope } from './scope.ts';

/** What every operation of a resource needs of the house. */
export interface ResourceDesk extends ReadSource {
  ledger: Pick<Ledger, 'commit'>;
}

/** A rule with what it wants loaded. */
export interface Action<Input> {
  loads(input: Input, id: string): Loads;
  decide(set: WorkingSet, moment: Moment, input: Input, request: Request, id: string): Decision;
}

export interface ResourceOperations<D extends Base, I extends TSchema, P extends TSchema> {
  store: ResourceStore<D>;
  path: string;
  /** One and many, as in `create_driver` and `list_drivers`; with `a` or `an` before it in sentences. */
  words: { one: string; many: string; article: 'a' | 'an' };
  tag: string;
  scopes: { read: Scope; write: Scope };
  schemas: { id: TSchema; document: TObject; input: I; patch: P };
  examples: { input: unknown; patch: unknown; document: D };
  /** Filters of the list: by the caller's own number, by what it belongs to, by status. */
  filters: {
    external_id: string;
    parent: { member: string; prefix: string } | null;
    statuses: readonly string[] | null;
  };
  errors: { create: readonly ErrorCode[]; edit: readonly ErrorCode[]; remove: readonly ErrorCode[] };
  create: Action<Static<I>>;
  edit: Action<Static<P>>;
  /** Null: this resource is never deleted. */
  remove: Action<null> | null;
}

/** The operations of one resource. */
export function resourceOperations<D extends Base, I extends TSchema, P extends TSchema>(
  desk: ResourceDesk,
  spec: ResourceOperations<D, I, P>,
): Operation[] {
  return [
    createOperation(desk, spec),
    listOf(desk, spec),
    getOperation(desk, spec),
    editOperation(desk, spec),
    ...(spec.remove === null ? [] : [removeOperation(desk, spec, spec.remove)]),
  ];
}

type AnySpec = ResourceOperations<never, TSchema, TSchema>;

/** A command of this request, or of one item of it. */
export function commandOf(
  call: Pick<Call, 'caller' | 'correlation_id' | 'idempotency' | 'body_bytes'>,
  name: string,
  loads: Loads,
  decide: Command['decide'],
): Command {
  const { caller, correlation_id, idempotency, body_bytes } = call;
  const { key_id, from: address } = caller;
  const cause = caller.actor.type === 'user' ? 'dashboard' : 'api';
  return {
    name,
    world_id: caller.world_id,
    actor: caller.actor,
    cause,
    correlation_id,
    idempotency,
    origin: { key_id, address },
    bytes: body_bytes,
    load: loads,
    decide,
  };
}

export const requestOf = (call: Call): Request => ({ fingerprint: call.fingerprint, if_match: call.if_match });

/** Path parameter of one resource; a text that is no identifier of its kind is 404. */
export function idPath(one: string, id: TSchema): TObject {
  return Type.Object({ [`${one}_id`]: id } as TProperties, { additionalProperties: false });
}

function createOperation<D extends Base, I extends TSchema, P extends TSchema>(
  desk: ResourceDesk,
  spec: ResourceOperations<D, I, P>,
): Operation {
  const { one, article } = spec.words;
  const own = spec.filters.external_id;
  return {
    operation_id: `create_${one}`,
    method: 'POST',
    path: spec.path,
    tag: spec.tag,
    summary: `Create ${article} ${one}`,
    description: `\`${own}\` is unique: the same request again is answered with what stands (200), another under the same \`${own}\` is 409.`,
    scope: spec.scopes.write,
    body: spec.schemas.input,
    replies: {
      200: { description: `The ${one} exists already: this request made it before.`, schema: spec.schemas.document },
      201: { description: `The ${one} as it was made.`, schema: spec.schemas.document },
    },
    errors: ['duplicate_external_id', ...spec.errors.create],
    body_example: spec.examples.input,
    reply_example: spec.examples.document,
    async run(call) {
      const input = call.body as Static<I>;
      const command = commandOf(call, `${one}.create`, spec.create.loads(input, ''), (set, moment) =>
        spec.create.decide(set, moment, input, requestOf(call), ''),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  };
}

function editOperation<D extends Base, I extends TSchema, P extends TSchema>(
  desk: ResourceDesk,
  spec: ResourceOperations<D, I, P>,
): Operation {
  const { one, article } = spec.words;
  return {
    operation_id: `update_${one}`,
    method: 'PATCH',
    path: `${spec.path}/{${one}_id}`,
    tag: spec.tag,
    summary: `Change ${article} ${one}`,
    description: 'Members that are given replace what stands, whole; others stay. Nothing differs: nothing is written.',
    scope: spec.scopes.write,
    path_params: idPath(one, spec.schemas.id),
    body: spec.schemas.patch,
    replies: { 200: { description: `The ${one} as it stands now.`, schema: spec.schemas.document } },
    errors: ['duplicate_external_id', 'stale_version', ...spec.errors.edit],
    body_example: spec.examples.patch,
    reply_example: spec.examples.document,
    async run(call) {
      const id = pathId(call, one);
      const patch = call.body as Static<P>;
      const command = commandOf(call, `${one}.update`, spec.edit.loads(patch, id), (set, moment) =>
        spec.edit.decide(set, moment, patch, requestOf(call), id),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  };
}

function removeOperation(
  desk: ResourceDesk,
  spec: Pick<AnySpec, 'words' | 'path' | 'tag' | 'scopes' | 'schemas' | 'errors'>,
  remove: Action<null>,
): Operation {
  const { one, article } = spec.words;
  return {
    operation_id: `delete_${one}`,
    method: 'DELETE',
    path: `${spec.path}/{${one}_id}`,
    tag: spec.tag,
    summary: `Delete ${article} ${one}`,
    description: 'It is no longer found; the log keeps what was told of it.',
    scope: spec.scopes.write,
    path_params: idPath(one, spec.schemas.id),
    replies: { 204: { description: 'Deleted.', schema: null } },
    errors: ['stale_version', ...spec.errors.remove],
    async run(call) {
      const id = pathId(call, one);
      const command = commandOf(call, `${one}.delete`, remove.loads(null, id), (set, moment) =>
        remove.decide(set, moment, null, requestOf(call), id),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  };
}

function getOperation<D extends Base, I extends TSchema, P extends TSchema>(
  desk: ResourceDesk,
  spec: ResourceOperations<D, I, P>,
): Operation {
  const { one, article } = spec.words;
  return {
    operation_id: `get_${one}`,
    method: 'GET',
    path: `${spec.path}/{${one}_id}`,
    tag: spec.tag,
    summary: `Get ${article} ${one}`,
    scope: spec.scopes.read,
    path_params: idPath(one, spec.schemas.id),
    replies: { 200: { description: `The ${one}.`, schema: spec.schemas.document } },
    errors: [],
    reply_example: spec.examples.document,
    async run(call) {
      const id = pathId(call, one);
      const reading = { reads: desk.reads, keys: desk.keys, store: spec.store, view: call };
      const found = await findResource(reading, call.caller.world_id, id);
      if (found === null) throw new WaypostError('not_found', `There is no ${one} with the id ${id}.`);
      return { status: 200, body: new JsonText(found.text), version: found.version };
    },
  };
}

export function pathId(call: Call, one: string): string {
  return call.path[`${one}_id`] ?? '';
}

function listOf<D extends Base, I extends TSchema, P extends TSchema>(
  desk: ResourceDesk,
  spec: ResourceOperations<D, I, P>,
): Operation {
  const { many } = spec.words;
  const newest = defineCursor(many, { at: 'instant', id: 'text' });
  const updated = defineCursor(`${many} updated`, { at: 'instant', id: 'text' });
  return listOperation({
    operation_id: `list_${many}`,
    path: spec.path,
    tag: spec.tag,
    many,
    summary: `List ${many}`,
    description:
      'Newest first. With `updated_since` in the order of their changes instead, those included that were deleted, so that a copy can follow without missing any.',
    scope: spec.scopes.read,
    filters: filtersOf(spec),
    item: spec.schemas.document,
    example: spec.examples.document,
    walk(call) {
      const query: Record<string, unknown> = call.query;
      const { updated_since } = query as { updated_since?: string };
      const reading = { reads: desk.reads, keys: desk.keys, store: spec.store, view: call };
      const filter = filterOf(spec, query);
      const { world_id } = call.caller;
      const since = updated_since === undefined ? null : new Date(updated_since).toISOString();
      return walkPages({
        cursor: since === null ? newest : updated,
        async read(after, limit) {
          const { fitting, next } = await listResources(reading, world_id, filter, since, after, limit);
          return { rows: fitting, next };
        },
        placeOf: (place) => place,
        show: (rows) => rows.map((row) => new JsonText(row.text)),
      });
    },
  });
}

function filtersOf(spec: { filters: ResourceOperations<never, TSchema, TSchema>['filters'] }): TProperties {
  const { external_id, parent, statuses } = spec.filters;
  const filters: TProperties = {
    [external_id]: Type.Optional(
      Type.String({ minLength: 1, maxLength: 120, description: 'Only the one with this number.' }),
    ),
  };
  if (parent !== null) {
    filters[parent.member] = Type.Optional(
      Type.String({ pattern: idPattern(parent.prefix), maxLength: 40, description: 'Only those that belong to it.' }),
    );
  }
  if (statuses !== null) {
    filters.status = Type.Optional(
      Type.Unsafe<string>({ type: 'string', enum: [...statuses], description: 'Only those in this status.' }),
    );
  }
  const updated_since = Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'Only those changed at or after this instant, oldest change first.',
    }),
  );
  return { ...filters, updated_since };
}

function filterOf(
  spec: { filters: ResourceOperations<never, TSchema, TSchema>['filters'] },
  query: Record<string, unknown>,
): ListFilter {
  const textOf = (name: string | null) => (name === null ? null : ((query[name] as string | undefined) ?? null));
  return {
    external_id: textOf(spec.filters.external_id),
    parent_id: textOf(spec.filters.parent?.member ?? null),
    status: textOf(spec.filters.statuses === null ? null : 'status'),
  };
}
