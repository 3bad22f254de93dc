// The statements about hubs that are not those of every resource.

import type { Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import { defineResource, type ResourceStore } from '../ledger/resource.store.ts';
import type { Hub } from './hub.schema.ts';
import { DEFAULT_HUB, type HubBook, type HubUse, hubRules } from './hub.ts';

export const hubStore: ResourceStore<Hub> = { table: 'hubs' };
export const hubs = defineResource(hubRules, hubStore);

/** The first active hub of each world. */
export const defaultHubKind: Kind<string | null> = {
  name: 'default_hub',
  computed_from: ['hub'],
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; id: string }[]>`
      select distinct on (world_id) world_id, id from hubs
      where world_id = any(${refs.map((ref) => ref.world_id)}::int[]) and status = 'active' and deleted_at is null
      order by world_id, created_at, id`;
    return new Map(rows.map((row) => [refKey(row.world_id, DEFAULT_HUB), row.id]));
  },
};

const useKind: Kind<HubUse> = {
  name: 'hub_use',
  computed_from: ['driver', 'vehicle', 'channel'],
  async load(tx, refs) {
    const rows = await tx<({ world_id: number; id: string } & HubUse)[]>`
      select n.world_id, n.id,
        (select count(*)::int from drivers d
          where d.world_id = n.world_id and d.parent_id = n.id and d.deleted_at is null) as drivers,
        (select count(*)::int from vehicles v
          where v.world_id = n.world_id and v.parent_id = n.id and v.deleted_at is null) as vehicles,
        (select count(*)::int from channels c where c.world_id = n.world_id and c.hub_id = n.id) as channels
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, id)`;
    const used = rows.filter(({ drivers, vehicles, channels }) => drivers + vehicles + channels > 0);
    return new Map(
      used.map(({ world_id, id, drivers, vehicles, channels }) => [
        refKey(world_id, id),
        { drivers, vehicles, channels },
      ]),
    );
  },
};

export const hubBook: HubBook = { hubs, defaultHubKind, useKind };
