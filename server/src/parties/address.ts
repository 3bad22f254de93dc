// What holds for every address, wherever it is written: its full form, its faults, and what of it is personal.
// An address with a life of its own (adr_…) is in saved-address.ts.

import type { Fault } from '../errors.ts';
import type { PersonalMembers } from '../ledger/resource-document.ts';
import type { Access, AccessInput, Address, AddressInput } from './address.schema.ts';

/** Sealed under the key of the person who lives or works there. */
export const personalOfAddress: PersonalMembers = {
  name: 'value',
  line1: 'value',
  line2: 'value',
  building: 'value',
  floor: 'value',
  door: 'value',
  landmark: 'value',
  location: 'value',
  'access/notes': 'value',
};

/** The whole address: every member is there, null where nothing was said. */
export function addressOf(input: AddressInput, id: string | null): Address {
  return {
    id,
    name: input.name ?? null,
    kind: input.kind ?? null,
    line1: input.line1 ?? null,
    line2: input.line2 ?? null,
    building: input.building ?? null,
    floor: input.floor ?? null,
    door: input.door ?? null,
    landmark: input.landmark ?? null,
    city: input.city ?? null,
    region: input.region ?? null,
    postal_code: input.postal_code ?? null,
    country: input.country ?? null,
    location: input.location === null ? null : { accuracy_m: null, ...input.location },
    precision: input.precision,
    location_source: input.location_source ?? null,
    access: input.access === null ? null : accessOf(input.access),
    receiving_hours: input.receiving_hours ?? [],
    time_zone: input.time_zone ?? null,
  };
}

function accessOf(input: AccessInput): Access {
  return {
    notes: input.notes ?? null,
    entrance: input.entrance ?? null,
    parking: input.parking ?? null,
    elevator: input.elevator ?? null,
    stairs: input.stairs ?? null,
  };
}

/** What a schema cannot say: members that must agree. */
export function checkAddress(
  address: Pick<Address, 'location' | 'precision' | 'receiving_hours'>,
  pointer: string,
): Fault[] {
  const faults: Fault[] = [];
  if (address.location === null && address.precision !== 'unlocated') {
    const message = 'must be a place: only the precision `unlocated` goes without one';
    faults.push({ pointer: `${pointer}/location`, code: 'location_missing', message });
  }
  if (address.location !== null && address.precision === 'unlocated') {
    const message = 'must say what the location points at: `unlocated` is for addresses without one';
    faults.push({ pointer: `${pointer}/precision`, code: 'precision_mismatch', message });
  }
  address.receiving_hours.forEach((hours, index) => {
    if (hours.opens_at < hours.closes_at) return;
    const message = 'must be later than opens_at; hours past midnight are stated on both days';
    faults.push({ pointer: `${pointer}/receiving_hours/${index}/closes_at`, code: 'hours_reversed', message });
  });
  return faults;
}
