// What one attempt looks like on the wire: where it goes, its headers, and the answer of one that never left.

import { hash, type KeyObject } from 'node:crypto';
import { readBrokerAddress } from '../destinations/broker-address.ts';
import type { Credentials } from '../destinations/destination.schema.ts';
import type { Answer, Target } from '../destinations/destination.ts';
import type { LogRow } from '../events/log.store.ts';
import { readTraceparent, type TraceContext } from '../ledger/trace.ts';
import type { Endpoint } from './endpoint.schema.ts';
import type { MadeMessage } from './message-format.ts';
import { signMessage } from './signing.ts';
import { USER_AGENT } from './test-event.ts';

/** What an attempt comes from. */
export type Cause = { event_id: string; type: string; key: string; attempt: number; trace: TraceContext | null };

export function causeOf({ event_id, type, job_id, data_id, traceparent }: LogRow, attempt: number): Cause {
  return { event_id, type, key: job_id ?? data_id, attempt, trace: readTraceparent(traceparent) };
}

export function targetOf({ id, url, destination }: Endpoint, credentials: Credentials): Target {
  const { type } = destination;
  if (type === 'http') {
    const { origin, pathname, search } = new URL(url);
    return { type, origin, path: `${pathname}${search}` };
  }
  if (type === 'writeback') return { type, url, settings: destination, credentials };
  const link = hash('sha256', JSON.stringify([id, url, destination, credentials]), 'hex');
  return { type, link, address: readBrokerAddress(url), settings: destination, credentials };
}

/** Names and values in turn. Timestamp and signature are those of the attempt. */
export function headersOf(
  event_id: string,
  { body, headers }: Pick<MadeMessage, 'body' | 'headers'>,
  keys: readonly KeyObject[],
  now: number,
  extra: readonly string[],
): string[] {
  const timestamp = Math.floor(now / 1_000);
  return [
    ...headers,
    'user-agent',
    USER_AGENT,
    'webhook-id',
    event_id,
    'webhook-timestamp',
    String(timestamp),
    'webhook-signature',
    signMessage(keys, event_id, timestamp, body),
    ...extra,
  ];
}

/** What a message says of itself, names and values in turn. */
export function saidOf(
  message: {
    sequence: number;
    previous: number | null;
    attempts: number;
    redrive: string | null;
    replay: string | null;
  },
  missing: number | null,
  redacted: boolean,
  { epochs, endpoint }: { epochs: string | null; endpoint: Endpoint },
): string[] {
  const { sequence, previous, attempts, redrive, replay } = message;
  const said = ['waypost-sequence', String(sequence), 'waypost-previous', String(previous)];
  said.push('waypost-attempt', String(attempts));
  if (epochs !== null) said.push('waypost-epochs', epochs);
  if (missing !== null) said.push('waypost-missing', String(missing));
  if (endpoint.schema_version !== null) said.push('waypost-schema-version', endpoint.schema_version);
  if (redacted) said.push('waypost-redacted', 'true');
  if (redrive !== null) said.push('waypost-redrive', redrive);
  if (replay !== null) said.push('waypost-replay', replay);
  return said;
}

export const NO_ANSWER: Answer = {
  outcome: 'failed',
  status: null,
  error: null,
  reply: null,
  retry_after: null,
  control: null,
  duration_ms: 0,
};
