// Random commands from several clients through two server processes into several worlds at once. Whatever order the
// machine makes of them, the log, the rows and the keys must agree. fast-check prints the seed of a run that fails.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { startEmbedded } from '../src/db/embedded.ts';
import { openPool, type Sql } from '../src/db/sql.ts';
import { checkReplays, checkWorldLog, type LoggedEvent } from './log-check.ts';
import { orderInput } from './order-input.ts';
import { findFreePort, makeDataDir, startServerProcess } from './server-process.ts';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 15);
const CLIENTS = 4;
const WORLDS = 3;

interface World {
  world_id: number;
  source_key: string;
  dispatch_key: string;
  driver_id: string;
  channel_id: string;
}

/** One request that a client sends. Small ranges, so that clients meet on the same jobs, references and keys. */
type Step =
  | { do: 'create'; world: number; job: number; variant: number; key: number | null }
  | {
      do: 'move';
      world: number;
      job: number;
      to: string;
      key: number | null;
      report: boolean;
      client_event: number | null;
    }
  | { do: 'delete'; world: number; job: number }
  | { do: 'customer'; world: number; customer: number; variant: number; key: number | null };

const world = fc.nat({ max: WORLDS - 1 });
const job = fc.nat({ max: 4 });
const key = fc.option(fc.nat({ max: 1 }), { freq: 3 });
const variant = fc.nat({ max: 1 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('create' as const), world, job, variant, key }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      world,
      job,
      to: fc.constantFrom('assigned', 'en_route', 'arrived', 'completed', 'failed', 'unassigned', 'cancelled'),
      key,
      report: fc.boolean(),
      client_event: fc.option(fc.nat({ max: 5 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), world, job }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('customer' as const), world, customer: fc.nat({ max: 2 }), variant, key }),
  },
);

interface Request {
  method: string;
  path: string;
  body: unknown;
  api_key: string;
}
interface Answer {
  step: Step;
  request: string;
  idempotency_key: string | null;
  correlation_id: string;
  status: number;
  text: string;
  replayed: boolean;
}

let sql: Sql;
let urls: string[];
let worlds: World[];
const main = join(import.meta.dirname, '../src/main.ts');

/** Two server processes on one database. */
async function startHouse(): Promise<void> {
  const dataDir = await makeDataDir();
  const cluster = await startEmbedded({ dataDir, log: () => {}, settings: { fsync: 'off' } });
  after(() => cluster.stop());
  const first = startServerProcess({ dataDir, port: await findFreePort(), roles: 'api' });
  const { url } = await first.ready;
  const second = startServerProcess({ dataDir, port: await findFreePort(), roles: 'api' });
  urls = [url, (await second.ready).url];
  after(() => Promise.all([first.stop(), second.stop()]));
  sql = openPool(cluster.address, { name: 'waypost test', connectionsMax: 2 });
  after(() => sql.end({ timeout: 1 }));
  worlds = [];
  for (let n = 0; n < WORLDS; n += 1) worlds.push(await makeWorld(dataDir, `Tenant ${n}`));
}

/** A tenant made by the operator's words, beside the running servers. */
async function makeWorld(dataDir: string, name: string): Promise<World> {
  const operate = async (...words: string[]) => {
    const { PATH = '', HOME = '' } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, [main, ...words, '--json'], {
      env: { PATH, HOME, WAYPOST_DATA_DIR: dataDir },
    });
    return JSON.parse(stdout) as Record<string, string>;
  };
  const tenant = await operate('tenant', 'create', name, '--hub', 'Hub,57.70,11.94,Europe/Stockholm');
  const tenantId = tenant.tenant_id ?? '';
  const dispatch = await operate('key', 'create', 'dispatch', '--tenant', tenantId, '--authority', 'dispatch');
  const [row] = await sql<{ world_id: number }[]>`
    select world_id from worlds where tenant_id = ${tenantId} and world = 'test'`;
  const dispatchKey = dispatch.secret ?? dispatch.key ?? '';
  const reply = await fetch(`${urls[0]}/v1/drivers`, {
    method: 'POST',
    headers: { authorization: `Bearer ${dispatchKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Driver' }),
  });
  const driver = (await reply.json()) as { id: string };
  assert.equal(reply.status, 201, JSON.stringify(driver));
  return {
    world_id: row?.world_id ?? 0,
    source_key: tenant.test_key ?? '',
    dispatch_key: dispatchKey,
    driver_id: driver.id,
    channel_id: tenant.channel_id ?? '',
  };
}

/** What a step asks for, given the jobs that this run has made so far. Null: there is nothing to ask about yet. */
function requestOf(step: Step, run: string, jobs: ReadonlyMap<string, string>): Request | null {
  const world = worlds[step.world];
  if (world === undefined) return null;
  if (step.do === 'create') {
    const body = orderInput(`${run}-${step.job}`, {
      channel_id: world.channel_id,
      priority: step.variant === 0 ? 'standard' : 'urgent',
    });
    return { method: 'POST', path: '/v1/jobs', body, api_key: world.source_key };
  }
  if (step.do === 'customer') {
    const body = { external_id: `${run}-${step.customer}`, name: step.variant === 0 ? 'Ada' : 'Grace' };
    return { method: 'POST', path: '/v1/customers', body, api_key: world.source_key };
  }
  const jobId = jobs.get(`${step.world}/${step.job}`);
  if (jobId === undefined) return null;
  if (step.do === 'delete')
    return { method: 'DELETE', path: `/v1/jobs/${jobId}`, body: undefined, api_key: world.source_key };
  const body = {
    to: step.to,
    ...(step.to === 'assigned' && { driver_id: world.driver_id }),
    ...(step.to === 'completed' && { outcome: 'delivered_to_recipient' }),
    ...(['failed', 'unassigned', 'cancelled'].includes(step.to) && { reason_code: 'recipient_unavailable' }),
    ...(step.report && { report: true, occurred_at: '2026-11-21T12:00:00.000Z' }),
    ...(step.client_event !== null && { client_event_id: `${run}-${step.client_event}` }),
  };
  return { method: 'POST', path: `/v1/jobs/${jobId}/transitions`, body, api_key: world.dispatch_key };
}

/** Keys belong to what a step is about, so that some repeat a request and some stand for another one. */
function keyOf(step: Step, run: string): string | null {
  if (step.do === 'delete' || step.key === null) return null;
  const about = step.do === 'customer' ? step.customer : step.job;
  return `${run}-${step.do}-${about}-${step.do === 'move' ? step.to : ''}-${step.key}`;
}

async function runClient(
  client: number,
  run: string,
  mine: readonly Step[],
  jobs: Map<string, string>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const [n, step] of mine.entries()) {
    const request = requestOf(step, run, jobs);
    if (request === null) continue;
    const correlation_id = `${run}-${client}-${n}`;
    const idempotency_key = keyOf(step, run);
    const reply = await fetch(`${urls[(client + n) % urls.length]}${request.path}`, {
      method: request.method,
      headers: {
        authorization: `Bearer ${request.api_key}`,
        'x-correlation-id': correlation_id,
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
        ...(idempotency_key !== null && { 'idempotency-key': idempotency_key }),
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
    });
    const text = await reply.text();
    if (step.do === 'create' && reply.ok)
      jobs.set(`${step.world}/${step.job}`, (JSON.parse(text) as { id: string }).id);
    answers.push({
      step,
      request: `${request.api_key} ${request.method} ${request.path} ${JSON.stringify(request.body)}`,
      idempotency_key: idempotency_key === null ? null : `${request.api_key} ${idempotency_key}`,
      correlation_id,
      status: reply.status,
      text,
      replayed: reply.headers.get('idempotent-replayed') === 'true',
    });
  }
  return answers;
}

/** A key executes once: one reply is the first, all other accepted ones are that reply again, byte for byte. */
function checkKeys(answers: readonly Answer[], executed: ReadonlySet<string>): void {
  const byKey = Map.groupBy(
    answers.filter((answer) => answer.idempotency_key !== null),
    (answer) => answer.idempotency_key,
  );
  for (const [name, all] of byKey) {
    const accepted = all.filter((answer) => answer.status < 300);
    const first = accepted.filter((answer) => !answer.replayed);
    if (accepted.length === 0) continue;
    assert.equal(first.length, 1, `the key ${name} executed ${first.length} times`);
    for (const answer of accepted) {
      assert.equal(answer.request, first[0]?.request, `the key ${name} stood for two requests`);
      assert.equal(answer.text, first[0]?.text, `a repeat under ${name} was answered otherwise`);
      if (answer.replayed) assert.ok(!executed.has(answer.correlation_id), `a repeat under ${name} wrote events`);
    }
  }
}

/** What was refused wrote nothing; what was made anew wrote something. */
function checkWrites(answers: readonly Answer[], executed: ReadonlySet<string>): void {
  for (const { status, text, correlation_id, step, replayed } of answers) {
    assert.ok(status < 500, `${JSON.stringify(step)} was answered ${status}: ${text}`);
    if (status >= 400)
      assert.ok(!executed.has(correlation_id), `${JSON.stringify(step)} was refused and wrote events: ${text}`);
    if (status === 201 && !replayed)
      assert.ok(executed.has(correlation_id), `${JSON.stringify(step)} made something without an event`);
  }
}

test('any commands from any clients leave gapless, chained, replayable logs in which each key executed once', async (t) => {
  await startHouse();
  let runs = 0;
  const seen = { answers: 0, accepted: 0, replayed: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 60, maxLength: 160, size: 'max' }), async (all) => {
      const run = `run${runs++}`;
      const jobs = new Map<string, string>();
      const shares = Array.from({ length: CLIENTS }, (_, client) => all.filter((_step, n) => n % CLIENTS === client));
      const answers = (await Promise.all(shares.map((mine, client) => runClient(client, run, mine, jobs)))).flat();
      const events: LoggedEvent[] = [];
      for (const { world_id } of worlds) {
        const log = await checkWorldLog(sql, world_id);
        checkReplays(log);
        events.push(...log);
      }
      const executed = new Set(events.map((event) => event.correlation_id));
      checkWrites(answers, executed);
      checkKeys(answers, executed);
      seen.answers += answers.length;
      seen.accepted += answers.filter((answer) => answer.status < 300).length;
      seen.replayed += answers.filter((answer) => answer.replayed).length;
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  t.diagnostic(`${seen.answers} requests, ${seen.accepted} accepted, ${seen.replayed} of them repeats`);
  assert.ok(seen.accepted > seen.answers / 10 && seen.replayed > 0, 'the commands did something');
});
