// Addresses of their own, as rows: nothing but what every resource has.

import { defineResource, type ResourceStore } from '../ledger/resource.store.ts';
import type { SavedAddress } from './saved-address.schema.ts';
import { savedAddressRules } from './saved-address.ts';

export const addressStore: ResourceStore<SavedAddress> = { table: 'addresses' };
export const addresses = defineResource(savedAddressRules, addressStore);
