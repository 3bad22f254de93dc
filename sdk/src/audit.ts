// Who did what, from where; who was refused, and to whom personal values were shown.

import type { AuditEntry, ListAuditQuery } from './api.gen.ts';
import { listCalls } from './pages.ts';
import type { Transport } from './transport.ts';

export type { AuditEntry };

export function auditCalls(transport: Transport) {
  return listCalls<AuditEntry, ListAuditQuery>(transport, '/v1/audit');
}
