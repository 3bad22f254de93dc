// The wire shape of the audit: what was written, and what was refused or shown, in one list.

import type { Static } from 'typebox';
import Type from 'typebox';
import { namePatterns } from '../events/filter.schema.ts';
import { closed, Instant, nullable, word } from '../parties/fields.ts';

export const outcomes = ['done', 'not_applied', 'refused', 'failed'] as const;

const text = (description: string) => nullable(Type.String(), { description });

export const AuditEntrySchema = closed(
  {
    id: Type.String({ description: 'Of the event, or of the entry.' }),
    at: Type.String({ format: 'date-time', description: 'When it was recorded: the order of the list.' }),
    occurred_at: Type.String({ format: 'date-time', description: 'When it happened, as its source says.' }),
    until: nullable(Instant, { description: 'When the last happened, where one entry stands for several.' }),
    source: word(['log', 'access'] as const, {
      description: 'log: a write, which has its event. access: what wrote nothing.',
    }),
    action: Type.String({
      description:
        'The type of the event; or login.refused, scope.refused, object.not_found, personal.shown, operator.word.',
    }),
    outcome: word(outcomes, {
      description: 'not_applied: a report that was kept and changed nothing. refused: the caller was told no.',
    }),
    actor: Type.Unsafe<{ type: string; id: string } | null>({
      type: ['object', 'null'],
      properties: { type: { type: 'string' }, id: { type: 'string' } },
      required: ['type', 'id'],
      additionalProperties: false,
      description: 'Who did it; null: nobody who is known.',
    }),
    key_id: text('The API key that was used.'),
    key_shown: text('The first characters of a key that did not open.'),
    address: text('From where the request came; null: no request brought it.'),
    operation: text('What was asked for: the operation, the command, or the word of the operator.'),
    object: text('The object that changed or was asked for.'),
    objects: Type.Array(Type.String(), {
      description: 'All objects concerned, as far as they are named: at most 200 of those that were shown.',
    }),
    count: Type.Integer({
      minimum: 1,
      description: 'Of personal.shown the objects; else the requests that this entry stands for.',
    }),
    reason: text('Of a refusal the missing scope or the error code.'),
    correlation_id: text('As in X-Correlation-Id.'),
    channel_id: text('The channel of what changed.'),
    changes: Type.Unsafe<Record<string, [unknown, unknown]> | null>({
      type: ['object', 'null'],
      additionalProperties: true,
      description: 'Before and after of each member that changed, by its pointer.',
    }),
    sequence: nullable(Type.Integer({ minimum: 1 }), { description: 'Its number in the log.' }),
    process_id: text('The process whose chain holds the entry.'),
    number: nullable(Type.Integer({ minimum: 1 }), { description: 'Its number in that chain.' }),
    details: Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true }),
  },
  { $id: 'AuditEntry' },
);
export type AuditEntry = Static<typeof AuditEntrySchema>;

const only = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 100, description }));

export const auditFilters = {
  since: Type.Optional(Type.String({ format: 'date-time', description: 'Only what was recorded then or later.' })),
  until: Type.Optional(Type.String({ format: 'date-time', description: 'Only what was recorded before.' })),
  actor: only('Only what this actor did, by its id.'),
  key: only('Only what was done with this API key, by its id.'),
  address: only('Only what came from this address.'),
  action: Type.Optional(
    namePatterns({
      minItems: 1,
      description: 'Only these actions, with `job.*` for all that begin so, separated by commas.',
    }),
  ),
  object: only('Only what concerns this object, by its id.'),
  outcome: Type.Optional(word(outcomes, { description: 'Only what ended so.' })),
  source: Type.Optional(word(['log', 'access'] as const, { description: 'Only writes, or only what wrote nothing.' })),
};

export const auditExample: AuditEntry = {
  id: 'evt_01m7yk1xfpe00800078tp7kpxj',
  at: '2026-11-21T13:41:07.640Z',
  occurred_at: '2026-11-21T13:41:07.640Z',
  until: null,
  source: 'log',
  action: 'job.updated',
  outcome: 'done',
  actor: { type: 'api_key', id: 'key_01m7yhqmb4f0pankpv0n1w71v1' },
  key_id: 'key_01m7yhqmb4f0pankpv0n1w71v1',
  key_shown: null,
  address: '203.0.113.7',
  operation: 'job.update',
  object: 'job_01m7yk1xfpe8nb9r0sf3wq6y2h',
  objects: ['job_01m7yk1xfpe8nb9r0sf3wq6y2h'],
  count: 1,
  reason: null,
  correlation_id: '7f0c2a51-order-10293',
  channel_id: 'chn_01m7yhqmb4f0pankpv0n1w71v1',
  changes: { priority: ['standard', 'urgent'] },
  sequence: 10_291,
  process_id: null,
  number: null,
  details: null,
};
