// What of a request the audit has to know although it wrote nothing: that somebody was refused for who they are or what
// they asked for, or that personal values were shown. A line belongs here if it decides what that is.

import type { ErrorCode, KeyRef, WaypostError } from '../errors.ts';
import { ANY_ID } from '../ledger/id.ts';
import type { Shown } from '../ledger/shown.ts';
import type { Exchange } from './exchange.ts';
import type { Caller } from './operation.ts';

export interface Notable {
  kind: 'login_refused' | 'forbidden' | 'not_found' | 'personal_shown';
  operation: string | null;
  method: string;
  code: ErrorCode | null;
  /** Null when no key opened. */
  caller: Caller | null;
  /** Whose key did not open, where we know it. */
  whose: KeyRef | null;
  /** The first characters of the key that was shown; nothing of what does not look like one. */
  key_shown: string | null;
  missing_scope: string | null;
  from: string;
  /** Identifiers that the path names. */
  ids: readonly string[];
  shown: Shown | null;
  correlation_id: string;
}

const KEY_START = /^Bearer +(wp_(?:live|test)_[A-Za-z0-9_-]{1,8})/i;

/** Null for nearly all requests. */
export function notableOf(exchange: Exchange, status: number, error: WaypostError | null): Notable | null {
  const kind = kindOf(exchange, status, error);
  if (kind === null) return null;
  const { caller, correlation_id, from, method, route, shown } = exchange;
  const missing = error?.extra.missing_scope;
  return {
    kind,
    operation: route?.operation.operation_id ?? null,
    method,
    code: error?.code ?? null,
    caller: route?.operation.scope === null ? null : caller,
    whose: error?.whose ?? null,
    key_shown: KEY_START.exec(exchange.authorization ?? '')?.[1] ?? null,
    missing_scope: typeof missing === 'string' ? missing : null,
    from,
    ids: idsIn(exchange.path),
    shown,
    correlation_id,
  };
}

function kindOf(exchange: Exchange, status: number, error: WaypostError | null): Notable['kind'] | null {
  const { caller, route, shown } = exchange;
  if (error === null) return shown !== null && shown.count > 0 ? 'personal_shown' : null;
  if (route === null) return null;
  // Too many keys that do not open are answered with 429.
  if (status === 401 || error.code === 'address_not_allowed' || (status === 429 && caller === null))
    return 'login_refused';
  if (status === 403) return 'forbidden';
  return status === 404 && idsIn(exchange.path).length > 0 ? 'not_found' : null;
}

function idsIn(path: string): string[] {
  return path.split('/').filter((part) => ANY_ID.test(part));
}
