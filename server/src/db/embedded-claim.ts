// Who may start the embedded server: of several processes that find it down, one at a time. PostgreSQL's own lock files
// do not see to that after a kill: of two that start over the files of a dead one, each may take the other's file for
// the stale one, and the server that stays runs without its own.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * The function that gives the claim back, or null while another process holds it. The claim is a socket without a file
 * (Linux, unix(7): abstract), so that it ends with its process however that ends. Elsewhere everybody may start.
 */
export async function claimStart(dataDir: string): Promise<(() => void) | null> {
  if (process.platform !== 'linux') return () => {};
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  try {
    server.listen(`\0waypost-start-${name}`);
    await once(server, 'listening');
    return () => void server.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}
