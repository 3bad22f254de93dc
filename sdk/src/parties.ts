// Customers and their saved addresses.

import type {
  CreateAddressBody,
  CreateCustomerBody,
  EraseCustomerReply,
  GetAddressReply,
  GetCustomerReply,
  ListAddressesQuery,
  ListCustomersQuery,
  UpdateAddressBody,
  UpdateCustomerBody,
} from './api.gen.ts';
import { memberPath, type ResourceCalls, resourceCalls } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Customer = GetCustomerReply;
export type Address = GetAddressReply;

const CUSTOMERS = '/v1/customers';

export function customerCalls(transport: Transport) {
  // Customers are erased, not deleted.
  const calls: ResourceCalls<Customer, CreateCustomerBody, UpdateCustomerBody, ListCustomersQuery> = resourceCalls(
    transport,
    CUSTOMERS,
  );
  return {
    ...calls,
    /** Destroys what is personal about the customer, everywhere and for good. */
    erase: (id: string, call?: CallOptions): Promise<EraseCustomerReply> =>
      transport.send({ method: 'POST', path: memberPath(CUSTOMERS, id, '/erase') }, call),
  };
}

export function addressCalls(transport: Transport) {
  return resourceCalls<Address, CreateAddressBody, UpdateAddressBody, ListAddressesQuery>(transport, '/v1/addresses');
}
