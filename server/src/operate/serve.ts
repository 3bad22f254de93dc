// The word `serve`: opens the database, makes a first tenant where there is none, runs the app until told to stop.

import pino, { type Logger } from 'pino';
import { startApp } from '../app.ts';
import type { Config } from '../config.ts';
import { keepPartitions, turnPartitions } from '../db/partitions.loop.ts';
import { openPool, type Sql } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import { errorFields } from '../http/problem.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { VERSION } from '../version.ts';
import { turnRetention } from '../webhooks/retention.loop.ts';
import { awaitStarter, serveInBackground } from './background.ts';
import { journalPathOf } from './backup-place.ts';
import { readDatabaseState } from './doctor.store.ts';
import { type Opened, openWaypost, whenThere } from './open.ts';
import { readServerFile, removeServerFile, writeServerFile } from './server-file.ts';
import { type MadeTenant, makeFirstTenant } from './tenants.ts';
import type { Told, WordCall } from './word.ts';
import { releaseYoungSpace } from './young-space.ts';

export type ServerRole = 'api' | 'sender';
const ROLES: readonly ServerRole[] = ['api', 'sender'];
/** Ctrl-C under npm arrives twice, from the terminal and from npm: what follows so soon is no second wish. */
const ECHO_MS = 500;
/** After requests and messages were drained: what has not ended by then is left as after a kill, which loses nothing. */
const STOP_MS = 30_000;

/** Runs until SIGINT or SIGTERM; a second signal ends the process at once. */
export async function serve(call: WordCall): Promise<Told | null> {
  if (call.options.background !== undefined) return serveInBackground(call);
  const { config, options, asJson } = call;
  const starterNow = awaitStarter();
  const tell = (sentence: string) => (starterNow() ?? (() => call.tell(sentence)))({ tell: sentence });
  const roles = readRoles(options.role);
  const startedMs = performance.now();
  const stopSignal = waitForSignal();
  const log = openLog(config);
  let isReady = false;
  const say = (sentence: string) => (isReady ? log.warn({ msg: sentence }) : tell(sentence));
  const tracing = await startTracingFor(config, log);
  const opened = await openWaypost(config, say, 'some');
  try {
    const { addresses, masterKey } = opened;
    const app = await whenThere(true, () =>
      startApp({ config, addresses, masterKey, log, roles, journalPath: journalPathOf(config) }),
    ).catch(async (error: unknown) => {
      throw (await explainListening(config, error)) ?? error;
    });
    const endPartitions = startPartitions(config, opened, log);
    // Only now: its keys are shown once, so nothing may fail before they are.
    const first = roles.has('api') ? await makeFirstTenant(opened) : null;
    const url = hereOf(app.url);
    const health_url = app.health_url === null ? null : hereOf(app.health_url);
    if (roles.has('api')) await writeServerFile(config.dataDir, { url, pid: process.pid });
    isReady = true;
    releaseYoungSpace();
    const tookMs = Math.round(performance.now() - startedMs);
    const value = { url, health_url, roles: [...roles], took_ms: tookMs, first_start: first };
    const starter = starterNow();
    const text = greet(
      config,
      { url, health_url },
      roles,
      tookMs,
      first,
      starter === null ? ', in another terminal' : '',
    );
    if (starter !== null) starter({ ready: { text, value } });
    else process.stdout.write(asJson ? `${JSON.stringify(value)}\n` : `${text}\n`);
    await stopSignal;
    log.info({ msg: 'server.stopping' });
    endAtLatest(config.drainS * 1_000 + STOP_MS);
    await removeServerFile(config.dataDir);
    await app.stop();
    await endPartitions();
  } finally {
    await opened.close();
    await tracing?.stop();
  }
  return null;
}

function readRoles(text: string | undefined): ReadonlySet<ServerRole> {
  if (text === undefined) return new Set(ROLES);
  const words = text.split(',').map((word) => word.trim());
  const wrong = words.find((word) => !ROLES.some((role) => role === word));
  if (wrong !== undefined) throw new StartError(`There is no role "${wrong}": --role takes api, sender or api,sender.`);
  return new Set(words as ServerRole[]);
}

/** Lines are written behind the work, many at once when there are many; those of the last moment at the end. */
function openLog({ logLevel }: Config): Logger {
  return pino(
    { level: logLevel, timestamp: pino.stdTimeFunctions.isoTime, base: null, serializers: { err: errorFields } },
    pino.destination({ dest: 1, sync: false }),
  );
}

/** Its packages are loaded only where somebody collects spans: they take some 60 ms and 20 MB. */
async function startTracingFor({ otlpUrl }: Config, log: Logger): Promise<Tracing | null> {
  if (otlpUrl === null) return null;
  const { startTracing } = await import('../telemetry/tracing.ts');
  return startTracing(otlpUrl, VERSION, log);
}

function waitForSignal(): Promise<void> {
  return new Promise((resolve) => {
    let toldMs = Number.NaN;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (performance.now() - toldMs > ECHO_MS) process.exit(signal === 'SIGINT' ? 130 : 143);
        if (Number.isNaN(toldMs)) toldMs = performance.now();
        resolve();
      });
    }
  });
}

/** Whatever holds a stop up, an operator and systemd do not wait for it. */
function endAtLatest(stopMs: number): void {
  const words = 'Waypost did not stop in time and ends at once: the next start goes on from what is written.';
  const end = () => {
    process.stderr.write(`${words}\n`);
    process.exit(1);
  };
  setTimeout(end, stopMs).unref();
}

/** Days are made ahead and dropped when their time is over, by every process: the database says whose turn it is. */
function startPartitions(config: Config, opened: Opened, log: Logger): () => Promise<void> {
  const sql = openPool(opened.addresses.owner, { name: 'waypost partitions', connectionsMax: 3 });
  const { logDays: log_days, logHoldDays: hold_days, attemptDays: attempt_days, jobHistoryDays: history_days } = config;
  const retention = { sql, kept: { log_days, hold_days, attempt_days, history_days }, log };
  const turn = async (_sql: Sql, now: Date) => {
    await turnPartitions(sql, now);
    // What is dropped is gone: not by the clock of a process that may be wrong.
    await turnRetention(retention, (await readDatabaseState(sql)).now);
  };
  const end = keepPartitions(sql, (error) => log.error({ msg: 'partitions.failed', err: error }), turn);
  return async () => {
    end();
    await sql.end();
  };
}

async function explainListening(config: Config, error: unknown): Promise<StartError | null> {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const { host } = config;
  const port = (error as { port?: number } | null)?.port ?? config.port;
  const setting = port === config.healthPort && port !== config.port ? 'WAYPOST_HEALTH_PORT' : 'WAYPOST_PORT';
  if (code === 'EADDRINUSE') {
    const running = await readServerFile(config.dataDir);
    const who =
      running === null ? 'another program' : `the Waypost that runs already (process ${running.pid}, ${running.url})`;
    return new StartError(`Port ${port} is taken by ${who}: stop it, or set ${setting} to another port.`, {
      cause: error,
    });
  }
  if (code === 'EACCES')
    return new StartError(`This user may not listen on port ${port}: set ${setting} to one above 1023.`, {
      cause: error,
    });
  if (code === 'EADDRNOTAVAIL')
    return new StartError(`This machine does not have the address ${host}: set WAYPOST_HOST to one of its own.`, {
      cause: error,
    });
  if (config.tlsCert !== null && (/^ERR_(OSSL|SSL|TLS|CRYPTO)/.test(String(code)) || code === 'EE_KEY_TOO_SMALL')) {
    return new StartError('WAYPOST_TLS_CERT and WAYPOST_TLS_KEY are not a certificate and its private key in PEM.', {
      cause: error,
    });
  }
  const { path } = error as NodeJS.ErrnoException;
  const name = path === undefined ? null : path === config.tlsCert ? 'CERT' : path === config.tlsKey ? 'KEY' : null;
  if (name !== null)
    return new StartError(`WAYPOST_TLS_${name} names a file that cannot be read (${code}): ${path}.`, { cause: error });
  return null;
}

/** A server that listens on every address is reached from here by that of this machine. */
function hereOf(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

/** What the terminal shows once the server is ready; `where`: in which terminal one goes on. */
function greet(
  config: Config,
  { url, health_url }: { url: string; health_url: string | null },
  roles: ReadonlySet<ServerRole>,
  tookMs: number,
  first: MadeTenant | null,
  where: string,
): string {
  const shown = config.publicUrl ?? url;
  const lines = [`Waypost is ready (${(tookMs / 1000).toFixed(1)} s).`];
  const health = health_url === null ? [] : [`  health    ${health_url}/readyz`];
  if (!roles.has('api')) return [`${lines[0]} This process only sends.`, ...health, ''].join('\n');
  lines.push('', `  API       ${shown}/v1`, `  Docs      ${shown}/docs`, ...health);
  if (first !== null) {
    lines.push(
      '',
      `First start: made the tenant "${first.name}".`,
      `  tenant    ${first.tenant_id}`,
      `  channel   ${first.channel_id}`,
      `  hub       ${first.hub_id}`,
      `  test key  ${first.test_key}  (shown once)`,
      `  live key  ${first.live_key}  (shown once)`,
    );
  }
  lines.push(
    '',
    `Next${where}:`,
    '  eval "$(./waypost env)"    test keys for curl, the SDK and ./waypost help',
    '  npm run demo               the whole loop, from orders to verified events',
    '',
  );
  return lines.join('\n');
}
