// Vehicles as rows: nothing but what every resource has.

import { defineResource, type ResourceStore } from '../ledger/resource.store.ts';
import { hubs } from './hub.store.ts';
import type { Vehicle } from './vehicle.schema.ts';
import { type VehicleBook, vehicleRules } from './vehicle.ts';

export const vehicleStore: ResourceStore<Vehicle> = { table: 'vehicles' };
export const vehicles = defineResource(vehicleRules, vehicleStore);
export const vehicleBook: VehicleBook = { vehicles, hubs };
