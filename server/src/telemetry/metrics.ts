// Prometheus metrics of one process: every name with its help and labels, fed by what the rooms tell and by what is
// asked at each scrape. Labels are words of small closed lists: no tenant, job, endpoint or path is one.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Completion } from '../http/exchange.ts';
import type { BatchFacts } from '../ledger/lane.ts';
import type { AttemptFacts } from '../webhooks/attempt-facts.ts';
import { type GaugeSources, openGauges } from './gauges.ts';

export interface Metrics {
  onRequest(completion: Completion): void;
  onBatch(facts: BatchFacts): void;
  onAttempt(facts: AttemptFacts): void;
  onDead(reason: string): void;
  /** The text of one scrape. */
  render(): Promise<string>;
}

const REQUEST_BUCKETS_S = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const BATCH_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const BATCH_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200];
const ATTEMPT_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 30];
const WAIT_BUCKETS_S = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 60, 3_600];
const LATENCY_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 3_600, 86_400];

export function openMetrics(version: string, sources: GaugeSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const build = new Gauge({
    name: 'waypost_build_info',
    help: 'Always 1; the labels say which program this is.',
    labelNames: ['version', 'node'],
    registers: [registry],
  });
  build.set({ version, node: process.version }, 1);
  const told = { ...openHttpMetrics(registry), ...openLedgerMetrics(registry), ...openSenderMetrics(registry) };
  const look = openGauges(registry, sources);
  return {
    ...told,
    async render() {
      await look();
      return registry.metrics();
    },
  };
}

function openHttpMetrics(registry: Registry): Pick<Metrics, 'onRequest'> {
  const registers = [registry];
  const duration = new Histogram({
    name: 'waypost_http_request_duration_seconds',
    help: 'From the first byte of a request to its reply, by operation and class of status.',
    labelNames: ['operation', 'status'],
    buckets: REQUEST_BUCKETS_S,
    registers,
  });
  const refusals = new Counter({
    name: 'waypost_http_refusals_total',
    help: 'Requests that were refused, by error code.',
    labelNames: ['code'],
    registers,
  });
  const streams = new Counter({
    name: 'waypost_http_streams_total',
    help: 'Streams that are over, by how they came to their end.',
    labelNames: ['ended'],
    registers,
  });
  return {
    onRequest({ operation, status, code, duration_ms, ended }) {
      if (ended !== null) {
        streams.inc({ ended });
        return;
      }
      duration.observe(
        { operation: operation ?? 'none', status: statusClasses[Math.floor(status / 100)] ?? 'none' },
        duration_ms / 1_000,
      );
      if (code !== null) refusals.inc({ code });
    },
  };
}

const statusClasses = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

function openLedgerMetrics(registry: Registry): Pick<Metrics, 'onBatch'> {
  const registers = [registry];
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, buckets, registers });
  const size = histogram('waypost_ledger_batch_commands', 'Commands that one transaction decided.', BATCH_BUCKETS);
  const wait = histogram('waypost_ledger_wait_seconds', 'How long a command waited for its batch.', BATCH_BUCKETS_S);
  const decide = histogram(
    'waypost_ledger_decide_duration_seconds',
    'Locking, reading and deciding of a batch.',
    BATCH_BUCKETS_S,
  );
  const commit = histogram(
    'waypost_ledger_commit_duration_seconds',
    'Writing and committing of a batch.',
    BATCH_BUCKETS_S,
  );
  const events = new Counter({ name: 'waypost_ledger_events_total', help: 'Events written to the log.', registers });
  return {
    onBatch(facts) {
      size.observe(facts.commands);
      for (const ms of facts.waits_ms) wait.observe(ms / 1_000);
      decide.observe(facts.decide_ms / 1_000);
      if (facts.commit_ms === null) return;
      commit.observe(facts.commit_ms / 1_000);
      events.inc(facts.events);
    },
  };
}

function openSenderMetrics(registry: Registry): Pick<Metrics, 'onAttempt' | 'onDead'> {
  const registers = [registry];
  const attempts = new Counter({
    name: 'waypost_webhook_attempts_total',
    help: 'Attempts that are over, by what came of them.',
    labelNames: ['outcome'],
    registers,
  });
  const replayed = new Counter({
    name: 'waypost_webhook_replayed_attempts_total',
    help: 'Those of them that replays made, by what came of them.',
    labelNames: ['outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'waypost_webhook_attempt_duration_seconds',
    help: 'How long receivers took to answer.',
    buckets: ATTEMPT_BUCKETS_S,
    registers,
  });
  const latency = new Histogram({
    name: 'waypost_event_delivery_latency_seconds',
    help: 'From the recording of an event to the first 2xx of an endpoint; redrives and replays do not count.',
    buckets: LATENCY_BUCKETS_S,
    registers,
  });
  const wait = new Histogram({
    name: 'waypost_event_send_wait_seconds',
    help: 'From the recording of an event to the beginning of its first attempt: the part of the latency that is ours.',
    buckets: WAIT_BUCKETS_S,
    registers,
  });
  const dead = new Counter({
    name: 'waypost_webhook_dead_letters_total',
    help: 'Messages that were given up, by reason.',
    labelNames: ['reason'],
    registers,
  });
  return {
    onAttempt({ outcome, duration_ms, latency_ms, wait_ms, replay }) {
      attempts.inc({ outcome });
      if (replay !== null) replayed.inc({ outcome });
      if (outcome !== 'called_off') duration.observe(duration_ms / 1_000);
      if (latency_ms !== null) latency.observe(latency_ms / 1_000);
      if (wait_ms !== null) wait.observe(wait_ms / 1_000);
    },
    onDead: (reason) => dead.inc({ reason }),
  };
}
