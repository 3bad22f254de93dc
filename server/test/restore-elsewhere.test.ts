// From the embedded database to a PostgreSQL of one's own: a backup is restored into an empty database there by a user who
// is nothing but its owner, and a server goes on with it: every job, event, endpoint and key.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Waypost } from '../../sdk/src/waypost.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { openPool } from '../src/db/sql.ts';
import { orderInput } from './order-input.ts';
import { startReceiver } from './receiver.ts';
import { runWords } from './say.ts';
import { findFreePort, makeDataDir, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

const JOBS = 30;

test('a backup of the embedded database is restored into a PostgreSQL of one’s own, and everything goes on there', async (t) => {
  const root = await makeDataDir();
  const [dataDir, backups] = [join(root, 'data'), join(root, 'backups')];
  const port = await findFreePort();
  const shape = { dataDir, port, roles: 'api,sender' as const };
  const first = startServerProcess({ ...shape, env: { WAYPOST_BACKUP_DIR: backups } });
  const { url, first_start } = await first.ready;
  const client = new Waypost({ url, key: first_start?.test_key ?? '' });
  const receiver = await startReceiver();
  await client.endpoints.create({ url: `${receiver.url}/hook`, types: ['job.*'], start_at: 'beginning' });
  const channel_id = first_start?.channel_id ?? '';
  const made = await Promise.all(
    Array.from({ length: JOBS }, (_, n) => client.jobs.create(orderInput(`here-${n}`, { channel_id }) as never)),
  );
  await until(() => receiver.received.length > JOBS, 'the test and the messages of all jobs');
  const events = await Array.fromAsync(client.events.iterate({ after: 0 }));
  const own = { WAYPOST_DATA_DIR: dataDir, WAYPOST_BACKUP_DIR: backups };
  assert.equal((await runWords(['backup'], own)).code, 0);
  await first.stop();

  const hostPort = await findFreePort();
  const host = await startEmbedded({
    dataDir: join(root, 'host'),
    log: () => {},
    settings: { listen_addresses: '127.0.0.1', port: String(hostPort), shared_buffers: '16MB' },
  });
  t.after(() => host.stop());
  const admin = openPool(host.address, { name: 'waypost test', connectionsMax: 1 });
  t.after(() => admin.end({ timeout: 1 }));
  await admin`create role keeper login password 'word'`;
  await admin`create database delivery owner keeper`;
  const DATABASE_URL = `postgres://keeper:word@127.0.0.1:${hostPort}/delivery`;

  const wrong = await runWords(['restore', '--to', 'mysql://x/y'], own);
  assert.match(wrong.err, /--to must be a URL like postgres:/);
  const restored = await runWords(['restore', '--to', DATABASE_URL, '--json'], own);
  assert.equal(restored.code, 0, restored.err);
  const { worlds } = JSON.parse(restored.out) as { worlds: { world: string; last_sequence: number }[] };
  assert.equal(worlds.find(({ world }) => world === 'test')?.last_sequence, events.at(-1)?.sequence);
  const again = await runWords(['restore', '--to', DATABASE_URL], own);
  assert.match(again.err, /There are tenants in 127\.0\.0\.1:\d+\/delivery: nothing was changed/);

  // What was embedded is not needed any more, but for the key.
  await rm(join(dataDir, 'postgres'), { recursive: true });
  const doctor = await runWords(['doctor'], { ...own, DATABASE_URL });
  assert.equal(doctor.code, 0, doctor.out);
  const second = startServerProcess({ ...shape, env: { DATABASE_URL } });
  assert.equal((await second.ready).first_start, null);
  for (const { id, reference } of made) assert.equal((await client.jobs.getByReference(channel_id, reference)).id, id);
  const there = await Array.fromAsync(client.events.iterate({ after: 0 }));
  assert.deepEqual(there.slice(0, events.length), events);
  assert.equal(there[events.length]?.type, 'log.restored');
  const next = await client.jobs.create(orderInput('there-1', { channel_id }) as never);
  await until(
    () => receiver.received.some(({ body }) => body.includes(next.id)),
    'the endpoint to be told of what happens there',
  );
  const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
  assert.equal(new Set(ids).size, ids.length, 'nothing is sent twice');
  await second.stop();
});
