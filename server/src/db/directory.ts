// Making directories. Node's own `mkdir` with `recursive` never comes back where the parent is there and takes no directory all
// the same: below /proc, and below a link that leads nowhere.

import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes a directory and those above it, and answers the topmost that was made; undefined when it was there already. */
export async function makeDirectory(path: string, mode = 0o777): Promise<string | undefined> {
  if (await isDirectory(path)) return undefined;
  const above = dirname(path);
  const first = above === path ? undefined : await makeDirectory(above, mode);
  try {
    await mkdir(path, { mode });
  } catch (error) {
    // Another process has made it meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && (await isDirectory(path))) return first;
    throw error;
  }
  return first ?? path;
}

function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
