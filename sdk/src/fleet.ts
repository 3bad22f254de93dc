// Drivers, vehicles and hubs.

import type {
  CreateDriverBody,
  CreateHubBody,
  CreateVehicleBody,
  GetDriverReply,
  GetHubReply,
  GetVehicleReply,
  ListDriversQuery,
  ListHubsQuery,
  ListVehiclesQuery,
  UpdateDriverBody,
  UpdateHubBody,
  UpdateVehicleBody,
} from './api.gen.ts';
import { resourceCalls } from './resource.ts';
import type { Transport } from './transport.ts';

export type Driver = GetDriverReply;
export type Vehicle = GetVehicleReply;
export type Hub = GetHubReply;

export function driverCalls(transport: Transport) {
  return resourceCalls<Driver, CreateDriverBody, UpdateDriverBody, ListDriversQuery>(transport, '/v1/drivers');
}

export function vehicleCalls(transport: Transport) {
  return resourceCalls<Vehicle, CreateVehicleBody, UpdateVehicleBody, ListVehiclesQuery>(transport, '/v1/vehicles');
}

export function hubCalls(transport: Transport) {
  return resourceCalls<Hub, CreateHubBody, UpdateHubBody, ListHubsQuery>(transport, '/v1/hubs');
}
