// The wire form of a customer: a person or firm known to the tenant. A line belongs here if it says which members one has.

import type { Static } from 'typebox';
import Type from 'typebox';
import { ContactPolicy, ContactPolicyInput, email, name, phone } from './contact.schema.ts';
import { closed, Instant, idOf, Metadata, nullable, TEXT_LENGTH_MAX, text } from './fields.ts';

export const EXTERNAL_ID_LENGTH_MAX = 120;
export const externalId = nullable(
  text(EXTERNAL_ID_LENGTH_MAX, 'Your own number of it, unique in its world; null: none.'),
);

export const Customer = closed({
  id: idOf('cus', 'Identifier.'),
  external_id: externalId,
  name: nullable(Type.String({ description: 'Name of the person or firm; null: not known, or erased.' })),
  phone: nullable(
    Type.String({ description: 'Telephone number; masked without `contacts:read`; null: none, or erased.' }),
  ),
  email: nullable(
    Type.String({ description: 'E-mail address; masked without `contacts:read`; null: none, or erased.' }),
  ),
  contact_policy: nullable(ContactPolicy, { description: 'How the person may be reached; null: not stated.' }),
  metadata: Metadata,
  inline: Type.Boolean({
    description: 'True for a customer whom a contact written in a job made: its values stand in those jobs.',
  }),
  erased_at: nullable(Instant, { description: 'When the personal values were erased; null: they were not.' }),
  version: Type.Integer({ minimum: 1, description: 'Counts changes; goes into If-Match.' }),
  created_at: Instant,
  updated_at: Instant,
});
export type Customer = Static<typeof Customer>;

const optional = {
  external_id: Type.Optional(externalId),
  phone: Type.Optional(phone),
  email: Type.Optional(email),
  contact_policy: Type.Optional(
    nullable(ContactPolicyInput, { description: 'How the person may be reached; null: not stated.' }),
  ),
  metadata: Type.Optional(Metadata),
};

export const CustomerInput = closed({
  name: text(TEXT_LENGTH_MAX, 'Name of the person or firm.'),
  ...optional,
});
export type CustomerInput = Static<typeof CustomerInput>;

/** What a PATCH may carry: members that are given replace what stands, whole. */
export const CustomerPatch = closed({ name: Type.Optional(name), ...optional });
export type CustomerPatch = Static<typeof CustomerPatch>;
