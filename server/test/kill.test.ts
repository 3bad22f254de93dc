// SIGKILL to servers, the sender and the database at random instants under load, then a reckoning. KILL_ROUNDS=200
// and KILL_SEED=n change how long and which.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startEmbedded } from '../src/db/embedded.ts';
import { openPool } from '../src/db/sql.ts';
import { checkReplays, checkWorldLog, type LoggedEvent } from './log-check.ts';
import type { LoggedMessage } from './message-log.ts';
import { orderInput } from './order-input.ts';
import {
  findFreePort,
  makeDataDir,
  type Ready,
  type ServerProcess,
  type ServerProcessOptions,
  startServerProcess,
} from './server-process.ts';
import { until } from './until.ts';

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 50);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const CLIENTS = 6;
/** A client waits so long between its writes, so that the machine is busy and not drowned. */
const PAUSE_MS = 5;
const PROGRESS_TIMEOUT_MS = 60_000;
const CATCH_UP_TIMEOUT_MS = 60_000;

/** A small generator (mulberry32), so that a run can be repeated by its seed. */
function createDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A server that a supervisor starts again on the same port whenever it is gone. */
class Phoenix {
  readonly #options: ServerProcessOptions;
  #process: ServerProcess;
  /** What it said when it was ready and ended without being killed: nothing, if it is as good as it should be. */
  readonly lastWords: string[] = [];
  /** What it said when it ended before it was ready, though nobody killed it. */
  readonly failedStarts: string[] = [];

  constructor(options: ServerProcessOptions) {
    this.#options = options;
    this.#process = this.#start();
  }

  #start(): ServerProcess {
    const started = startServerProcess(this.#options);
    let wasReady = false;
    started.ready.then(
      () => {
        wasReady = true;
      },
      () => {},
    );
    started.endedByItself.then(() => {
      (wasReady ? this.lastWords : this.failedStarts).push(started.complaints());
      this.#process = this.#start();
    });
    return started;
  }

  /** Ready now, however often it has to be started until then. */
  async ready(): Promise<Ready> {
    for (;;) {
      const current = this.#process;
      const ready = await current.ready.catch(() => null);
      if (ready !== null && current === this.#process) return ready;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Killed also while it starts. */
  async kill(): Promise<void> {
    await this.#process.kill();
    this.#process = this.#start();
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

interface Write {
  path: string;
  body: object;
  key: string;
}

/** What clients were told. */
interface Ledgered {
  /** reference → job id of the acknowledged create */
  created: Map<string, string>;
  /** client_event_id of each acknowledged transition */
  moved: Map<string, string>;
  /** Writes that were sent again because their outcome was not known. */
  repeated: number;
}

/** Sends one write until somebody acknowledges it: the same bytes under the same key, to whichever server answers. */
async function writeUntilKnown(urls: readonly string[], key: string, write: Write, told: Ledgered, dice: () => number) {
  for (;;) {
    const url = urls[Math.floor(dice() * urls.length)] ?? '';
    const reply = await fetch(url + write.path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': write.key },
      body: JSON.stringify(write.body),
      signal: AbortSignal.timeout(20_000),
    })
      .then(async (got) => ({ status: got.status, text: await got.text() }))
      .catch(() => null);
    if (reply !== null && reply.status < 300) return JSON.parse(reply.text) as { id?: string; job?: { id: string } };
    assert.ok(reply === null || reply.status >= 500, `${write.path} was refused: ${reply?.status} ${reply?.text}`);
    told.repeated += 1;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 10));
  }
}

async function runClient(
  name: string,
  channel_id: string,
  urls: readonly string[],
  key: string,
  told: Ledgered,
  dice: () => number,
  isOver: () => boolean,
) {
  for (let n = 0; !isOver(); n += 1) {
    const reference = `${name}-${n}`;
    const job = await writeUntilKnown(
      urls,
      key,
      { path: '/v1/jobs', body: orderInput(reference, { channel_id }), key: reference },
      told,
      dice,
    );
    const jobId = job.id ?? '';
    told.created.set(reference, jobId);
    if (n % 2 === 0) {
      const body = { to: 'cancelled', reason_code: 'cancelled_by_shipper', client_event_id: `${reference}-cancel` };
      const path = `/v1/jobs/${jobId}/transitions`;
      await writeUntilKnown(urls, key, { path, body, key: `${reference}-cancel` }, told, dice);
      told.moved.set(`${reference}-cancel`, jobId);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function killDatabase(dataDir: string): Promise<void> {
  const file = await readFile(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(file.split('\n')[0]);
  if (pid <= 1) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is down already, and somebody is starting it again.
  }
}

async function startMessageLog() {
  const child = fork(join(import.meta.dirname, 'message-log.ts'));
  after(() => child.kill('SIGKILL'));
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    url: `http://127.0.0.1:${port}/hooks`,
    async read(): Promise<LoggedMessage[]> {
      child.send('report');
      const [messages] = (await once(child, 'message')) as [LoggedMessage[]];
      return messages;
    },
  };
}

function checkAcknowledged(events: readonly LoggedEvent[], told: Ledgered): void {
  const created = new Map<string, string[]>();
  const cancelled = new Map<string, number>();
  for (const { type, data } of events) {
    if (data.job === undefined) continue;
    if (type === 'job.created')
      created.set(data.job.reference, [...(created.get(data.job.reference) ?? []), data.job.id]);
    if ('status' in data.changes && data.changes.status?.[1] === 'cancelled')
      cancelled.set(data.job.id, (cancelled.get(data.job.id) ?? 0) + 1);
  }
  for (const [reference, jobId] of told.created)
    assert.deepEqual(created.get(reference), [jobId], `the acknowledged job ${reference} is there exactly once`);
  for (const jobs of created.values()) assert.equal(jobs.length, 1, 'no job was made twice');
  for (const [clientEvent, jobId] of told.moved)
    assert.equal(cancelled.get(jobId), 1, `the acknowledged transition ${clientEvent} is there exactly once`);
}

/** Every event came; of each job, first arrivals came in order; each message names the one before it. */
function checkReceived(events: readonly LoggedEvent[], messages: readonly LoggedMessage[]): number {
  const owed = events.filter((event) => event.type.startsWith('job.'));
  const first = new Map<number, LoggedMessage>();
  const lastOfJob = new Map<string, number>();
  for (const message of messages) {
    if (first.has(message.sequence)) {
      assert.equal(message.id, first.get(message.sequence)?.id, 'a duplicate carries the same id');
      assert.equal(message.previous, first.get(message.sequence)?.previous, 'and names the same event before it');
      continue;
    }
    first.set(message.sequence, message);
    if (message.job_id === null) continue;
    const last = lastOfJob.get(message.job_id) ?? 0;
    assert.equal(message.job_sequence, last + 1, `event ${message.sequence} came in the order of its job`);
    lastOfJob.set(message.job_id, last + 1);
  }
  let previous: number | null = null;
  for (const { sequence, id } of owed) {
    const message = first.get(sequence);
    assert.equal(message?.id, id, `event ${sequence} was received`);
    assert.equal(message.previous, previous, `event ${sequence} names the one that was owed before it`);
    previous = sequence;
  }
  assert.equal(first.size, owed.length, 'nothing came that was not owed');
  return messages.length - first.size;
}

test(`${ROUNDS} kills under load lose nothing, repeat nothing and leave no gap`, async (t) => {
  t.diagnostic(`KILL_SEED=${SEED}`);
  const dice = createDice(SEED);
  const dataDir = await makeDataDir();
  const cluster = await startEmbedded({ dataDir, log: () => {} });
  after(() => cluster.stop());
  const ports = [await findFreePort(), await findFreePort(), await findFreePort()];
  const shape = { dataDir, env: {} };
  const first = new Phoenix({ ...shape, port: ports[0] ?? 0, roles: 'api,sender' });
  const { first_start: made, url } = await first.ready();
  assert.ok(made, 'the first start makes a tenant');
  const second = new Phoenix({ ...shape, port: ports[1] ?? 0, roles: 'api,sender' });
  const sender = new Phoenix({ ...shape, port: ports[2] ?? 0, roles: 'sender' });
  const urls = [url, (await second.ready()).url];
  const key = made.test_key;
  const log = await startMessageLog();
  const told: Ledgered = { created: new Map(), moved: new Map(), repeated: 0 };
  const endpoint = {
    path: '/v1/endpoints',
    body: { url: log.url, types: ['job.*'], start_at: 'beginning' },
    key: 'endpoint',
  };
  await writeUntilKnown(urls, key, endpoint, told, dice);

  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    runClient(`c${index}`, made.channel_id, urls, key, told, createDice(SEED + index + 1), () => isOver),
  );
  const broken = Promise.all(clients);
  broken.catch(() => {});
  const victims = [
    { name: 'server', kill: () => first.kill() },
    { name: 'server', kill: () => second.kill() },
    { name: 'sender', kill: () => sender.kill() },
    { name: 'database', kill: () => killDatabase(dataDir) },
  ];
  const killed: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    const victim = victims[Math.floor(dice() * victims.length)];
    await new Promise((resolve) => setTimeout(resolve, dice() * 400));
    await victim?.kill();
    killed[victim?.name ?? ''] = (killed[victim?.name ?? ''] ?? 0) + 1;
    // The load goes on before the next kill, or fifty kills would be one.
    const before = told.created.size;
    const progress = until(
      () => told.created.size > before,
      `a write after round ${round} (${victim?.name})`,
      PROGRESS_TIMEOUT_MS,
    );
    await Promise.race([progress, broken]);
  }
  isOver = true;
  await broken;
  t.diagnostic(
    `killed ${JSON.stringify(killed)}; ${told.created.size} jobs, ${told.moved.size} transitions, ${told.repeated} writes repeated`,
  );

  await Promise.all([first.ready(), second.ready(), sender.ready()]);
  const sql = openPool(cluster.address, { name: 'waypost test', connectionsMax: 2 });
  after(() => sql.end({ timeout: 1 }));
  const [world] = await sql<{ world_id: number }[]>`
    select world_id from worlds where tenant_id = ${made.tenant_id} and world = 'test'`;
  const worldId = world?.world_id ?? 0;
  const events = await checkWorldLog(sql, worldId);
  checkReplays(events);
  checkAcknowledged(events, told);
  const owed = events.filter((event) => event.type.startsWith('job.')).length;
  const messages = await until(
    async () => {
      const read = await log.read();
      return new Set(read.map((message) => message.sequence)).size >= owed ? read : null;
    },
    `all ${owed} messages`,
    CATCH_UP_TIMEOUT_MS,
  );
  const duplicates = checkReceived(events, messages);
  t.diagnostic(`${events.length} events, ${messages.length} messages, ${duplicates} of them sent again`);
  await Promise.all([first.stop(), second.stop(), sender.stop()]);
  const servers = [first, second, sender];
  const failedStarts = servers.flatMap((server) => server.failedStarts);
  assert.deepEqual(failedStarts, [], 'whoever starts while the database is away waits for it');
  const lastWords = servers.flatMap((server) => server.lastWords);
  assert.deepEqual(lastWords, [], 'no server that was ready ended without being killed');
});
