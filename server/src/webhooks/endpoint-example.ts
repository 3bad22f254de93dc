// Examples of what endpoints, messages and attempts look like, for the OpenAPI document.

import type { Attempt, Endpoint, Health, Message } from './endpoint.schema.ts';
import { IN_FLIGHT_DEFAULT } from './pace.ts';
import type { JobReceipts } from './receipt.schema.ts';
import type { DeadLetter, Redrive } from './redrive.schema.ts';
import type { Replay } from './replay.schema.ts';
import type { TracePage } from './trace.schema.ts';
import { ORDER_PATIENCE_DEFAULT_S } from './window.ts';

const endpoint_id = 'whe_01m7yhqmb4f0pankpv0n1w71v1';
const event_id = 'evt_01m7yk1xfpe00800078tp7kpxj';
const job_id = 'job_01m7yk1xfpe8nb9r0sf3wq6y2h';

export const endpointExample: Endpoint = {
  id: endpoint_id,
  url: 'https://shop.example/hooks',
  description: 'ERP',
  types: ['job.*', 'customer.updated'],
  topics: [],
  channel_ids: null,
  tags: null,
  format: 'native',
  schema_version: null,
  transform: null,
  ordering: 'per_job',
  order_patience_s: ORDER_PATIENCE_DEFAULT_S,
  rendering: 'plain',
  timeout_s: 15,
  in_flight_max: IN_FLIGHT_DEFAULT,
  rate_per_s: null,
  header_names: ['authorization'],
  destination: { type: 'http' },
  credential_names: [],
  worth_sending: [{ types: ['driver.updated'], latest_wins: true, time_to_live_s: 600 }],
  signing: 'hmac',
  public_keys: [],
  start_at: 'now',
  status: 'active',
  status_since: '2026-11-21T13:00:00.412Z',
  paused_reason: null,
  verified_at: '2026-11-21T13:00:00.412Z',
  previous_secret_expires_at: null,
  revision: 1,
  version: 2,
  created_at: '2026-11-21T13:00:00.118Z',
  updated_at: '2026-11-21T13:00:00.412Z',
};

export const attemptExample: Attempt = {
  endpoint_id,
  event_id,
  type: 'endpoint.test',
  sequence: null,
  attempt: 1,
  started_at: '2026-11-21T13:00:00.200Z',
  duration_ms: 41,
  outcome: 'delivered',
  status: 200,
  error: null,
  reply: 'ok',
  control: null,
  retry_after_s: null,
  correlation_id: '7f0c2a51-order-10293',
  dead_letter_id: null,
  replay_id: null,
};

export const messageExample: Message = {
  endpoint_id,
  event_id,
  type: 'job.delivery.updated',
  job_id,
  sequence: 10_291,
  state: 'retrying',
  superseded_by: null,
  attempts: 2,
  last_attempt_at: '2026-11-21T13:00:05.200Z',
  last_status: 500,
  last_error: 'answered with status 500',
  next_attempt_at: '2026-11-21T13:00:35.200Z',
};

export const healthExample: Health = {
  endpoint_id,
  status: 'active',
  circuit: 'closed',
  broken_since: null,
  next_probe_at: null,
  events_behind: 2,
  pending: 1,
  pending_is_exact: true,
  oldest_unsettled_at: '2026-11-21T13:00:00.118Z',
  lag_s: 5.8,
  settled_sequence: 10_291,
  retrying: 1,
  in_flight: 0,
  waiting: 1,
  dead_letters: 0,
  window: { width: 32, in_flight: 1, as_of: '2026-11-21T13:00:05.918Z' },
  last_hour: {
    attempts: 3_120,
    delivered: 3_118,
    success_rate: 0.9994,
    duration_ms_p50: 12,
    duration_ms_p95: 48,
    duration_ms_p99: 90,
    latency_ms_p50: 17,
    latency_ms_p95: 60,
    latency_ms_p99: 5_120,
  },
  last_delivered_at: '2026-11-21T13:00:05.900Z',
  last_failure: { at: '2026-11-21T13:00:05.200Z', status: 500, error: 'answered with status 500' },
};

export const deadLetterExample: DeadLetter = {
  id: 'dlt_01m7yk1xfpe8nb9r0sf3wq6y2h',
  endpoint_id,
  event_id,
  type: 'job.delivery.updated',
  job_id,
  sequence: 10_291,
  state: 'dead',
  reason: 'tries_used',
  attempts: 13,
  first_attempt_at: '2026-11-18T13:00:00.200Z',
  died_at: '2026-11-21T13:00:00.200Z',
  last_status: 500,
  last_error: 'answered with status 500',
  settled_at: null,
  redrive_id: null,
  correlation_id: '7f0c2a51-order-10293',
};

export const redriveExample: Redrive = {
  id: 'rdr_01m7yk1xfpe8nb9r0sf3wq6y2h',
  requested_at: '2026-11-21T14:00:00.118Z',
  cancelled_at: null,
  endpoint_ids: [endpoint_id],
  dead_letter_ids: null,
  types: ['job.*'],
  job_id: null,
  reason: 'tries_used',
  died_since: null,
  died_until: null,
  matching: 1_204,
  state: 'running',
  progress: { remaining: 1_004, redriving: 32, delivered: 168, dead: 0 },
};

export const replayExample: Replay = {
  id: 'rpl_01m7yk1xfpe8nb9r0sf3wq6y2h',
  endpoint_id,
  to: null,
  from_sequence: 1,
  until_sequence: 10_291,
  since: null,
  until: null,
  job_ids: null,
  types: ['job.*'],
  dead_letters: false,
  rate_per_s: 100,
  total: 9_870,
  requested_at: '2026-11-21T14:00:00.118Z',
  ended_at: null,
  end_reason: null,
  state: 'running',
  waiting_for: null,
  progress: {
    phase: 'events',
    sequence: 3_120,
    sent: 3_010,
    delivered: 3_004,
    failed: 2,
    closed: 0,
    per_s: 99.4,
    as_of: '2026-11-21T14:00:30.402Z',
  },
};

export const receiptsExample: JobReceipts = {
  event_id: 'evt_01m7yhqmb4e008000004ph4vfp',
  job_sequence: 1,
  type: 'job.created',
  recorded_at: '2026-11-21T13:00:00.156Z',
  receipts: [
    {
      endpoint_id: 'whe_01m7yhqmb4f0pankpv0n1w71v1',
      delivered_at: '2026-11-21T13:00:00.171Z',
      status: 204,
      attempt: 1,
    },
  ],
};

export const traceExample: TracePage = {
  correlation_id: '7f0c2a51-order-10293',
  request: {
    recorded_at: '2026-11-21T13:00:00.156Z',
    actor: { type: 'api_key', id: 'key_01m7yhqmb4f0pankpv0n1w71v1' },
    cause: 'api',
    traceparent: null,
  },
  data: [
    {
      id: event_id,
      sequence: 10_291,
      type: 'job.created',
      topics: [],
      data_id: job_id,
      job_id,
      job_sequence: 1,
      channel_id: 'chn_01m7yhqmb4f0pankpv0n1w71v1',
      recorded_at: '2026-11-21T13:00:00.156Z',
      actor: { type: 'api_key', id: 'key_01m7yhqmb4f0pankpv0n1w71v1' },
      cause: 'api',
      causation_id: null,
      applied: true,
      implied: false,
      messages: [
        {
          endpoint_id,
          state: 'delivered',
          next_attempt_at: null,
          dead_letter_id: null,
          attempts: [{ ...attemptExample, type: 'job.created', sequence: 10_291 }],
        },
      ],
    },
  ],
  has_more: false,
  next: null,
  next_steps: ['Every message was delivered (1).', `GET /v1/jobs/${job_id}/timeline tells the whole life of the job.`],
};
