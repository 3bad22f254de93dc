// The wire form of an address with a life of its own (adr_…): a customer's, or a place that jobs often go to.

import type { Static } from 'typebox';
import Type from 'typebox';
import { Address, AddressInput } from './address.schema.ts';
import { externalId } from './customer.schema.ts';
import { closed, Instant, idOf, Metadata, nullable } from './fields.ts';

const customerId = nullable(idOf('cus', "The customer whose address it is; null: nobody's."));

export const SavedAddress = closed({
  ...Address.properties,
  id: idOf('adr', 'Identifier.'),
  external_id: externalId,
  customer_id: customerId,
  metadata: Metadata,
  version: Type.Integer({ minimum: 1, description: 'Counts changes; goes into If-Match.' }),
  created_at: Instant,
  updated_at: Instant,
  deleted_at: nullable(Instant, { description: 'When it was deleted; null: it was not.' }),
});
export type SavedAddress = Static<typeof SavedAddress>;

const own = {
  external_id: Type.Optional(externalId),
  metadata: Type.Optional(Metadata),
};

/** As it is made. The customer stays for good, since the customer's key seals the address. */
export const SavedAddressInput = closed({ ...AddressInput.properties, ...own, customer_id: Type.Optional(customerId) });
export type SavedAddressInput = Static<typeof SavedAddressInput>;

/** What a PATCH may carry: members that are given replace what stands, whole. */
export const SavedAddressPatch = closed({ ...Type.Partial(AddressInput).properties, ...own });
export type SavedAddressPatch = Static<typeof SavedAddressPatch>;
