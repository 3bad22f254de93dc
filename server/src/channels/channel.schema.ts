// Wire shape of a channel (an order source inside a tenant) and of its settings.

import type { Static } from 'typebox';
import Type from 'typebox';

export const fieldGroups = [
  'priority',
  'schedule',
  'address',
  'items',
  'assignment',
  'execution',
  'completion',
  'instructions',
] as const;
export type FieldGroup = (typeof fieldGroups)[number];

export const NAME_LENGTH_MAX = 200;
export const UNDO_GRACE_S_MAX = 3_600;
export const VISITS_MAX = 20;
export const REASON_ALIASES_MAX = 500;
export const AUTHORITIES_PER_GROUP_MAX = 20;
/** Channels of a world: each is a system that sends orders, not a shop or a customer. */
export const CHANNELS_MAX = 200;

const authority = Type.String({
  pattern: '^[a-z][a-z0-9_]{0,39}$',
  description: 'An authority: source, dispatch, driver, recipient, or one of your own.',
});
const authorities = (description: string) =>
  Type.Array(authority, { maxItems: AUTHORITIES_PER_GROUP_MAX, uniqueItems: true, description });

const groupRights = Type.Object(
  {
    write: authorities('Who writes.'),
    write_on_board: authorities('Who writes once goods are on board.'),
    propose: authorities('Who may only propose: their writes wait for a decision of an owner.'),
    auto_accept: Type.Boolean({ description: 'Whether proposals are accepted at once.' }),
  },
  { additionalProperties: false, description: 'Rights over one group of fields.' },
);
export type GroupRights = Static<typeof groupRights>;

const groupProperties = Object.fromEntries(fieldGroups.map((group) => [group, groupRights])) as Record<
  FieldGroup,
  typeof groupRights
>;
export const ownership = Type.Object(groupProperties, {
  additionalProperties: false,
  description: 'For each group of fields, who writes and who may only propose.',
});
export type Ownership = Static<typeof ownership>;

const settings = {
  name: Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX, description: 'What people call it.' }),
  hub_id: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    maxLength: 40,
    description: 'Hub at which the goods of deliveries without a pickup wait. Null: the first hub of the tenant.',
  }),
  accept: Type.Unsafe<'on_create' | 'by_dispatch'>({
    type: 'string',
    enum: ['on_create', 'by_dispatch'],
    description: 'When a job becomes accepted: at once when all its places are located, or by a dispatcher.',
  }),
  strict_transitions: Type.Boolean({ description: 'Whether requests that skip a step are refused.' }),
  undo_grace_s: Type.Integer({
    minimum: 0,
    maximum: UNDO_GRACE_S_MAX,
    description: 'Seconds during which a completion can be undone. 0: never.',
  }),
  visits_max: Type.Integer({
    minimum: 1,
    maximum: VISITS_MAX,
    description: 'Visits after which a task that failed again has failed for good.',
  }),
  reason_aliases: Type.Unsafe<Record<string, string>>({
    type: 'object',
    maxProperties: REASON_ALIASES_MAX,
    propertyNames: { minLength: 1, maxLength: 100 },
    additionalProperties: { type: 'string', minLength: 1, maxLength: 60 },
    description: "The source's own reason codes, each with the code of ours that it stands for.",
  }),
  ownership,
};

export const channel = Type.Object(
  {
    id: Type.String({ description: 'Identifier.' }),
    ...settings,
    version: Type.Integer({ minimum: 1, description: 'Counts changes; the ETag.' }),
    created_at: Type.String({ format: 'date-time' }),
    updated_at: Type.String({ format: 'date-time' }),
  },
  { additionalProperties: false, description: 'An order source inside a tenant, with its settings in this world.' },
);
export type Channel = Static<typeof channel>;

const optionalSettings = {
  hub_id: Type.Optional(settings.hub_id),
  accept: Type.Optional(settings.accept),
  strict_transitions: Type.Optional(settings.strict_transitions),
  undo_grace_s: Type.Optional(settings.undo_grace_s),
  visits_max: Type.Optional(settings.visits_max),
  reason_aliases: Type.Optional(settings.reason_aliases),
  ownership: Type.Optional(
    Type.Object(
      Object.fromEntries(fieldGroups.map((group) => [group, Type.Optional(groupRights)])) as Record<
        FieldGroup,
        ReturnType<typeof Type.Optional<typeof groupRights>>
      >,
      { additionalProperties: false, description: 'Groups that are not named stay as they are.' },
    ),
  ),
};

export const channelInput = Type.Object(
  { name: settings.name, ...optionalSettings },
  {
    additionalProperties: false,
    description:
      'A new order source. Settings that are absent begin so: no hub of its own, jobs accepted at once, skipped steps allowed, no grace, three visits, no aliases, and the usual ownership.',
  },
);
export type ChannelInput = Static<typeof channelInput>;

export const channelPatch = Type.Object(
  { name: Type.Optional(settings.name), ...optionalSettings },
  { additionalProperties: false, description: 'What is to change. Members that are absent stay as they are.' },
);
export type ChannelPatch = Static<typeof channelPatch>;
