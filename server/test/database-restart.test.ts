// The database is restarted under load, politely and at once, its own and an embedded one: writes wait or are refused with
// a sentence, nothing acknowledged is lost, messages go on, and a server that is just starting waits too.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Waypost } from '../../sdk/src/waypost.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { openPool, type Sql } from '../src/db/sql.ts';
import { checkWorldLog } from './log-check.ts';
import { orderInput } from './order-input.ts';
import { startReceiver } from './receiver.ts';
import { findFreePort, makeDataDir, type Ready, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

const CLIENTS = 3;
const WAIT_MS = 60_000;
/** What PostgreSQL is told: cut everybody off and stop in order, or stop this instant and recover afterwards. */
const MODES = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** The orders of some clients that go on whatever happens. */
class Load {
  readonly acknowledged = new Map<string, string>();
  readonly refusals = new Map<string, number>();
  readonly #ready: Ready;
  #isOver = false;
  readonly #working: Promise<unknown>;

  constructor(ready: Ready) {
    this.#ready = ready;
    this.#working = Promise.all(Array.from({ length: CLIENTS }, (_, index) => this.#work(`c${index}`)));
    this.#working.catch(() => {});
  }

  async #work(name: string): Promise<void> {
    const { url, first_start } = this.#ready;
    for (let n = 0; !this.#isOver; n += 1) {
      const reference = `${name}-${n}`;
      const reply = await fetch(`${url}/v1/jobs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${first_start?.test_key}`, 'content-type': 'application/json' },
        body: JSON.stringify(orderInput(reference, { channel_id: first_start?.channel_id })),
        signal: AbortSignal.timeout(WAIT_MS),
      });
      const body = (await reply.json()) as { id: string; code?: string };
      if (reply.status === 201) this.acknowledged.set(reference, body.id);
      else {
        const refusal = `${reply.status} ${body.code}`;
        this.refusals.set(refusal, (this.refusals.get(refusal) ?? 0) + 1);
      }
    }
  }

  /** Waits for so many more acknowledgements. */
  async goOn(count: number): Promise<void> {
    const size = this.acknowledged.size;
    const progress = until(() => this.acknowledged.size >= size + count, 'orders to be taken', WAIT_MS);
    await Promise.race([progress, this.#working]);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#working;
  }
}

async function restart(cluster: string, mode: keyof typeof MODES, sql: Sql): Promise<void> {
  const read = async () =>
    (await sql<{ at: Date }[]>`select pg_postmaster_start_time() as at`.catch(() => []))[0]?.at.getTime();
  const before = await read();
  const pid = Number((await readFile(join(cluster, 'data/postmaster.pid'), 'utf8')).split('\n')[0]);
  process.kill(pid, MODES[mode]);
  await until(
    async () => {
      const now = await read();
      return now !== undefined && now !== before;
    },
    `the database after a ${mode} restart`,
    WAIT_MS,
  );
}

for (const kind of ['embedded', "one's own"] as const) {
  test(`restarts of ${kind} database lose nothing, and whoever starts meanwhile waits`, async (t) => {
    const root = await makeDataDir();
    const external = kind === 'embedded' ? {} : { listen_addresses: '127.0.0.1', port: String(await findFreePort()) };
    const dataDir = join(root, 'data');
    // Held here too, so that somebody starts a database of one's own again.
    const database = await startEmbedded({
      dataDir: kind === 'embedded' ? dataDir : join(root, 'own'),
      log: () => {},
      settings: external,
    });
    const { user = '', password = '', port } = database.address;
    const env: Record<string, string> =
      kind === 'embedded' ? {} : { DATABASE_URL: `postgres://${user}:${password}@127.0.0.1:${port}/waypost` };
    const shape = { dataDir, roles: 'api,sender' as const, env };
    const server = startServerProcess({ ...shape, port: await findFreePort() });
    const ready = await server.ready;
    const sql = openPool(database.address, { name: 'waypost test', connectionsMax: 2 });
    t.after(async () => {
      await sql.end({ timeout: 1 });
      await database.stop();
    });
    const receiver = await startReceiver();
    const client = new Waypost({ url: ready.url, key: ready.first_start?.test_key ?? '', triesMax: 1 });
    await client.endpoints.create({ url: `${receiver.url}/hook`, types: ['job.*'], start_at: 'beginning' });
    const load = new Load(ready);
    t.after(() => load.end().catch(() => {}));
    await load.goOn(10);
    for (const mode of ['fast', 'immediate'] as const) {
      const cluster = join(kind === 'embedded' ? dataDir : join(root, 'own'), 'postgres');
      const early = startServerProcess({ ...shape, port: await findFreePort() });
      const restarted = restart(cluster, mode, sql);
      const late = startServerProcess({ ...shape, port: await findFreePort() });
      await restarted;
      await load.goOn(5);
      for (const other of [early, late]) {
        assert.equal((await other.ready).first_start, null);
        await other.stop();
      }
    }
    await load.end();

    t.diagnostic(`${load.acknowledged.size} orders; refusals ${JSON.stringify(Object.fromEntries(load.refusals))}`);
    assert.deepEqual(
      [...load.refusals.keys()].filter((refusal) => !/^503 (busy|not_ready|outcome_unknown)$/.test(refusal)),
      [],
    );
    const [world] = await sql<{ world_id: number }[]>`
      select world_id from worlds where tenant_id = ${ready.first_start?.tenant_id ?? ''} and world = 'test'`;
    const events = await checkWorldLog(sql, world?.world_id ?? 0);
    const owed = events.filter(({ type }) => type === 'job.created');
    for (const [reference, id] of load.acknowledged)
      assert.deepEqual(
        owed.flatMap(({ data }) => (data.job?.reference === reference ? [data.job.id] : [])),
        [id],
      );
    const came = () => new Set(receiver.received.map(({ headers }) => headers['webhook-id']));
    await until(() => owed.every(({ id }) => came().has(id)), 'all messages', WAIT_MS);
    await server.stop();
  });
}
