// Who really asks, and under which address this server is known, when proxies stand in front of it. What a proxy says in
// X-Forwarded-For, -Proto and -Host is believed of those that the operator named, and of nobody else.

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { openNetworks, plainAddress } from './network.ts';

export interface Proxies {
  isProxy(address: string): boolean;
  /** The address of the client. */
  clientOf(request: IncomingMessage): string;
  /** `https://host` as the client knows it; null when no proxy of ours says it. */
  originOf(request: IncomingMessage): string | null;
}

export function openProxies(trusted: readonly string[]): Proxies {
  const has = openNetworks(trusted);
  const isProxy = (address: string) => trusted.length > 0 && has(plainAddress(address));

  function clientOf(request: IncomingMessage): string {
    let client = plainAddress(request.socket.remoteAddress ?? '');
    if (!isProxy(client)) return client;
    // From the nearest on: each proxy of ours vouches for the address before it, the first other one is the client.
    for (const entry of listOf(request, 'x-forwarded-for').reverse()) {
      const address = addressIn(entry);
      if (address === null) break;
      client = address;
      if (!isProxy(client)) break;
    }
    return client;
  }

  function originOf(request: IncomingMessage): string | null {
    if (!isProxy(request.socket.remoteAddress ?? '')) return null;
    const host = listOf(request, 'x-forwarded-host').at(-1) ?? '';
    const scheme = listOf(request, 'x-forwarded-proto').at(-1)?.toLowerCase() ?? '';
    if (!/^[\w.-]{1,253}(?::\d{1,5})?$|^\[[0-9a-fA-F:]{2,39}\](?::\d{1,5})?$/.test(host)) return null;
    return scheme === 'https' || scheme === 'http' ? `${scheme}://${host}` : null;
  }

  return { isProxy, clientOf, originOf };
}

function listOf(request: IncomingMessage, name: string): string[] {
  const value = request.headers[name];
  if (value === undefined) return [];
  return String(value)
    .split(',')
    .map((entry) => entry.trim());
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function addressIn(entry: string): string | null {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
  const address = plainAddress(bare);
  return isIP(address) === 0 ? null : address;
}
