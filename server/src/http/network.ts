// Networks as people write them (CIDR), and the addresses in them. Computes from text alone.

import { BlockList, isIP, isIPv6 } from 'node:net';

/** `10.20.0.0/16`, or a bare address, which is a network of one; null when it is neither. */
export function parseNetwork(text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | null {
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  const most = version === 6 ? 128 : 32;
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  // A zone (fe80::1%eth0) is a matter of one machine.
  if (version === 0 || address.includes('%') || rest.length > 0 || !(bits <= most)) return null;
  return { address, bits, family: version === 6 ? 'ipv6' : 'ipv4' };
}

/** Answers whether an address lies in one of the networks. */
export function openNetworks(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network === null) throw new Error(`${text} is not a network`);
    list.addSubnet(network.address, network.bits, network.family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** Whether all of a network lies in one of the others. */
export function liesWithin(inner: string, outer: readonly string[]): boolean {
  const wanted = parseNetwork(inner);
  return outer.some((text) => {
    const network = parseNetwork(text);
    return (
      wanted !== null &&
      network !== null &&
      network.family === wanted.family &&
      network.bits <= wanted.bits &&
      openNetworks([text])(wanted.address)
    );
  });
}

/** An IPv4 address as itself, also where a socket that takes both kinds shows it as `::ffff:192.0.2.1`. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
