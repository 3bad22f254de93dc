// The two HTTP servers that app.ts starts: the API, and the operator's own port for health and metrics.

import { readFile } from 'node:fs/promises';
import { createAuthenticator } from './access/authenticate.ts';
import { policyOf } from './access/key-age.ts';
import type { House, Running } from './app.ts';
import { listOperations, listWebhooks } from './app-operations.ts';
import { tags } from './app-tags.ts';
import { openAccessLog } from './audit/access-log.loop.ts';
import type { Config } from './config.ts';
import { READ_CONNECTIONS_MAX } from './db/pools.ts';
import type { Sql } from './db/sql.ts';
import { WaypostError } from './errors.ts';
import { buildHttp } from './http/server.ts';
import type { MetricsDesk } from './http/system.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** Two, so that none idles while the process works on its answer; more would only wait there. */
const READS_PER_CONNECTION = 2;
const KEY_USES_SAVED_EVERY_MS = 10_000;

export interface ApiParts {
  telemetry: Sql;
  process_id: string;
  watchers: ((worldIds: readonly number[]) => void)[];
  running: Running;
  metrics: Metrics | null;
  desk: MetricsDesk | null;
}

/** The API: what serves it, who is let in, and what is noted of it. */
export async function startApi(
  house: House,
  parts: ApiParts,
): Promise<{ url: string; stop(drainMs: number): Promise<void> }> {
  const { config, log } = house;
  const { telemetry, process_id, watchers, running, metrics, desk } = parts;
  const accessLog = openAccessLog({ sql: telemetry, process_id, log, now: () => new Date() });
  const authenticator = createAuthenticator({
    reads: house.door,
    writes: telemetry,
    policy: policyOf(config),
    nowMs: () => Date.now(),
  });
  watchers.push((worldIds) => worldIds.forEach(authenticator.forgetWorld));
  const saving = setInterval(() => {
    authenticator.saveUses().catch((error: unknown) => log.warn({ msg: 'key_uses.failed', err: error }));
  }, KEY_USES_SAVED_EVERY_MS);
  const operations = listOperations(house);
  const http = buildHttp({
    operations,
    webhooks: listWebhooks(operations),
    authenticate: authenticator.authenticate,
    log,
    fingerprintKey: house.deriveKey('fingerprints'),
    publicUrl: config.publicUrl,
    findUnready: () => house.findUnready(),
    metrics: desk,
    onCompleted: metrics?.onRequest ?? null,
    onNotable: accessLog.note,
    tags,
    rateLimits: house.rateLimits,
    connectionLimits: { max: config.connectionsMax, perAddressMax: config.connectionsPerAddress },
    readsMax: READS_PER_CONNECTION * READ_CONNECTIONS_MAX,
    estimateWriteMs: house.ledger.estimateMs,
    tls: await readTls(config),
    trustProxy: config.trustProxy,
  });
  running.http = http;
  const stop = async (drainMs: number) => {
    clearInterval(saving);
    const cut = await http.close(drainMs);
    if (cut > 0) log.warn({ cut, after_ms: drainMs }, 'requests.cut');
    await authenticator.saveUses().catch(() => {});
    await accessLog.stop();
  };
  try {
    const bound = await http.listen(config.host, config.port);
    return { url: bound.url, stop };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

/** The operator's own port. Nothing to stop when there is none. */
export async function startHealth(
  house: House,
  metrics: MetricsDesk | null,
): Promise<{ url: string | null; stop(): Promise<void> }> {
  const { config, log } = house;
  if (config.healthPort === null) return { url: null, stop: async () => {} };
  const http = buildHttp({
    operations: [],
    authenticate: () => {
      throw new WaypostError('unauthorized', 'No operation here takes an API key.');
    },
    log,
    fingerprintKey: house.deriveKey('fingerprints'),
    publicUrl: null,
    findUnready: () => house.findUnready(),
    metrics,
    isForHealth: true,
    tls: await readTls(config),
  });
  const { url } = await http.listen(config.host, config.healthPort);
  return { url, stop: async () => void (await http.close(0)) };
}

async function readTls(config: Config): Promise<{ cert: Buffer; key: Buffer } | null> {
  if (config.tlsCert === null || config.tlsKey === null) return null;
  return { cert: await readFile(config.tlsCert), key: await readFile(config.tlsKey) };
}
