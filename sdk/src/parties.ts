// Customers and their saved addresses.

import type {
  ApplyCustomerToOpenJobsQuery,
  ApplyCustomerToOpenJobsReply,
  CreateAddressBody,
  CreateCustomerBody,
  EraseCustomerReply,
  GetAddressReply,
  GetCustomerReply,
  ListAddressesQuery,
  ListCustomersQuery,
  UpdateAddressBody,
  UpdateCustomerBody,
  ValidateAddressReply,
} from './api.gen.ts';
import { memberPath, type ResourceCalls, resourceCalls } from './resource.ts';
import type { CallOptions, Transport } from './transport.ts';

export type Customer = GetCustomerReply;
export type Address = GetAddressReply;

const CUSTOMERS = '/v1/customers';
const ADDRESSES = '/v1/addresses';

/** Brings what was changed to the jobs that are open; answers what became of each. Go on with `after: reply.next`. */
export type ApplyToOpenJobs = (
  id: string,
  query?: ApplyCustomerToOpenJobsQuery,
  call?: CallOptions,
) => Promise<ApplyCustomerToOpenJobsReply>;

function applyCall(transport: Transport, path: string): ApplyToOpenJobs {
  return (id, query, call) =>
    transport.send({ method: 'POST', path: memberPath(path, id, '/apply-to-open-jobs'), query }, call);
}

export function customerCalls(transport: Transport) {
  // Customers are erased, not deleted.
  const calls: ResourceCalls<Customer, CreateCustomerBody, UpdateCustomerBody, ListCustomersQuery> = resourceCalls(
    transport,
    CUSTOMERS,
  );
  return {
    ...calls,
    applyToOpenJobs: applyCall(transport, CUSTOMERS),
    /** Destroys what is personal about the customer, everywhere and for good. */
    erase: (id: string, call?: CallOptions): Promise<EraseCustomerReply> =>
      transport.send({ method: 'POST', path: memberPath(CUSTOMERS, id, '/erase') }, call),
  };
}

export function addressCalls(transport: Transport) {
  return {
    ...resourceCalls<Address, CreateAddressBody, UpdateAddressBody, ListAddressesQuery>(transport, ADDRESSES),
    applyToOpenJobs: applyCall(transport, ADDRESSES),
    /** What `create` would be answered; nothing is written. Takes anything, and says what is wrong with it. */
    validate: (input: unknown, call?: CallOptions): Promise<ValidateAddressReply> =>
      transport.send({ method: 'POST', path: `${ADDRESSES}/validate`, body: input }, call),
  };
}
