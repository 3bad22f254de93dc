// The wire form of a hub: where drivers start and goods wait.

import type { Static } from 'typebox';
import Type from 'typebox';
import { Address, AddressInput } from '../parties/address.schema.ts';
import { closed, idOf, Metadata, TEXT_LENGTH_MAX, TimeZone, text } from '../parties/fields.ts';
import { deletedAt, lifeFields, reference, status } from './driver.schema.ts';

const name = text(TEXT_LENGTH_MAX, 'What people call it.');

export const Hub = closed({
  id: idOf('hub', 'Identifier.'),
  reference,
  name,
  address: Address,
  time_zone: TimeZone,
  status,
  ...lifeFields,
  deleted_at: Type.Optional(deletedAt),
});
export type Hub = Static<typeof Hub>;

const optional = {
  reference: Type.Optional(reference),
  status: Type.Optional(status),
  metadata: Type.Optional(Metadata),
};

export const HubInput = closed({ name, address: AddressInput, time_zone: TimeZone, ...optional });
export type HubInput = Static<typeof HubInput>;

/** What a PATCH may carry: members that are given replace what stands, whole. */
export const HubPatch = closed({
  name: Type.Optional(name),
  address: Type.Optional(AddressInput),
  time_zone: Type.Optional(TimeZone),
  ...optional,
});
export type HubPatch = Static<typeof HubPatch>;
