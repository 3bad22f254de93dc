// Names that mean nobody: words put together from syllables, numbers that no network serves. A line belongs here if it
// invents text for an order.

import type { Chance } from './chance.ts';

const HEADS = [
  'Al',
  'Bel',
  'Cor',
  'Dan',
  'El',
  'Fen',
  'Gal',
  'Hol',
  'Il',
  'Jor',
  'Kel',
  'Lor',
  'Mar',
  'Nor',
  'Or',
  'Tal',
];
const MIDDLES = ['a', 'e', 'i', 'o', 'u', 'ra', 're', 'li', 'lo', 'mi', 'no', 'ta', 'vi'];
const TAILS = ['n', 'r', 's', 'th', 'va', 'ko', 'ri', 'sen', 'den', 'mar', 'lin'];
const STREET_KINDS = ['Street', 'Lane', 'Road', 'Quay', 'Row'];
const GOODS = [
  { name: 'Parcel', weight_g: 1_200 },
  { name: 'Small parcel', weight_g: 350 },
  { name: 'Grocery box', weight_g: 6_400 },
  { name: 'Case of bottles', weight_g: 8_100 },
  { name: 'Flat pack', weight_g: 14_500 },
  { name: 'Document pouch', weight_g: 120 },
] as const;
const ACCESS_NOTES = [
  'Ring twice',
  'Entrance in the yard',
  'Leave with the reception',
  'Third floor, no lift',
] as const;

export function inventName(chance: Chance): string {
  const word = (): string => chance.pick(HEADS) + chance.pick(MIDDLES) + chance.pick(TAILS);
  return `${word()} ${word()}`;
}

export function inventStreet(chance: Chance): string {
  return `${chance.pick(HEADS)}${chance.pick(TAILS)} ${chance.pick(STREET_KINDS)} ${chance.between(1, 140)}`;
}

/** Country code 999 is assigned to nobody: such a number rings nowhere. */
export function inventPhone(chance: Chance): string {
  return `+999${chance.between(10_000_000, 99_999_999)}`;
}

export function inventAccessNotes(chance: Chance): string | null {
  return chance.next() < 0.4 ? chance.pick(ACCESS_NOTES) : null;
}

export function inventItems(
  chance: Chance,
  reference: string,
): { name: string; quantity: number; weight_g: number; barcode: string }[] {
  const count = chance.weigh({ '1': 70, '2': 22, '3': 8 });
  return Array.from({ length: Number(count) }, (_, index) => {
    const goods = chance.pick(GOODS);
    const quantity = chance.weigh({ '1': 75, '2': 15, '4': 10 });
    return {
      name: goods.name,
      quantity: Number(quantity),
      weight_g: goods.weight_g * Number(quantity),
      barcode: `${reference}-${index + 1}`,
    };
  });
}
