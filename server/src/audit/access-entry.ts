// An entry of the second chain: who was refused, what personal values were shown, what the operator did. Pure; what a
// request tells is in http/notable.ts.

import type { Notable } from '../http/notable.ts';
import type { Actor, Instant } from '../ledger/command.ts';

export const accessActions = [
  'audit.opened',
  'login.refused',
  'object.not_found',
  'operator.word',
  'personal.shown',
  'scope.refused',
] as const;
export type AccessAction = (typeof accessActions)[number];

export type AccessOutcome = 'done' | 'refused' | 'failed';

export interface AccessEntry {
  id: string;
  /** When it happened; of several that were put together, the first. */
  occurred_at: Instant;
  /** When the last of several happened. */
  until: Instant;
  action: AccessAction;
  outcome: AccessOutcome;
  actor: Actor | null;
  key_id: string | null;
  /** The first characters of the key that did not open. */
  key_shown: string | null;
  address: string | null;
  /** The operation that was called, or the operator's word. */
  operation: string | null;
  /** The objects that were asked for or shown, as far as they are named. */
  objects: string[];
  /** How many were shown; otherwise how many requests this stands for. */
  count: number;
  /** The error code, or the missing scope. */
  reason: string | null;
  correlation_id: string | null;
  details: Record<string, unknown> | null;
}

/** An entry with the world that it belongs to; 0: of none that is known. */
export interface Noted {
  world_id: number;
  entry: AccessEntry;
}

const kinds: Readonly<Record<Notable['kind'], { action: AccessAction; outcome: AccessOutcome }>> = {
  login_refused: { action: 'login.refused', outcome: 'refused' },
  forbidden: { action: 'scope.refused', outcome: 'refused' },
  not_found: { action: 'object.not_found', outcome: 'refused' },
  personal_shown: { action: 'personal.shown', outcome: 'done' },
};

export function noteOf(notable: Notable, id: string, now: Instant): Noted {
  const { kind, caller, whose, shown, ids } = notable;
  const objects = shown === null ? [...ids] : [...new Set([...ids, ...shown.ids])];
  return {
    world_id: caller?.world_id ?? whose?.world_id ?? 0,
    entry: {
      id,
      occurred_at: now,
      until: now,
      ...kinds[kind],
      actor: caller?.actor ?? null,
      key_id: caller?.key_id ?? whose?.key_id ?? null,
      // Of a key that opened its id says enough.
      key_shown: caller === null ? notable.key_shown : null,
      // It is not looked for where nobody needs a key.
      address: notable.from === '' ? null : notable.from,
      operation: notable.operation,
      objects,
      count: shown?.count ?? 1,
      reason: notable.missing_scope ?? notable.code,
      correlation_id: notable.correlation_id,
      details: null,
    },
  };
}
