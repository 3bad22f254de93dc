// The key under which the keys of data subjects and the secrets of endpoints are sealed: given by configuration, or
// made once and kept in the data directory.

import { createHmac, randomBytes } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { makeDirectory } from '../db/directory.ts';
import { explainSystemError, StartError } from '../db/start-error.ts';

const KEY_BYTES = 32;
const FILE = 'master.key';

/** The master key where there is one, without making it. */
export async function findMasterKey(config: Config): Promise<Buffer | null> {
  if (config.masterKey !== null) return config.masterKey;
  const isThere = await stat(join(config.dataDir, FILE)).then(
    () => true,
    () => false,
  );
  return isThere ? openMasterKey(config) : null;
}

/** The master key. A file that exists is never replaced: without it everything that was sealed is lost. */
export async function openMasterKey(config: Config): Promise<Buffer> {
  if (config.masterKey !== null) return config.masterKey;
  const path = join(config.dataDir, FILE);
  try {
    await makeDirectory(config.dataDir);
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(`${randomBytes(KEY_BYTES).toString('base64')}\n`);
    await file.sync();
    await file.close();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new StartError(explainSystemError(cause, `writing ${path}`) ?? `Writing ${path} failed.`, { cause });
    }
  }
  const key = Buffer.from((await readFile(path, 'utf8').catch(() => '')).trim(), 'base64');
  if (key.length !== KEY_BYTES) {
    throw new StartError(
      `${path} does not hold a master key that this user can read: restore the file, or set WAYPOST_MASTER_KEY.`,
    );
  }
  return key;
}

/** Tells master keys apart without telling anything about them. */
export function fingerprintOf(masterKey: Buffer): string {
  return createHmac('sha256', masterKey).update('waypost master key').digest('hex').slice(0, 32);
}
