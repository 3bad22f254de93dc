// The operations on customers. Addresses are in saved-address.routes.ts.

import { type Operation, replyOf } from '../http/operation.ts';
import {
  commandOf,
  idPath,
  pathId,
  type ResourceDesk,
  requestOf,
  resourceOperations,
} from '../http/resource.routes.ts';
import type { ContactBook } from './contact.ts';
import { Customer, CustomerInput, CustomerPatch } from './customer.schema.ts';
import { customerStore } from './customer.store.ts';
import {
  createCustomer,
  customerRules,
  editCustomer,
  eraseCustomer,
  loadsToCreate,
  loadsToEdit,
  loadsToErase,
} from './customer.ts';

const example: Customer = {
  id: 'cus_01kaj2w0d4f8tb3h5gk9mzq7xe',
  external_id: 'C-4711',
  name: 'A. Berg',
  phone: '+46*******67',
  email: 'a***@example.com',
  contact_policy: { ways: ['sms'], quiet_hours: null, language: 'sv', contactless: false },
  metadata: {},
  inline: false,
  erased_at: null,
  version: 1,
  created_at: '2026-11-21T12:00:00.000Z',
  updated_at: '2026-11-21T12:00:00.000Z',
};

export function customerOperations(desk: ResourceDesk, book: ContactBook): Operation[] {
  return [
    ...resourceOperations(desk, {
      store: customerStore,
      path: customerRules.path,
      words: { one: 'customer', many: 'customers', article: 'a' },
      tag: 'customers',
      scopes: { read: 'customers:read', write: 'customers:write' },
      schemas: { id: Customer.properties.id, document: Customer, input: CustomerInput, patch: CustomerPatch },
      examples: {
        input: {
          external_id: 'C-4711',
          name: 'A. Berg',
          phone: '+46701234567',
          email: 'a.berg@example.com',
          contact_policy: { ways: ['sms'], language: 'sv' },
        },
        patch: { contact_policy: { ways: ['sms', 'email'], language: 'sv' } },
        document: example,
      },
      filters: { external_id: 'external_id', parent: null, statuses: null },
      errors: { create: [], edit: ['customer_erased'], remove: [] },
      create: {
        loads: (input) => loadsToCreate(book, input),
        decide: (set, moment, input, request) => createCustomer(book, set, moment, input, request),
      },
      edit: {
        loads: (patch, id) => loadsToEdit(book, id, patch),
        decide: (set, moment, patch, request, id) => editCustomer(book, set, moment, id, patch, request),
      },
      remove: null,
    }),
    eraseOperation(desk, book),
  ];
}

function eraseOperation(desk: ResourceDesk, book: ContactBook): Operation {
  return {
    operation_id: 'erase_customer',
    method: 'POST',
    path: `${customerRules.path}/{customer_id}/erase`,
    tag: 'customers',
    summary: 'Erase a customer',
    description:
      "Destroys the person's key, for ever: name, telephone number, e-mail address and addresses then read null in every job, " +
      'reply and event, also in those of the past. Numbers and hashes of the log still verify. Erasing again changes nothing.',
    scope: 'customers:write',
    path_params: idPath('customer', Customer.properties.id),
    replies: { 200: { description: 'What is left of the customer.', schema: Customer } },
    errors: ['stale_version'],
    reply_example: {
      ...example,
      external_id: null,
      name: null,
      phone: null,
      email: null,
      contact_policy: null,
      erased_at: example.updated_at,
    },
    async run(call) {
      const id = pathId(call, 'customer');
      const command = commandOf(call, 'customer.erase', loadsToErase(book, id), (set, moment) =>
        eraseCustomer(book, set, moment, id, requestOf(call)),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  };
}
