// Where the messages of an endpoint go: whether it can be sent to as it is written, and whether two are the same. Pure.

import { credentialFaults, settingsFaults, writebackFaults } from '../destinations/destination-settings.ts';
import { WaypostError } from '../errors.ts';
import { diffDocuments } from '../ledger/resource-document.ts';
import type { Endpoint } from './endpoint.schema.ts';

export type Place = Pick<Endpoint, 'url' | 'destination'>;

export function requireDestination(endpoint: Endpoint): void {
  const { destination, url, credential_names } = endpoint;
  const faults = [
    ...settingsFaults(destination, url),
    ...credentialFaults(destination, credential_names),
    ...writebackFaults(endpoint),
  ];
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The endpoint has a destination that cannot be sent to.', { faults });
}

/** Whether messages go to the same place in the same way: what one of them answered then holds for the other. */
export function isSamePlace(one: Place, other: Place): boolean {
  return one.url === other.url && Object.keys(diffDocuments(one.destination, other.destination)).length === 0;
}
