// The audit over HTTP: who did what, from where, before and after; who was refused, and to whom personal values were
// shown. Writes are read from the log itself, the rest from the second chain.

import type { Sql } from '../db/sql.ts';
import { listOperation } from '../http/list.ts';
import type { Caller, Operation } from '../http/operation.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import { AuditEntrySchema, auditExample, auditFilters } from './audit.schema.ts';
import type { AuditFilter } from './audit-entry.ts';
import { walkAudit } from './audit-walk-command.ts';

export interface AuditDesk {
  reads: Sql;
  keys: SubjectKeys;
}

const DESCRIPTION =
  'Newest first: every write with its actor, key, address and changes, as far back as the log reaches; and refused logins (of keys of this world), refusals for want of a scope, objects that were asked for and not found, and reads that showed phone numbers and e-mail addresses in full. A key that is bound to channels sees the writes of these and of the rest its own. A page may hold fewer than `limit`: go on while `has_more` is true. Entries of the last second may still be on their way.';

export function auditOperations({ reads, keys }: AuditDesk): Operation[] {
  return [
    listOperation({
      operation_id: 'list_audit',
      path: '/v1/audit',
      tag: 'audit',
      many: 'audit',
      summary: 'List what was done, refused and shown',
      description: DESCRIPTION,
      scope: 'audit:read',
      filters: auditFilters,
      item: AuditEntrySchema,
      example: auditExample,
      walk: (call) => walkAudit({ reads, keys, view: call }, call.caller.world_id, filterOf(call.query, call.caller)),
    }),
  ];
}

interface Query {
  since?: string;
  until?: string;
  actor?: string;
  key?: string;
  address?: string;
  action?: string[];
  object?: string;
  outcome?: AuditFilter['outcome'] & string;
  source?: AuditFilter['source'] & string;
}

const isoOf = (text: string | undefined) => (text === undefined ? null : new Date(text).toISOString());

function filterOf(query: Query, { channel_ids, key_id }: Caller): AuditFilter {
  return {
    since: isoOf(query.since),
    until: isoOf(query.until),
    actor: query.actor ?? null,
    key: query.key ?? null,
    address: query.address ?? null,
    action: query.action ?? null,
    object: query.object ?? null,
    outcome: query.outcome ?? null,
    source: query.source ?? null,
    bound: channel_ids === null ? null : { channel_ids, key_id },
  };
}
