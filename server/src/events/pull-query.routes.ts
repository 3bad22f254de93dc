// The filters that every pull of the log takes in its query, and what they mean for the caller.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import type { Caller } from '../http/operation.ts';
import { idPattern } from '../ledger/id.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { namePatterns } from './filter.schema.ts';
import type { Filter } from './filter.ts';
import { compileWanted, requireKnownTypes, type Wanted } from './pull.ts';

export interface PullContext {
  reads: Sql;
  keys: SubjectKeys;
  /** The filter of an endpoint of this world; null when there is none by this id. Given by the webhooks room. */
  filterOfEndpoint(worldId: number, endpointId: string): Promise<Filter | null>;
}

export const filterQuery = {
  types: Type.Optional(
    namePatterns({
      minItems: 1,
      description: 'Types or topics, with `job.*` for all that begin so, separated by commas. Absent: all.',
    }),
  ),
  job_id: Type.Optional(Type.String({ pattern: idPattern('job'), description: 'Only events of this job.' })),
  endpoint_id: Type.Optional(
    Type.String({
      pattern: idPattern('whe'),
      description: 'Only what is owed to this endpoint by its filter.',
    }),
  ),
};

export interface FilterQuery {
  types?: string[];
  job_id?: string;
  endpoint_id?: string;
}

/** Throws for words that no event has and endpoints that do not exist. */
export async function findWanted(ctx: PullContext, caller: Caller, query: FilterQuery): Promise<Wanted> {
  requireKnownTypes(query.types);
  const { endpoint_id } = query;
  const filter = endpoint_id === undefined ? null : await ctx.filterOfEndpoint(caller.world_id, endpoint_id);
  if (endpoint_id !== undefined && filter === null)
    throw new WaypostError('not_found', `There is no endpoint ${endpoint_id}.`);
  const { channel_ids } = caller;
  return compileWanted({ channel_ids, types: query.types ?? null, filter, job_id: query.job_id ?? null });
}
