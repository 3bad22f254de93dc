// The statements about vehicles that are not those of every resource.

import type { Kind } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import { defineResource, type ResourceStore } from '../ledger/resource.store.ts';
import { hubs } from './hub.store.ts';
import type { Vehicle } from './vehicle.schema.ts';
import { type VehicleBook, vehicleRules } from './vehicle.ts';

export const vehicleStore: ResourceStore<Vehicle> = { table: 'vehicles' };
export const vehicles = defineResource(vehicleRules, vehicleStore);

/** The vehicle stands in the driver's document alone; the expression is that of the index drivers_by_vehicle. */
const useKind: Kind<number> = {
  name: 'vehicle_use',
  computed_from: ['driver'],
  async load(tx, refs) {
    const rows = await tx<{ world_id: number; id: string; drivers: number }[]>`
      select n.world_id, n.id, count(*)::int as drivers
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, id)
      join drivers d on d.world_id = n.world_id and (d.body::json ->> 'vehicle_id') = n.id and d.deleted_at is null
      group by n.world_id, n.id`;
    return new Map(rows.map(({ world_id, id, drivers }) => [refKey(world_id, id), drivers]));
  },
};

export const vehicleBook: VehicleBook = { vehicles, hubs, useKind };
