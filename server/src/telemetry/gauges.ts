// What is asked at each scrape: how full the process is, and how the database and its disk stand.

import { Gauge, type Registry } from 'prom-client';
import { endpointStates, type SenderState } from '../webhooks/sender.loop.ts';
import type { DatabaseGauges } from './gauges.store.ts';

/** A scrape does not wait longer for the database than this. */
const GAUGES_TIMEOUT_MS = 2_000;

/** What is asked at each scrape. */
export interface GaugeSources {
  /** Requests being worked on. */
  inFlight(): number;
  /** Streams that are open. */
  streams(): number;
  /** Commands that wait for a batch. */
  waiting(): number;
  /** Null in a process that does not send. */
  sender(): SenderState | null;
  readDatabase(): Promise<DatabaseGauges>;
  /** Null where the disk is not ours to look at. */
  readFreeBytes(): Promise<number | null>;
}

/** Gauges that are asked for at each scrape; what cannot be had is left out rather than told as it was. */
export function openGauges(registry: Registry, sources: GaugeSources): () => Promise<void> {
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge<L>({ name, help, labelNames, registers });
  const inFlight = gauge('waypost_http_requests_in_flight', 'Requests being worked on.');
  const streams = gauge('waypost_http_streams_open', 'Streams that are open.');
  const waiting = gauge('waypost_ledger_commands_waiting', 'Commands that wait for a batch.');
  const endpoints = gauge('waypost_webhook_endpoints', 'Endpoints that this process sends to, by state.', ['state']);
  const sending = gauge('waypost_webhook_messages_in_flight', 'Messages on their way.');
  const replays = gauge('waypost_webhook_replays', 'Replays that this process sends.');
  const sendingMax = gauge(
    'waypost_webhook_messages_in_flight_max',
    'As many as this process has on their way at once.',
  );
  const held = gauge('waypost_webhook_endpoints_held', 'Endpoints that wait until less is in flight.');
  const shares = gauge('waypost_sender_shares', 'Shares of the work of sending that this process holds, of 16 in all.');
  const up = gauge('waypost_database_up', '1 when the database answered this scrape.');
  const asked = openDatabaseGauges(gauge);
  const free = gauge('waypost_disk_free_bytes', "Free space where the embedded database's files are.");
  return async () => {
    inFlight.set(sources.inFlight());
    streams.set(sources.streams());
    waiting.set(sources.waiting());
    const state = sources.sender();
    for (const name of endpointStates) endpoints.set({ state: name }, state?.endpoints[name] ?? 0);
    sending.set(state?.in_flight ?? 0);
    sendingMax.set(state?.in_flight_max ?? 0);
    held.set(state?.held ?? 0);
    replays.set(state?.replays ?? 0);
    shares.set(state?.shares ?? 0);
    const [database, bytes] = await Promise.all([soon(sources.readDatabase()), soon(sources.readFreeBytes())]);
    up.set(database === null ? 0 : 1);
    asked(database);
    tell(free, bytes);
  };
}

type MakeGauge = <L extends string>(name: string, help: string, labelNames?: L[]) => Gauge<L>;

function openDatabaseGauges(gauge: MakeGauge): (database: DatabaseGauges | null) => void {
  const backlog = gauge('waypost_webhook_backlog_events', 'Events that the endpoint furthest behind has before it.');
  const lag = gauge('waypost_webhook_lag_seconds', 'Age of the oldest event that an active endpoint waits for.');
  const connections = gauge('waypost_database_connections', 'Connections to the database, of all processes.', [
    'pool',
    'state',
  ]);
  const most = gauge('waypost_database_connections_max', 'Connections that the database takes.');
  const days = gauge('waypost_partition_days_ahead', 'Days after today for which every partitioned table is ready.');
  const floor = gauge('waypost_log_floor_age_seconds', 'Age of the oldest day that the log still holds.');
  const expiring = gauge(
    'waypost_log_expiring',
    'Who is so far behind that it loses events of the log within a week, by kind.',
    ['kind'],
  );
  return (database) => {
    tell(backlog, database?.backlog_events);
    tell(lag, database?.lag_s);
    connections.reset();
    for (const { pool, state, count } of database?.connections ?? []) connections.set({ pool, state }, count);
    tell(most, database?.connections_max);
    tell(days, database?.partition_days_ahead);
    tell(floor, database?.log_floor_age_s);
    expiring.reset();
    for (const { kind, count } of database?.log_expiring ?? []) expiring.set({ kind }, count);
  };
}

function tell(gauge: Gauge, value: number | null | undefined): void {
  if (value == null) gauge.remove();
  else gauge.set(value);
}

/** The answer, or null when it fails or takes too long. */
async function soon<T>(asked: Promise<T>): Promise<T | null> {
  const late = new Promise<null>((resolve) => {
    setTimeout(resolve, GAUGES_TIMEOUT_MS, null).unref();
  });
  return Promise.race([asked.catch(() => null), late]);
}
