// The statements about drivers that are not those of every resource.

import type { Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import { defineResource, type ResourceStore } from '../ledger/resource.store.ts';
import type { Driver } from './driver.schema.ts';
import { type DriverBook, type DriverState, driverRules } from './driver.ts';
import { hubs } from './hub.store.ts';
import { vehicles } from './vehicle.store.ts';

export const driverStore: ResourceStore<Driver> = { table: 'drivers' };
export const drivers = defineResource(driverRules, driverStore);

/** What an assignment needs to know of a driver. */
export const driverKind: Kind<DriverState | null> = {
  name: 'driver_state',
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; id: string; status: DriverState['status']; hub_id: string | null }[]>`
      select t.world_id, t.id, t.status, t.parent_id as hub_id
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, id)
      join drivers t on t.world_id = n.world_id and t.id = n.id and t.deleted_at is null`;
    return new Map(rows.map(({ world_id, id, status, hub_id }) => [refKey(world_id, id), { status, hub_id }]));
  },
};

const workKind: Kind<number> = {
  name: 'driver_work',
  computed_from: ['job'],
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; driver_id: string; open_tasks: number }[]>`
      select t.world_id, t.driver_id, count(*)::int as open_tasks
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, driver_id)
      join tasks t on t.world_id = n.world_id and t.driver_id = n.driver_id
      where t.status not in ('completed', 'failed', 'cancelled')
      group by t.world_id, t.driver_id`;
    return new Map(rows.map((row) => [refKey(row.world_id, row.driver_id), row.open_tasks]));
  },
};

export const driverBook: DriverBook = { drivers, hubs, vehicles, driverKind, workKind };
