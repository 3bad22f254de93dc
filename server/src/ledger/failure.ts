// What a database failure means for a batch (PostgreSQL error codes, appendix A of its manual).

import { type ErrorCode, WaypostError } from '../errors.ts';

export type Failure = 'connection' | 'busy' | 'storage_full' | 'statement';

/** Lost connections, shutdowns and start-ups (class 08, 57P0x), a server whose files fail it (58), and what the driver says of its socket. */
const CONNECTION_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57P03',
  '57P05',
  '25P03',
  '08000',
  '08003',
  '08006',
  '08001',
  '08004',
  '53300',
  '25006',
  '58000',
  '58030',
  '58P01',
]);
/** lock_timeout, statement_timeout, deadlock, serialization, and what a server lacks for a moment (class 53). */
const BUSY_CODES = new Set(['55P03', '57014', '40P01', '40001', '53000', '53200', '53400']);

export function classifyFailure(error: unknown): Failure {
  const code = codeOf(error);
  // A socket that is not there, not a file.
  if (code === 'ENOENT' && (error as { syscall?: string }).syscall !== 'connect') return 'statement';
  if (CONNECTION_CODES.has(code)) return 'connection';
  if (BUSY_CODES.has(code)) return 'busy';
  if (code === '53100') return 'storage_full';
  return 'statement';
}

/**
 * What was to be written is at fault, or the statement, or our own code: trying the same again changes nothing. Not so
 * when the network failed, or the server lacks something or stops (classes 53, 57, 58): that passes.
 */
export function isRefused(error: unknown): boolean {
  if (classifyFailure(error) !== 'statement') return false;
  const isOfSystem = typeof error === 'object' && error !== null && 'syscall' in error;
  return !isOfSystem && !/^5[378]...$/.test(codeOf(error));
}

/** The refusal that stands for a broken constraint; null when none does. */
export function refusalOfConstraint(
  error: unknown,
  constraints: Readonly<Record<string, ErrorCode>>,
): WaypostError | null {
  const name = (error as { constraint_name?: string }).constraint_name;
  const code = name === undefined ? undefined : constraints[name];
  return code === undefined ? null : new WaypostError(code, 'Another request was first.', { cause: error });
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
