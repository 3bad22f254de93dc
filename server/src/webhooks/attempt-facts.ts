// What is told of an attempt once it is over: its one log line, and what is measured. Nothing of the event's body and of
// the receiver's answer is in it, since both may be personal.

import type { Answer } from '../destinations/destination.ts';
import { readTraceparent } from '../ledger/trace.ts';
import type { AttemptSubject } from './outbox.ts';

export interface AttemptFacts {
  tenant_id: string;
  world: 'live' | 'test';
  endpoint_id: string;
  event_id: string;
  type: string;
  /** Null for a test, which is in no log. */
  sequence: number | null;
  attempt: number;
  /** The dead letter that it was sent again for. */
  redrive: string | null;
  /** The replay that it belongs to. */
  replay: string | null;
  outcome: Answer['outcome'];
  status: number | null;
  error: string | null;
  duration_ms: number;
  /** From the recording of the event to its delivery; null when it was not delivered, or sent again on request. */
  latency_ms: number | null;
  /** From the recording of the event to its first attempt; null for later attempts, and where it was sent again on request. */
  wait_ms: number | null;
  bytes_out: number;
  correlation_id: string;
  /** Of the request that the event comes from. */
  trace_id: string | null;
}

/** Whose attempt it is. */
export interface AttemptPlace {
  tenant_id: string;
  world: 'live' | 'test';
  endpoint_id: string;
}

export function factsOf(place: AttemptPlace, subject: AttemptSubject, answer: Answer, now: number): AttemptFacts {
  const { event_id, type, attempt, redrive, replay, bytes, correlation_id, traceparent, recorded_at } = subject;
  const { outcome, status, error, duration_ms } = answer;
  const isFirstSending = recorded_at !== null && redrive === null && replay === null;
  const isFirstDelivery = isFirstSending && outcome === 'delivered';
  const isFirstAttempt = isFirstSending && attempt === 1 && outcome !== 'called_off';
  // Written out: this runs for every message.
  return {
    tenant_id: place.tenant_id,
    world: place.world,
    endpoint_id: place.endpoint_id,
    event_id,
    type,
    sequence: recorded_at === null ? null : subject.sequence,
    attempt,
    redrive,
    replay,
    outcome,
    status,
    error,
    duration_ms,
    latency_ms: isFirstDelivery ? Math.max(0, now - recorded_at.getTime()) : null,
    wait_ms: isFirstAttempt ? Math.max(0, now - duration_ms - recorded_at.getTime()) : null,
    bytes_out: bytes,
    correlation_id,
    trace_id: readTraceparent(traceparent)?.trace_id ?? null,
  };
}

/** An attempt that failed is something to look at; one that was called off is not the receiver's doing. */
export function levelOf(outcome: Answer['outcome']): 'info' | 'warn' {
  return outcome === 'delivered' || outcome === 'called_off' ? 'info' : 'warn';
}
