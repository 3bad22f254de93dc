// A copy of this tree as somebody who has just cloned it would have it.

import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';

const root = dirname(import.meta.dirname);

export interface Owner {
  uid: number;
  gid: number;
}

/** All files that git knows or would take, beside the installed packages unless nothing is to be installed. Its parent is its own too. */
export function copyTree(owner: Owner | null, isInstalled = true): string {
  const parent = mkdtempSync(join(tmpdir(), 'waypost-clone-'));
  const folder = join(parent, 'waypost');
  mkdirSync(folder);
  chmodSync(parent, 0o755);
  after(() => rmSync(parent, { recursive: true, force: true, maxRetries: 3 }));
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  for (const file of new Set(listed.split('\n').filter((line) => line !== '')))
    cpSync(join(root, file), join(folder, file), { preserveTimestamps: true });
  if (isInstalled) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, '.home'));
  if (owner !== null) for (const path of [parent, folder, join(folder, '.home')]) chownSync(path, owner.uid, owner.gid);
  return folder;
}
