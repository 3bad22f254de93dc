// The statements about hubs that are not those of every resource.

import type { Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import { defineResource, type ResourceStore } from '../ledger/resource.store.ts';
import type { Hub } from './hub.schema.ts';
import { DEFAULT_HUB, type HubBook, hubRules } from './hub.ts';

export const hubStore: ResourceStore<Hub> = { table: 'hubs' };
export const hubs = defineResource(hubRules, hubStore);

/** The first active hub of each world. */
export const defaultHubKind: Kind<string | null> = {
  name: 'default_hub',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; id: string }[]>`
      select distinct on (world_id) world_id, id from hubs
      where world_id = any(${refs.map((ref) => ref.world_id)}::int[]) and status = 'active' and deleted_at is null
      order by world_id, created_at, id`;
    return new Map(rows.map((row) => [refKey(row.world_id, DEFAULT_HUB), row.id]));
  },
};

export const hubBook: HubBook = { hubs, defaultHubKind };
