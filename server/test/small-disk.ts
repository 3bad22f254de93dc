// A disk that is quickly full: a file system in memory, for the one who may mount it. Root mounts it; anybody else runs
// the test file again in a user namespace, where they may too. Where neither can be had, the tests say that they did not run.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** Where the outer run has mounted the disk for the inner one. */
const MOUNTED_AT = 'WAYPOSTTEST_SMALL_DISK';
const CHUNK_BYTES = 1_048_576;

export type SmallDisk =
  | { kind: 'here'; path: string }
  /** Runs the file where it can be had, and answers whether its tests passed. */
  | { kind: 'elsewhere'; run(file: string): Promise<{ ok: boolean; said: string }> }
  | { kind: 'nowhere'; why: string };

export function mountSmallDisk(megabytes: number): SmallDisk {
  const given = process.env[MOUNTED_AT];
  if (given !== undefined) return { kind: 'here', path: given };
  if (process.platform !== 'linux') return { kind: 'nowhere', why: 'tmpfs is of Linux' };
  const path = mkdtempSync(join(tmpdir(), 'small-disk-'));
  const mount = ['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'tmpfs', path];
  const clear = () => rmSync(path, { recursive: true, force: true });
  if (process.getuid?.() === 0) {
    const mounted = spawnSync('mount', mount.slice(1), { encoding: 'utf8' });
    if (mounted.status === 0) {
      after(() => {
        spawnSync('umount', ['--lazy', path]);
        clear();
      });
      return { kind: 'here', path };
    }
    clear();
    return { kind: 'nowhere', why: mounted.stderr?.trim() || 'root may not mount here' };
  }
  const tried = spawnSync('unshare', ['-Urm', ...mount], { encoding: 'utf8' });
  if (tried.status !== 0) {
    clear();
    return { kind: 'nowhere', why: tried.stderr?.trim() || 'user namespaces cannot be had here' };
  }
  after(clear);
  return { kind: 'elsewhere', run: (file) => runInNamespace(file, path, mount) };
}

/** Mounts as the root of a namespace, then becomes oneself again: PostgreSQL does not run as root. */
async function runInNamespace(file: string, path: string, mount: readonly string[]) {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const inner = ['unshare', '-U', `--map-user=${uid}`, `--map-group=${gid}`, process.execPath, '--test', file];
  const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
  const script = `${mount.map(quote).join(' ')} && exec ${inner.map(quote).join(' ')}`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn('unshare', ['-Urm', 'sh', '-c', script], {
    env: { ...env, [MOUNTED_AT]: path },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { ok: code === 0, said };
}

/** Writes a file until so many bytes are left on its disk; with 0, until it takes no more. Answers how to remove it. */
export async function fillDisk(dir: string, leave: number): Promise<() => Promise<void>> {
  const path = join(dir, `ballast-${process.hrtime.bigint()}`);
  const file = await open(path, 'w');
  try {
    for (let bytes = await freeBytes(dir); bytes > leave; bytes = await freeBytes(dir))
      await file.write(Buffer.alloc(Math.min(CHUNK_BYTES, bytes - leave)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
  return () => rm(path, { force: true });
}

export async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
