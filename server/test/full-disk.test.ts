// The disk of the embedded database runs full: writing stops in time, and when it did not, nothing that was acknowledged
// is lost. Everything goes on by itself when there is room again.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Waypost } from '../../sdk/src/waypost.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { openPool } from '../src/db/sql.ts';
import { checkWorldLog } from './log-check.ts';
import { orderInput } from './order-input.ts';
import { startReceiver } from './receiver.ts';
import { runWords } from './say.ts';
import { findFreePort, type Ready, type ServerProcess, startServerProcess } from './server-process.ts';
import { fillDisk, mountSmallDisk } from './small-disk.ts';
import { until } from './until.ts';

const MEGABYTE = 1024 ** 2;
const DISK_MB = 700;
const FREE_MIN_MB = 150;
const WAIT_MS = 60_000;

const disk = mountSmallDisk(DISK_MB);

interface Started {
  dataDir: string;
  server: ServerProcess;
  ready: Ready;
  made: NonNullable<Ready['first_start']>;
  client: Waypost;
  post(reference: string): Promise<{ status: number; body: Record<string, string>; retryAfter: string | null }>;
}

async function startOn(path: string, name: string, freeMinMb: number): Promise<Started> {
  const dataDir = join(path, name);
  await mkdir(dataDir, { mode: 0o755 });
  const port = await findFreePort();
  const env = { WAYPOST_FREE_MIN_MB: String(freeMinMb), WAYPOST_LOG_LEVEL: 'error' };
  const server = startServerProcess({ dataDir, port, roles: 'api,sender', env });
  const ready = await server.ready;
  const made = ready.first_start;
  assert.ok(made !== null);
  const { channel_id, test_key } = made;
  return {
    dataDir,
    server,
    ready,
    made,
    client: new Waypost({ url: ready.url, key: test_key, triesMax: 1 }),
    async post(reference) {
      const reply = await fetch(`${ready.url}/v1/jobs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${test_key}`, 'content-type': 'application/json' },
        body: JSON.stringify(orderInput(reference, { channel_id })),
        signal: AbortSignal.timeout(WAIT_MS),
      });
      return {
        status: reply.status,
        body: (await reply.json()) as Record<string, string>,
        retryAfter: reply.headers.get('retry-after'),
      };
    },
  };
}

if (disk.kind === 'nowhere') {
  test('a disk that runs full', { skip: `NOT RUN: no small file system can be had here (${disk.why})` });
} else if (disk.kind === 'elsewhere') {
  test('a disk that runs full, in a namespace where it can be mounted', async () => {
    const { ok, said } = await disk.run(import.meta.filename);
    assert.ok(ok, said);
  });
} else {
  test('below the limit writing stops with a sentence; reading, pull and sending go on; with room writing does too', async () => {
    const { dataDir, server, made, client, post } = await startOn(disk.path, 'guarded', FREE_MIN_MB);
    const receiver = await startReceiver();
    // The second message of the job waits for the answer to the first.
    receiver.answer((request) => {
      const isFirst = JSON.parse(request.body).type === 'job.created';
      return { status: 204, after_ms: isFirst ? 4_000 : 0 };
    });
    await client.endpoints.create({ url: `${receiver.url}/hook`, types: ['job.*'], start_at: 'now' });
    await until(
      async () => (await client.endpoints.list()).data.every(({ status }) => status === 'active'),
      'the endpoint',
    );
    const job = await client.jobs.create(orderInput('before', { channel_id: made.channel_id }) as never);
    await client.jobs.transition(job.id, { to: 'cancelled', reason_code: 'cancelled_by_shipper' });
    const empty = await fillDisk(dataDir, (FREE_MIN_MB / 2) * MEGABYTE);

    const refused = await until(async () => {
      const answer = await post(`full-${process.hrtime.bigint()}`);
      return answer.status === 201 ? null : answer;
    }, 'a refusal');
    assert.deepEqual([refused.status, refused.body.code, refused.retryAfter], [503, 'storage_full', '30']);
    assert.match(refused.body.detail ?? '', /has \d+ MB left, and writing stops below 150 MB\. Nothing was written/);
    const { sequence } = (await Array.fromAsync(client.events.iterate({ after: 0 }))).at(-1) ?? { sequence: 0 };
    assert.equal((await client.jobs.get(job.id)).status, 'cancelled');
    await until(
      () => receiver.received.some(({ body }) => JSON.parse(body).data.job?.status === 'cancelled'),
      'the message that waited',
    );
    const doctor = await runWords(['doctor'], { WAYPOST_DATA_DIR: dataDir, WAYPOST_FREE_MIN_MB: String(FREE_MIN_MB) });
    assert.match(doctor.out, /fault +disk +\d+ MB free for .*\. Writing stops below 150 MB/);
    assert.equal((await Array.fromAsync(client.events.iterate({ after: sequence }))).length, 0, 'nothing was written');

    await empty();
    await until(async () => (await post('after')).status === 201, 'writing to go on');
    await server.stop();
  });

  test('when the disk is full to the last byte nothing acknowledged is lost, and it goes on without hands', async (t) => {
    const { dataDir, server, made, post } = await startOn(disk.path, 'full', 0);
    const acknowledged = new Map<string, string>();
    const refusals = new Map<string, number>();
    let isOver = false;
    const client = async (name: string) => {
      for (let n = 0; !isOver; n += 1) {
        const { status, body } = await post(`${name}-${n}`);
        if (status === 201) acknowledged.set(`${name}-${n}`, body.id ?? '');
        else refusals.set(`${status} ${body.code}`, (refusals.get(`${status} ${body.code}`) ?? 0) + 1);
      }
    };
    const working = Promise.all([client('a'), client('b'), client('c')]);
    await Promise.race([working, until(() => acknowledged.size >= 20, 'orders before')]);
    const embedded = await startEmbedded({ dataDir, log: () => {} });
    const sql = openPool(embedded.address, { name: 'waypost test', connectionsMax: 1 });
    // Before the disk is taken away, on which it runs.
    t.after(async () => {
      await sql.end({ timeout: 1 });
      await embedded.stop();
    });
    const [before] = await sql<{ at: Date }[]>`select pg_postmaster_start_time() as at`;
    const empty = await fillDisk(dataDir, 0);
    // Its log goes on in a new file, for which there is no room: PostgreSQL stops at once, and cannot start.
    const isDown = () =>
      sql`select pg_switch_wal()`.then(
        () => false,
        () => true,
      );
    await until(isDown, 'the database to stop', WAIT_MS);
    const refusedAt = [...refusals.values()].reduce((sum, count) => sum + count, 0);
    await until(
      () => [...refusals.values()].reduce((sum, count) => sum + count, 0) > refusedAt,
      'a refusal while it is down',
      WAIT_MS,
    );
    await empty();
    const size = acknowledged.size;
    await until(() => acknowledged.size > size + 10, 'orders to be taken again', WAIT_MS);
    isOver = true;
    await working;
    t.diagnostic(`${acknowledged.size} orders; refusals ${JSON.stringify(Object.fromEntries(refusals))}`);

    const [restarted] = await sql<{ at: Date }[]>`select pg_postmaster_start_time() as at`;
    t.diagnostic(
      restarted?.at.getTime() === before?.at.getTime() ? 'the database recovered' : 'the database was started again',
    );
    const allowed = /^503 (storage_full|busy|outcome_unknown|not_ready)$/;
    assert.deepEqual(
      [...refusals.keys()].filter((refusal) => !allowed.test(refusal)),
      [],
      server.complaints(),
    );
    const [world] = await sql<{ world_id: number }[]>`
      select world_id from worlds where tenant_id = ${made.tenant_id} and world = 'test'`;
    const events = await checkWorldLog(sql, world?.world_id ?? 0);
    const created = events.flatMap(({ type, data }) => (type === 'job.created' && data.job ? [data.job] : []));
    for (const [reference, id] of acknowledged)
      assert.deepEqual(
        created.filter((job) => job.reference === reference).map((job) => job.id),
        [id],
        `the acknowledged order ${reference} is there once`,
      );
    await server.stop();
  });
}
