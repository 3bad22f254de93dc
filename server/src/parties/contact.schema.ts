// The wire form of a contact and of how it may be reached. A line belongs here if it says which members they have.

import type { Static } from 'typebox';
import Type from 'typebox';
import {
  closed,
  Email,
  idOf,
  LanguageTag,
  LocalTime,
  nullable,
  Phone,
  TEXT_LENGTH_MAX,
  TimeZone,
  text,
  word,
} from './fields.ts';

export const contactWays = ['sms', 'email', 'call'] as const;

export const QuietHours = closed({
  start: LocalTime,
  end: LocalTime,
  time_zone: TimeZone,
});

const ways = Type.Array(word(contactWays), {
  uniqueItems: true,
  maxItems: contactWays.length,
  description: 'How the person agreed to be reached; empty: not at all.',
});
const optionalPolicy = {
  quiet_hours: nullable(QuietHours, { description: 'Local hours in which nothing is sent; null: none.' }),
  language: nullable(LanguageTag, { description: 'Language of notices, BCP 47; null: that of the channel.' }),
};
const contactless = Type.Boolean({ description: 'Whether the goods are handed over without contact; absent: no.' });

export const ContactPolicy = closed({ ways, ...optionalPolicy, contactless });
export type ContactPolicy = Static<typeof ContactPolicy>;

export const ContactPolicyInput = closed({
  ways,
  ...Type.Partial(Type.Object(optionalPolicy)).properties,
  contactless: Type.Optional(contactless),
});
export type ContactPolicyInput = Static<typeof ContactPolicyInput>;

export const name = nullable(text(TEXT_LENGTH_MAX, 'Name of the person or firm; null: not known.'));
export const phone = nullable(Phone, { description: 'Telephone number in E.164 form; null: none.' });
export const email = nullable(Email, { description: 'E-mail address; null: none.' });

/** A contact as a task keeps it. */
export const Contact = closed(
  {
    customer_id: idOf('cus', 'The customer who this is.'),
    name,
    phone: nullable(Type.String({ description: 'Telephone number; masked without `contacts:read`; null: none.' })),
    email: nullable(Type.String({ description: 'E-mail address; masked without `contacts:read`; null: none.' })),
    contact_policy: ContactPolicy,
  },
  { $id: 'Contact' },
);
export type Contact = Static<typeof Contact>;

/** A contact written where it stands: it finds its customer by phone, then by e-mail, or makes one. */
export const ContactInput = closed(
  {
    name: text(TEXT_LENGTH_MAX, 'Name of the person or firm.'),
    phone: Type.Optional(phone),
    email: Type.Optional(email),
    contact_policy: ContactPolicyInput,
  },
  { $id: 'ContactInput' },
);
export type ContactInput = Static<typeof ContactInput>;
