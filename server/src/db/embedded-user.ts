// As whom the embedded database runs. PostgreSQL refuses to run as root, so root hands it to a service user; anybody
// else runs it as themselves.

import { execFileSync, spawnSync } from 'node:child_process';
import { StartError } from './start-error.ts';

/** Null: the user of this process. */
export type ServiceUser = { name: string; uid: number; gid: number } | null;

const SERVICE_USERS = ['waypost', 'postgres'] as const;
const USERADD = ['--system', '--no-create-home', '--home-dir', '/var/lib/waypost', '--shell', '/usr/sbin/nologin'];

/** The user that owns the cluster; for a cluster that is yet to be made, the first of the known ones or a new one. */
export function chooseServiceUser(owner: { uid: number; gid: number } | null): ServiceUser {
  const ownUid = process.getuid?.();
  if (ownUid !== 0) {
    if (owner !== null && owner.uid !== ownUid) {
      throw new StartError(
        `The data directory belongs to another user (uid ${owner.uid}): start Waypost as that user or as root, or set WAYPOST_DATA_DIR to a directory of your own.`,
      );
    }
    return null;
  }
  if (owner !== null && owner.uid !== 0) return { name: nameOf(owner.uid), ...owner };
  for (const name of SERVICE_USERS) {
    const found = findUser(name);
    if (found !== null) return found;
  }
  spawnSync('useradd', [...USERADD, 'waypost'], { stdio: 'ignore' });
  const chosen = findUser('waypost') ?? findUser('nobody');
  if (chosen === null) {
    throw new StartError(
      'PostgreSQL does not run as root and no service user could be made: add a system user named waypost, or start Waypost as another user.',
    );
  }
  return chosen;
}

function findUser(name: string): ServiceUser {
  try {
    const read = (flag: string) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    const [uid, gid] = [read('-u'), read('-g')];
    return uid > 0 && gid >= 0 ? { name, uid, gid } : null;
  } catch {
    return null;
  }
}

function nameOf(uid: number): string {
  try {
    return execFileSync('id', ['-un', String(uid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return `number ${uid}`;
  }
}

/** For spawn and its siblings. */
export function runAs(user: ServiceUser): { uid?: number; gid?: number } {
  return user === null ? {} : { uid: user.uid, gid: user.gid };
}

/** Whether the user can enter a directory or run a file. Asks the kernel, so that every parent counts. */
export function canReach(user: ServiceUser, path: string): boolean {
  const asked = spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', path], { cwd: '/', ...runAs(user) });
  return asked.status === 0;
}
