// The event of type endpoint.test: a signed message that is not in the log, by which an endpoint shows that it is there.

import type { Instant } from '../ledger/command.ts';
import { SCHEMA_VERSION } from '../ledger/event-text.ts';
import type { EventSubject } from './cloudevents.ts';
import type { Endpoint } from './endpoint.schema.ts';

export const TEST_TYPE = 'endpoint.test';
/** What the server calls itself to receivers. */
export const USER_AGENT = 'Waypost/0.1';

export interface TestEvent {
  event_id: string;
  now: Instant;
  correlation_id: string;
  tenant_id: string;
  world: 'live' | 'test';
  endpoint: Endpoint;
}

/** An event in everything but its place: `sequence` is null. */
export function writeTestEvent(test: TestEvent): string {
  const { event_id, now, correlation_id, tenant_id, world, endpoint } = test;
  return JSON.stringify({
    id: event_id,
    type: TEST_TYPE,
    topics: [],
    schema_version: SCHEMA_VERSION,
    sequence: null,
    job_sequence: null,
    occurred_at: now,
    effective_at: now,
    recorded_at: now,
    correlation_id,
    origin_correlation_id: correlation_id,
    causation_id: null,
    tenant_id,
    channel_id: null,
    world,
    log_epoch: null,
    actor: { type: 'system', id: 'sender' },
    cause: 'rule',
    implied: false,
    applied: true,
    previous_hash: null,
    data: { data_id: endpoint.id, endpoint, changes: {} },
  });
}

/** What the test is about: the endpoint itself. */
export function testSubject({ id }: Endpoint, text: string): EventSubject & { text: string } {
  return { text, data_id: id, lane: id, traceparent: null };
}
