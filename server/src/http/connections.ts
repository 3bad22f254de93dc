// Connections before they carry a whole request: how many there may be, of all and of one address, and how long one may
// take to say what it wants.

import type { Server, Socket } from 'node:net';

export interface ConnectionLimits {
  /** Of one process; 0: no limit. */
  max: number;
  /** Of one address, unless it is a trusted proxy; 0: no limit. */
  perAddressMax: number;
  /** The head of a request has to be there by then … */
  headWithinMs: number;
  /** … and the whole of it, body and all. */
  requestWithinMs: number;
  /** How often is looked whether one took too long. */
  checkEveryMs: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  max: 10_000,
  perAddressMax: 1_000,
  headWithinMs: 10_000,
  requestWithinMs: 30_000,
  checkEveryMs: 5_000,
};

/** Closes what is above the limits as it comes; nothing is told, as there is nothing to answer yet. */
export function limitConnections(
  server: Server,
  { max, perAddressMax }: ConnectionLimits,
  isProxy: (address: string) => boolean,
): void {
  if (max > 0) server.maxConnections = max;
  if (perAddressMax === 0) return;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress;
    if (address === undefined || isProxy(address)) return;
    const count = (open.get(address) ?? 0) + 1;
    if (count > perAddressMax) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}
