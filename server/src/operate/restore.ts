// The word `restore`: a database made again from a backup, in its place or in a PostgreSQL of one's own, and what has to
// follow when it was done by other means. It is made beside its place and takes it only when everything is done: files
// checked, log replayed, a new epoch opened, the erased erased again.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, readDatabaseUrl } from '../config.ts';
import { copyDatabase } from '../db/copy-database.ts';
import { MAJOR_VERSION } from '../db/embedded-cluster.ts';
import { replaceCluster, runBeside } from '../db/embedded-restore.ts';
import { readMigrations } from '../db/migrate.ts';
import { prepareDatabase } from '../db/prepare.ts';
import { openPool } from '../db/sql.ts';
import { StartError } from '../db/start-error.ts';
import { type ErasedPerson, readEraseJournal } from '../ledger/erase-journal.ts';
import { requireAlone, requireStopped } from './alone.ts';
import { findSet, journalPathOf, placeOfBackups } from './backup-place.ts';
import { damaged, type Manifest, readManifest, showBytes, startProgress } from './backup-set.ts';
import { copyFiles } from './copy-files.ts';
import { findMasterKey, fingerprintOf } from './master-key.ts';
import { openWaypost } from './open.ts';
import { hasTenants } from './operator.store.ts';
import { type Reopened, reopenLogs } from './reopen.ts';
import type { Told, WordCall } from './word.ts';

export async function restoreByWord(call: WordCall): Promise<Told> {
  const { config, options, names, tell } = call;
  if (options.reopen !== undefined) return reopenByWord(call);
  if (options.to !== undefined) return restoreElsewhereByWord(call, options.to);
  const { set, journal } = await findSet(placeOfBackups(config, names[0], 'restore'));
  const manifest = await readManifest(set);
  if (config.databaseUrl !== null)
    throw new StartError(
      'DATABASE_URL is set: bring that database back by its own means, then say waypost restore --reopen; or unset it to restore into the embedded database, or into another one with --to URL.',
    );
  const masterKey = await requireMasterKey(config, manifest);
  await requireKnown(manifest);
  await requireStopped(config);
  const people = await readPeople([journal, journalPathOf(config)]);
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  tell(`Restoring ${set}, made at ${manifest.made_at} (${showBytes(bytes)}).`);
  let reopened: Reopened | null = null;
  const { home, aside } = await replaceCluster({
    dataDir: config.dataDir,
    log: tell,
    replaces: options.replace !== undefined,
    aside: 'before-restore',
    fill: (to) => layFiles(set, manifest, to, startProgress('Copied', bytes, tell)),
    settle: async ({ address }) => {
      tell('Copied. Going on from the moment of the backup: a new epoch of each log, and who was erased since.');
      const masterKeyFingerprint = fingerprintOf(masterKey);
      const { addresses, applied } = await prepareDatabase(address, { now: new Date(), masterKeyFingerprint });
      reopened = await reopenLogs({ addresses, masterKey, applied, close: async () => {} }, manifest.made_at, people);
    },
  });
  if (reopened === null) throw new Error('the database was put in its place before it was settled');
  return tellRestored(manifest, reopened, home, aside);
}

/** Into a PostgreSQL of one's own: the backup runs beside the place of the embedded database, and its rows are copied. */
async function restoreElsewhereByWord({ config, options, names, tell }: WordCall, url: string): Promise<Told> {
  if (options.replace !== undefined)
    throw new StartError('--to takes no --replace: the database that it names has to be empty.');
  const target: Config = { ...config, databaseUrl: readDatabaseUrl('--to', url) };
  const { set, journal } = await findSet(placeOfBackups(config, names[0], 'restore'));
  const manifest = await readManifest(set);
  const masterKey = await requireMasterKey(config, manifest);
  await requireKnown(manifest);
  const people = await readPeople([journal, journalPathOf(config)]);
  const { host, pathname } = new URL(url);
  const where = `${host}${pathname}`;
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const opened = await openWaypost(target, tell);
  const to = openPool(opened.addresses.owner, { name: 'waypost restore', connectionsMax: 2 });
  try {
    if (await hasTenants(to))
      throw new StartError(`There are tenants in ${where}: nothing was changed. Give an empty database.`);
    tell(`Restoring ${set}, made at ${manifest.made_at} (${showBytes(bytes)}), into ${where}.`);
    await runBeside({
      dataDir: config.dataDir,
      log: tell,
      fill: (home) => layFiles(set, manifest, home, startProgress('Copied', bytes, tell)),
      settle: async ({ address }) => {
        await prepareDatabase(address, { now: new Date(), masterKeyFingerprint: fingerprintOf(masterKey) });
        const from = openPool(address, { name: 'waypost restore', connectionsMax: 2 });
        const onBytes = startProgress('Sent', bytes, tell);
        await copyDatabase(from, to, onBytes).finally(() => from.end({ timeout: 1 }));
      },
    });
    tell('Sent. Going on from the moment of the backup: a new epoch of each log, and who was erased since.');
    const reopened = await reopenLogs(opened, manifest.made_at, people).catch((cause: unknown) => {
      throw new StartError(
        `Everything was sent to ${where}, but its logs were not opened again: before a server starts on it, say waypost restore --reopen with DATABASE_URL set to it.`,
        { cause },
      );
    });
    return tellRestored(manifest, reopened, where, null);
  } finally {
    await to.end({ timeout: 1 });
    await opened.close();
  }
}

/** A database of one's own that came back from an earlier moment, by a backup of its own or by promoting a replica. */
async function reopenByWord({ config, options, names, tell }: WordCall): Promise<Told> {
  if (names.length > 0 || options.replace !== undefined)
    throw new StartError('--reopen takes no directory and no --replace: the database is the one of DATABASE_URL.');
  if (config.databaseUrl === null)
    throw new StartError(
      '--reopen is for a database of DATABASE_URL: waypost restore DIR does it for the embedded one.',
    );
  const opened = await openWaypost(config, tell);
  try {
    await requireAlone(opened.addresses.owner);
    const people = await readPeople([journalPathOf(config)]);
    const { worlds, erased, unknown } = await reopenLogs(opened, null, people);
    const lines = [
      'The logs go on from where the database came back to:',
      ...tellReopened({ worlds, erased, unknown }),
      ...WHAT_IS_LOST,
    ];
    return { lines, value: { worlds, erased, unknown } };
  } finally {
    await opened.close();
  }
}

async function requireMasterKey(config: Config, manifest: Manifest): Promise<Buffer> {
  const key = await findMasterKey(config);
  const path = join(config.dataDir, 'master.key');
  if (key === null)
    throw new StartError(
      `The backup is sealed under a master key that is not here: put your copy of it at ${path}, or set WAYPOST_MASTER_KEY, and say it again.`,
    );
  if (fingerprintOf(key) === manifest.master_key) return key;
  const where = config.masterKey === null ? path : 'WAYPOST_MASTER_KEY';
  throw new StartError(
    `The backup was made with another master key than ${where} holds: give the one it was made with.`,
  );
}

async function requireKnown({ migrations, postgres, waypost, kind }: Manifest): Promise<void> {
  const known = new Set((await readMigrations()).map(({ name }) => name));
  const unknown = migrations.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new StartError(
      `The backup is newer than this program (it has seen ${unknown}): restore it with Waypost ${waypost} or a later one.`,
    );
  if (kind === 'files' && postgres.split('.')[0] !== MAJOR_VERSION)
    throw new StartError(
      `The backup was made by PostgreSQL ${postgres} and this Waypost brings PostgreSQL ${MAJOR_VERSION}: restore it with a Waypost that brings PostgreSQL ${postgres.split('.')[0]}, such as ${waypost}.`,
    );
}

/** Each person once, from the journal beside the backup and that of the settings. */
async function readPeople(paths: readonly string[]): Promise<ErasedPerson[]> {
  const people = new Map<string, ErasedPerson>();
  for (const path of new Set(paths))
    for (const person of await readEraseJournal(path))
      people.set(`${person.tenant_id}/${person.world}/${person.subject_id}`, person);
  return [...people.values()];
}

/** Every file is compared with the manifest as it is copied. */
async function layFiles(set: string, manifest: Manifest, to: string, onBytes: (bytes: number) => void): Promise<void> {
  const expected = new Map(manifest.files.map((file) => [file.path, file]));
  const missing = (path: string) => new StartError(`${path} is missing: use another backup.`);
  const copied = await copyFiles({ from: set, to, files: [...expected.keys()], onMissing: missing, onBytes });
  for (const { path, bytes, sha256 } of copied) {
    const file = expected.get(path);
    if (file?.bytes !== bytes || file.sha256 !== sha256) throw damaged(join(set, path));
  }
  for (const dir of manifest.dirs) await mkdir(join(to, dir), { recursive: true, mode: 0o700 });
}

const WHAT_IS_LOST = [
  'What was written after that moment is lost here. The first event of each log, log.restored, tells consumers and endpoints where to go on; docs/backup.md says what each of them does.',
  'Keys that were revoked and secrets that were rotated after it are as they were before: look at waypost key list.',
  'Next: ./waypost doctor, then ./waypost serve.',
];

function tellReopened({ worlds, erased, unknown }: Reopened): string[] {
  return [
    ...worlds.map(
      (world) =>
        `  ${world.tenant_id} ${world.world}: up to event ${world.last_sequence}, goes on under epoch ${world.log_epoch}`,
    ),
    `Erased again: ${erased} people${unknown > 0 ? `; ${unknown} whom the journal names are not in the backup` : ''}.`,
  ];
}

function tellRestored(manifest: Manifest, reopened: Reopened, home: string, aside: string | null): Told {
  const lines = [
    `Restored ${home} as it was at ${manifest.made_at}.`,
    ...tellReopened(reopened),
    ...(aside === null ? [] : [`The database that was there is now ${aside}: remove it when you are sure.`]),
    ...WHAT_IS_LOST,
  ];
  return { lines, value: { home, aside, made_at: manifest.made_at, ...reopened } };
}
