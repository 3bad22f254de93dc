// The word `doctor`: is everything that the server stands on as it should be? Each check answers one or more sentences;
// none of them changes anything.

import { stat, statfs } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { verifyLog } from '../audit/verify-command.ts';
import type { Config } from '../config.ts';
import { listPartitions, planPartitions } from '../db/partitions.ts';
import { openPool, type Sql } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import { readDataDirectory } from '../telemetry/gauges.store.ts';
import { listHolds } from '../webhooks/retention.store.ts';
import { checkBackups } from './backup-check.ts';
import { type HeadState, listHeads, readDatabaseState } from './doctor.store.ts';
import { type Opened, openWaypost, requireDatabase } from './open.ts';
import { readServerFile } from './server-file.ts';
import type { Told, WordCall } from './word.ts';

export interface Finding {
  check: 'database' | 'disk' | 'clock' | 'port' | 'log' | 'secrets' | 'backups';
  /** `warning`: works, but look at it. `fault`: does not work, or will not for long. */
  state: 'ok' | 'warning' | 'fault';
  sentence: string;
}

const FREE_WARNING_BYTES = 5 * 1024 ** 3;
const FREE_FAULT_BYTES = 512 * 1024 ** 2;
const CLOCK_SKEW_MS_MAX = 1_000;
const HEALTH_TIMEOUT_MS = 2_000;

export async function runDoctor({ config, tell }: WordCall): Promise<Told> {
  const findings: Finding[] = [];
  let opened: Opened | null = null;
  try {
    await requireDatabase(config);
    opened = await openWaypost(config, tell);
    const sql = openPool(opened.addresses.owner, { name: 'waypost doctor', connectionsMax: 1 });
    try {
      findings.push(...(await checkDatabase(config, opened, sql)), ...(await checkDisk(config, sql)));
      findings.push(...(await checkClock(sql)), ...(await checkLog(sql)));
    } finally {
      await sql.end();
    }
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    findings.push({ check: 'database', state: 'fault', sentence: error.message });
  } finally {
    await opened?.close();
  }
  findings.push(await checkPort(config), ...(await checkSecrets(config)), await checkBackups(config, new Date()));
  const isWell = findings.every(({ state }) => state !== 'fault');
  const lines = findings.map(({ check, state, sentence }) => `${state.padEnd(8)} ${check.padEnd(9)} ${sentence}`);
  return { lines, value: { ok: isWell, findings }, exitCode: isWell ? 0 : 1 };
}

async function checkDatabase(config: Config, opened: Opened, sql: Sql): Promise<Finding[]> {
  const state = await readDatabaseState(sql);
  const where = config.databaseUrl === null ? 'embedded' : new URL(config.databaseUrl).host;
  const say = (how: Finding['state'], sentence: string): Finding => ({ check: 'database', state: how, sentence });
  const findings = [say('ok', `PostgreSQL ${state.version} (${where}), ${showBytes(state.bytes)}, up to date.`)];
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit'] as const) {
    if (state[name] === 'off')
      findings.push(say('fault', `${name} is off: what was acknowledged may be lost with the machine.`));
  }
  if (state.connections > state.connections_max * 0.9) {
    findings.push(say('warning', `${state.connections} of ${state.connections_max} connections are in use.`));
  }
  findings.push(
    opened.addresses.separated
      ? say('ok', 'The roles waypost_app, waypost_ledger and waypost_sender are used.')
      : say('warning', 'Everything runs as the user of DATABASE_URL: it may not make roles, or has no password.'),
  );
  const partitions = await listPartitions(sql);
  const missing = planPartitions([...partitions.keys()], new Date()).filter(
    ({ table, name }) => !partitions.get(table)?.includes(name),
  );
  if (missing.length > 0)
    findings.push(say('fault', `Day partitions are missing: ${missing.map(({ name }) => name).join(', ')}.`));
  for (const { kind, holder_id, tenant_id, world, day, sequence, expires_at } of await listHolds(sql)) {
    const who = { endpoint: 'The endpoint', consumer: 'The consumer', replay: 'The replay' }[kind as 'endpoint'];
    const what = who ?? (kind === 'dead_letter' ? 'A dead letter of the endpoint' : 'A message of the endpoint');
    findings.push(
      say(
        'warning',
        `${what} ${holder_id} (${tenant_id} ${world}) needs the log from ${sequence + 1} on, of ${day}, which is dropped on ${expires_at.toISOString().slice(0, 10)}.`,
      ),
    );
  }
  return findings;
}

async function checkDisk(config: Config, sql: Sql): Promise<Finding[]> {
  if (config.databaseUrl !== null) return [];
  const path = (await readDataDirectory(sql)) ?? config.dataDir;
  const { bavail, bsize } = await statfs(path);
  const free = bavail * bsize;
  const least = config.freeMinMb > 0 ? config.freeMinMb * 1024 ** 2 : FREE_FAULT_BYTES;
  const state = free < least ? 'fault' : free < FREE_WARNING_BYTES ? 'warning' : 'ok';
  const stopped =
    free < least && config.freeMinMb > 0 ? ` Writing stops below ${showBytes(least)} (WAYPOST_FREE_MIN_MB).` : '';
  return [{ check: 'disk', state, sentence: `${showBytes(free)} free for ${path}.${stopped}` }];
}

async function checkClock(sql: Sql): Promise<Finding[]> {
  const { now } = await readDatabaseState(sql);
  const skewMs = Math.abs(now.getTime() - Date.now());
  const findings: Finding[] = [
    skewMs > CLOCK_SKEW_MS_MAX
      ? {
          check: 'clock',
          state: 'warning',
          sentence: `The clocks of this machine and the database differ by ${(skewMs / 1000).toFixed(1)} s.`,
        }
      : { check: 'clock', state: 'ok', sentence: `${now.toISOString()}, the database agrees.` },
  ];
  for (const head of await listHeads(sql)) {
    if (head.recorded_at.getTime() <= now.getTime() + CLOCK_SKEW_MS_MAX) continue;
    findings.push({
      check: 'clock',
      state: 'fault',
      sentence: `The last event of ${nameOf(head)} is from ${head.recorded_at.toISOString()}, which is yet to come: the clock was set back.`,
    });
  }
  return findings;
}

/** Numbers without gap and the chain from the first event that is kept to the head. */
async function checkLog(sql: Sql): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const head of await listHeads(sql)) {
    const { rows, broken } = await verifyLog(sql, head);
    findings.push({
      check: 'log',
      state: broken === null ? 'ok' : 'fault',
      sentence: `${nameOf(head)}: ${broken === null ? `${rows} events without gap, the chain verifies` : broken.sentence}.`,
    });
  }
  return findings;
}

function nameOf({ tenant_id, world }: HeadState): string {
  return `${tenant_id} ${world}`;
}

/** Ours and healthy, free, or somebody else's. */
async function checkPort(config: Config): Promise<Finding> {
  const running = await readServerFile(config.dataDir);
  if (running !== null) {
    const isWell = await answersHealth(running.url);
    return isWell
      ? { check: 'port', state: 'ok', sentence: `The server runs at ${running.url} (process ${running.pid}).` }
      : {
          check: 'port',
          state: 'fault',
          sentence: `The server (process ${running.pid}) does not answer at ${running.url}.`,
        };
  }
  const code = await tryListening(config.host, config.port);
  if (code === null)
    return { check: 'port', state: 'ok', sentence: `No server runs; ${config.host}:${config.port} is free.` };
  return {
    check: 'port',
    state: 'fault',
    sentence: `No server of this data directory runs and ${config.host}:${config.port} cannot be listened on (${code}).`,
  };
}

/** The certificate is not checked: it names the address that others use, and this is our own machine. */
function answersHealth(url: string): Promise<boolean> {
  const get = url.startsWith('https:') ? httpsGet : httpGet;
  return new Promise((resolve) => {
    const options = { timeout: HEALTH_TIMEOUT_MS, rejectUnauthorized: false };
    const asked = get(`${url}/healthz`, options, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy()).on('error', () => resolve(false));
  });
}

function tryListening(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}

async function checkSecrets(config: Config): Promise<Finding[]> {
  if (config.masterKey !== null) return [];
  const path = join(config.dataDir, 'master.key');
  const found = await stat(path).catch(() => null);
  if (found === null) return [];
  return (found.mode & 0o077) === 0
    ? [
        {
          check: 'secrets',
          state: 'ok',
          sentence: `${path} is private. Keep a copy elsewhere: without it sealed data is lost.`,
        },
      ]
    : [{ check: 'secrets', state: 'fault', sentence: `${path} can be read by others: chmod 600 it.` }];
}

function showBytes(bytes: number): string {
  return bytes >= 1024 ** 3 ? `${(bytes / 1024 ** 3).toFixed(1)} GB` : `${Math.ceil(bytes / 1024 ** 2)} MB`;
}
