// Sends one signed endpoint.test at once and says what came of it: for the operations that test and verify an endpoint.
// What it posts is posted like every message, through the same checked connections.

import type { Sql } from '../db/sql.ts';
import type { Answer, Destination } from '../destinations/destination.ts';
import { mintId } from '../ledger/id.ts';
import { writeTraceparent } from '../ledger/trace.ts';
import { traceNow } from '../ledger/tracing.ts';
import { type AttemptFacts, factsOf } from './attempt-facts.ts';
import type { Attempt } from './endpoint.schema.ts';
import type { FoundEndpoint } from './endpoint.store.ts';
import { insertAttempts } from './flush.store.ts';
import { formatMessage } from './message-format.ts';
import { readRetryAfter } from './retry.ts';
import { openCredentials, openHeaders, openKeys } from './sealed-secret.ts';
import { headersOf, targetOf } from './sending.ts';
import { liveKeys } from './signing.ts';
import { TEST_TYPE, testSubject, writeTestEvent } from './test-event.ts';

export interface EndpointTester {
  /** For writing down the attempt: the database as the role of senders. */
  attempts: Sql;
  destination: Destination;
  secretKey: Buffer;
  now(): number;
  onAttempted(facts: AttemptFacts): void;
}

export interface TestedWorld {
  world_id: number;
  tenant_id: string;
  world: 'live' | 'test';
}

export async function testEndpoint(
  tester: EndpointTester,
  where: TestedWorld,
  found: FoundEndpoint,
  correlation_id: string,
): Promise<Attempt> {
  const { endpoint } = found;
  const now = tester.now();
  const started_at = new Date(now).toISOString();
  const event_id = mintId('evt', now);
  const text = writeTestEvent({ ...where, event_id, now: started_at, correlation_id, endpoint });
  // It is not what a transform was written for: it is sent as it is, in the endpoint's format.
  const { format } = endpoint;
  const made = formatMessage(Buffer.from(text), { format, transform: null }, testSubject(endpoint, text));
  const signing = liveKeys(openKeys(tester.secretKey, where.world_id, endpoint, found), now);
  const key = { world_id: where.world_id, endpoint_id: endpoint.id };
  const own = openHeaders(tester.secretKey, key, found.headers);
  const posting = {
    to: targetOf(endpoint, openCredentials(tester.secretKey, key, found.credentials)),
    subject: { tenant_id: where.tenant_id, event_id, type: TEST_TYPE, key: endpoint.id },
    world: where.world,
    headers: headersOf(event_id, made, signing, now, ['waypost-attempt', '1', ...own]),
    body: made.body,
    timeout_ms: endpoint.timeout_s * 1_000,
    maySend: () => true,
    trace: traceNow(),
    about: { 'waypost.endpoint_id': endpoint.id, 'waypost.event_id': event_id, 'waypost.attempt': 1 },
  };
  const answer = await new Promise<Answer>((resolve) => void tester.destination.post(posting, resolve));
  const { outcome, duration_ms, status, error, reply, control } = answer;
  const subject = {
    event_id,
    type: TEST_TYPE,
    sequence: 0,
    attempt: 1,
    correlation_id,
    traceparent: posting.trace === null ? null : writeTraceparent(posting.trace),
    recorded_at: null,
    redrive: null,
    replay: null,
  };
  const place = { tenant_id: where.tenant_id, world: where.world, endpoint_id: endpoint.id };
  tester.onAttempted(factsOf(place, { ...subject, bytes: made.body.length }, answer, tester.now()));
  const shown = {
    endpoint_id: endpoint.id,
    event_id,
    type: TEST_TYPE,
    attempt: 1,
    started_at,
    duration_ms,
    outcome,
    status,
    error,
    reply,
    control,
    retry_after_s: readRetryAfter(answer.retry_after, now + duration_ms),
    correlation_id,
  };
  await insertAttempts(tester.attempts, [
    { ...shown, world_id: where.world_id, sequence: 0, redrive: null, replay: null, started_at: now },
  ]);
  return { ...shown, sequence: null, dead_letter_id: null, replay_id: null };
}
