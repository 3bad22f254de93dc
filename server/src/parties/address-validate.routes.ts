// The dry run of an address: everything that stands against it, and the address as it would be; nothing is written.

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { answerRefused, dryRunFields } from '../http/dry-run.ts';
import { JsonText, type Operation, operation } from '../http/operation.ts';
import { commandOf, type ResourceDesk } from '../http/resource.routes.ts';
import { refuseBody } from '../http/route.ts';
import { compileValidator } from '../http/validator.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { nullable } from './fields.ts';
import { addressExample, addressInputExample } from './saved-address.routes.ts';
import { SavedAddress, SavedAddressInput } from './saved-address.schema.ts';
import { type AddressBook, createAddress, loadsToCreate, savedAddressRules } from './saved-address.ts';

const validation = Type.Object(
  {
    ...dryRunFields('POST /v1/addresses'),
    address: nullable(SavedAddress, { description: 'Null: it would be refused.' }),
  },
  { additionalProperties: false },
);

export type RehearsingDesk = ResourceDesk & { ledger: Pick<Ledger, 'rehearse'> };

export function addressValidateOperations(desk: RehearsingDesk, book: AddressBook): Operation[] {
  const validate = compileValidator(SavedAddressInput, '');
  return [
    operation({
      operation_id: 'validate_address',
      method: 'POST',
      path: '/v1/addresses/validate',
      tag: 'addresses',
      summary: 'Try an address without saving it',
      description:
        'Answers 200 with what POST /v1/addresses would answer now, every fault at once, and the address as it would be: its place and precision, receiving hours, time zone, customer. No map is asked: whether the place exists is not looked up. Nothing is written.',
      scope: 'customers:write',
      body: SavedAddressInput,
      envelope: Type.Object({}),
      replies: { 200: { description: 'What the address would be answered.', schema: validation } },
      errors: [],
      body_example: addressInputExample,
      reply_example: { valid: true, status: 201, address: addressExample, problem: null, faults: [] },
      async run(call) {
        const faults = validate(call.body);
        const refuse = (error: WaypostError) => answerRefused(call, error, faults ?? [], { address: null });
        if (faults !== null) return refuse(refuseBody(faults));
        const input = call.body;
        const { caller, correlation_id, body_bytes } = call;
        const asking = { caller, correlation_id, body_bytes, idempotency: null };
        // As of the request that is tried: that one may have been made before.
        const request = { fingerprint: call.fingerprintOf('POST', savedAddressRules.path, input), if_match: null };
        const command = commandOf(asking, 'address.validate', loadsToCreate(book, input), (set, moment) =>
          createAddress(book, set, moment, input, request),
        );
        try {
          const outcome = await desk.ledger.rehearse(command);
          const address = outcome.render(call.rendering);
          // One that exists already is read, not made.
          if (outcome.status === 200 && call.rendering === 'personal') call.shown.add(idOf(address));
          const text = `{"valid":true,"status":${outcome.status},"address":${address},"problem":null,"faults":[]}`;
          return { status: 200, body: new JsonText(text) };
        } catch (error) {
          if (error instanceof WaypostError) return refuse(error);
          throw error;
        }
      },
    }),
  ];
}

function idOf(address: string): string {
  return (JSON.parse(address) as { id: string }).id;
}
