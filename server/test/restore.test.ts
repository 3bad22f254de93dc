// The drill: a server under load is backed up, goes on, somebody is erased, the data is destroyed, and everything is
// made again from the backup. What was acknowledged before the backup is there, who was erased stays erased, consumers
// are told, and sending goes on.

import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Waypost } from '../../sdk/src/waypost.ts';
import { deliveryOf, orderInput } from './order-input.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { runWords } from './say.ts';
import { findFreePort, makeDataDir, type ServerProcess, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

const CLIENTS = 4;
const BEFORE_BACKUP = 30;
const AFTER_BACKUP = 30;
const GONE = { name: 'Gunvor Gone', phone: '+46700000001' };

/** What the server said it had done. */
interface Told {
  created: Map<string, string>;
  cancelled: Set<string>;
}

let root = '';
let dataDir = '';
let backups = '';
let port = 0;
let server: ServerProcess;
let client: Waypost;
let channel_id = '';
let receiver: Receiver;
let told: Told;
/** What had been acknowledged when the backup was asked for. */
let atBackup: Told;
let goneId = '';
let seenBefore = 0;
let epoch = 0;
let lastSequence = 0;

const say = (...words: string[]) =>
  runWords(words, { WAYPOST_DATA_DIR: dataDir, WAYPOST_PORT: String(port), WAYPOST_BACKUP_DIR: backups });
const start = () => startServerProcess({ dataDir, port, roles: 'api,sender', env: { WAYPOST_BACKUP_DIR: backups } });

before(async () => {
  root = await makeDataDir();
  dataDir = join(root, 'data');
  backups = join(root, 'backups');
  port = await findFreePort();
  server = start();
  const { url, first_start } = await server.ready;
  assert.ok(first_start !== null);
  channel_id = first_start.channel_id;
  client = new Waypost({ url, key: first_start.test_key });
  receiver = await startReceiver();
  await client.endpoints.create({ url: `${receiver.url}/hook`, types: ['job.*'], start_at: 'beginning' });
});

after(async () => {
  // PostgreSQL of a killed server runs on until somebody leaves it.
  await say('doctor');
});

/** Orders and their cancellations, one after the other, until it is over. */
async function load(name: string, into: Told, isOver: () => boolean): Promise<void> {
  for (let n = 0; !isOver(); n += 1) {
    const reference = `${name}-${n}`;
    const job = await client.jobs.create(orderInput(reference, { channel_id }) as never);
    into.created.set(reference, job.id);
    if (n % 2 === 1) continue;
    await client.jobs.transition(job.id, { to: 'cancelled', reason_code: 'cancelled_by_shipper' });
    into.cancelled.add(job.id);
  }
}

test('a backup is made while the server works, and is whole', async () => {
  const order = orderInput('gone-1', {
    channel_id,
    deliveries: [{ ...deliveryOf(), contact: { ...GONE, contact_policy: { ways: [] } } }],
  });
  const job = await client.jobs.create(order as never);
  goneId = job.deliveries[0]?.contact?.customer_id ?? '';
  told = { created: new Map(), cancelled: new Set() };
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, (_, index) => load(`c${index}`, told, () => isOver));
  const working = Promise.all(clients);
  await Promise.race([working, until(() => told.created.size >= BEFORE_BACKUP, 'work before the backup')]);
  atBackup = { created: new Map(told.created), cancelled: new Set(told.cancelled) };
  const made = await say('backup', '--json');
  assert.equal(made.code, 0, made.err);
  assert.ok(told.created.size > atBackup.created.size, 'nobody waited for the backup');
  const { worlds } = JSON.parse(made.out) as { worlds: { world: string; sequence: number }[] };
  assert.ok((worlds.find(({ world }) => world === 'test')?.sequence ?? 0) >= atBackup.created.size);
  const checked = await say('backup', 'check');
  assert.match(checked.out, /is whole: \d+ files/, checked.err);

  const size = told.created.size;
  await Promise.race([working, until(() => told.created.size >= size + AFTER_BACKUP, 'work after the backup')]);
  isOver = true;
  await working;
  await client.customers.erase(goneId);
  seenBefore =
    (await until(() => (receiver.received.length > size ? receiver.received.length : null), 'messages')) ?? 0;
});

test('the master key is not in the backup, and who was erased stands beside it before the reply comes', async () => {
  const key = await readFile(join(dataDir, 'master.key'));
  const [set = ''] = (await readdir(backups)).filter((name) => name.endsWith('Z'));
  for (const file of await readdir(join(backups, set), { recursive: true, withFileTypes: true }))
    if (file.isFile())
      assert.equal(
        (await readFile(join(file.parentPath, file.name))).includes(key.toString().trim()),
        false,
        file.name,
      );
  const journal = await readFile(join(backups, 'erased.ndjson'), 'utf8');
  assert.deepEqual(
    journal
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).subject_id),
    [goneId],
  );
  assert.equal(journal.includes(GONE.name), false);
});

test('a running server, a database that is there, a missing key and a damaged file are refused, and nothing is touched', async () => {
  const running = await say('restore');
  assert.equal(running.code, 1);
  assert.match(running.err, /The server runs \(process \d+/);
  await server.kill();
  const there = await say('restore');
  assert.match(there.err, /There is a database in .*: nothing was changed\. Add --replace/);

  // The loss. Somebody kept the key.
  await cp(join(dataDir, 'master.key'), join(root, 'kept.key'));
  await rm(dataDir, { recursive: true, force: true });
  assert.match((await say('restore')).err, /sealed under a master key that is not here: put your copy of it at/);
  const other = await runWords(['restore', backups], {
    WAYPOST_DATA_DIR: dataDir,
    WAYPOST_MASTER_KEY: Buffer.alloc(32, 3).toString('base64'),
  });
  assert.match(other.err, /made with another master key than WAYPOST_MASTER_KEY holds/);

  const [set = ''] = (await readdir(backups)).filter((name) => name.endsWith('Z'));
  const damaged = join(root, 'damaged');
  await cp(join(backups, set), damaged, { recursive: true });
  await writeFile(join(damaged, 'data/PG_VERSION'), '19\n');
  const env = {
    WAYPOST_DATA_DIR: dataDir,
    WAYPOST_MASTER_KEY: (await readFile(join(root, 'kept.key'), 'utf8')).trim(),
  };
  for (const words of [
    ['restore', damaged],
    ['backup', 'check', damaged],
  ]) {
    const refused = await runWords(words, env);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /PG_VERSION is damaged/);
  }
  assert.deepEqual(
    (await readdir(dataDir)).filter((name) => name.startsWith('postgres')),
    [],
  );
});

test('restored: what was acknowledged before the backup is there, who was erased stays erased, the log verifies', async () => {
  await cp(join(root, 'kept.key'), join(dataDir, 'master.key'));
  const restored = await say('restore', '--json');
  assert.equal(restored.code, 0, restored.err);
  const { erased, worlds } = JSON.parse(restored.out) as {
    erased: number;
    worlds: { world: string; last_sequence: number; log_epoch: number }[];
  };
  assert.equal(erased, 1);
  const head = worlds.find(({ world }) => world === 'test');
  assert.ok((head?.log_epoch ?? 0) > 1);
  epoch = head?.log_epoch ?? 0;
  const doctor = await say('doctor');
  assert.equal(doctor.code, 0, doctor.out);

  server = start();
  assert.equal((await server.ready).first_start, null);
  for (const [reference, id] of atBackup.created)
    assert.equal((await client.jobs.getByReference(channel_id, reference)).id, id);
  for (const id of atBackup.cancelled) assert.equal((await client.jobs.get(id)).status, 'cancelled');
  const gone = await client.customers.get(goneId);
  assert.deepEqual([gone.name, gone.phone], [null, null]);
  assert.ok(gone.erased_at !== null);
  const events = await Array.fromAsync(client.events.iterate({ after: 0 }));
  assert.equal(JSON.stringify(events).includes(GONE.name), false, 'no event tells who it was');
  const at = head?.last_sequence ?? 0;
  lastSequence = at;
  const [first, second] = events.filter(({ sequence }) => sequence > at);
  assert.deepEqual([first?.type, first?.log_epoch, first?.data.last_sequence], ['log.restored', epoch, at]);
  assert.deepEqual([second?.type, second?.data.data_id], ['customer.erased', goneId]);
});

test('the receiver is told that the log was restored and gets what comes after, a lost order can be sent again', async () => {
  const lost = [...told.created].filter(([reference]) => !atBackup.created.has(reference)).at(-1);
  assert.ok(lost !== undefined);
  const [reference, oldId] = lost;
  const job = await client.jobs.create(orderInput(reference, { channel_id }) as never);
  assert.notEqual(job.id, oldId, 'it was lost with the data, and nothing remembers it');
  const later = () => receiver.received.slice(seenBefore).map(({ body }) => JSON.parse(body));
  await until(() => later().some(({ data }) => data.job?.id === job.id), 'the message of the new order');
  const restored = later().findIndex(({ type }) => type === 'log.restored');
  const created = later().findIndex(({ data }) => data.job?.id === job.id);
  assert.ok(restored >= 0 && restored < created, 'told before anything of the new epoch');
  assert.ok(
    later()
      .slice(restored)
      .every(({ log_epoch, sequence }) => log_epoch === epoch || sequence <= lastSequence),
    'nothing of what was lost comes after it',
  );
  const message = receiver.received.slice(seenBefore)[created];
  assert.equal(message?.headers['waypost-epochs'], `${epoch}:${lastSequence}`);
  await server.stop();
});
