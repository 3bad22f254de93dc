// Where the server may send to (SSRF): which URLs and which addresses are refused, by which rule, and what to do.
// A line belongs here if it decides that from text alone; names are resolved in http-destination.ts.

import { isIP } from 'node:net';
import { readAsWeb } from './broker-address.ts';

export const URL_LENGTH_MAX = 2_048;

/** Addresses that are not one host on the public internet. The first rule that fits is the one that is named. */
const SPECIAL: readonly [rule: string, ...ranges: string[]][] = [
  ['unspecified', '0.0.0.0/8', '::/128'],
  ['loopback', '127.0.0.0/8', '::1/128'],
  ['metadata', '169.254.169.254/32', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32', 'fd00:ec2::254/128'],
  ['link_local', '169.254.0.0/16', 'fe80::/10'],
  ['private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  ['shared', '100.64.0.0/10'],
  ['protocol', '192.0.0.0/24', '192.52.193.0/24', '192.31.196.0/24', '192.175.48.0/24'],
  ['documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'],
  ['benchmarking', '198.18.0.0/15', '2001:2::/48'],
  ['6to4', '192.88.99.0/24', '2002::/16'],
  ['multicast', '224.0.0.0/4', 'ff00::/8'],
  ['broadcast', '255.255.255.255/32'],
  ['reserved', '240.0.0.0/4'],
  ['ipv4_mapped', '::ffff:0:0/96', '::ffff:0:0:0/96'],
  ['ipv4_compatible', '::/96'],
  ['nat64', '64:ff9b::/96', '64:ff9b:1::/48'],
  ['discard', '100::/64', '100:0:0:1::/64'],
  ['teredo', '2001::/32'],
  ['protocol', '2001::/23'],
  ['segment_routing', '5f00::/16'],
  ['site_local', 'fec0::/10'],
];

const BECAUSE: Readonly<Record<string, string>> = {
  unspecified: 'it names no host',
  loopback: 'it is this machine itself',
  metadata: 'it is the metadata service of a cloud',
  link_local: 'it is only valid on one link',
  private: 'it is in a private network',
  shared: 'it is shared address space of a carrier (CGNAT)',
  protocol: 'it is reserved for protocols of the internet itself',
  documentation: 'it is reserved for examples',
  benchmarking: 'it is reserved for measuring networks',
  '6to4': 'it wraps another address (6to4)',
  multicast: 'it names many hosts',
  broadcast: 'it names every host',
  reserved: 'it is reserved',
  ipv4_mapped: 'it wraps an IPv4 address',
  ipv4_compatible: 'it wraps an IPv4 address',
  nat64: 'it wraps an IPv4 address (NAT64)',
  discard: 'it leads nowhere',
  teredo: 'it wraps another address (Teredo)',
  segment_routing: 'it is for routing inside a network',
  site_local: 'it is in a private network',
  not_global: 'it is not a public unicast address',
};

export interface Cidr {
  bytes: Uint8Array;
  bits: number;
}

export interface EgressRules {
  /** What the operator allows in spite of the table (WAYPOST_EGRESS_ALLOW). */
  allow: readonly Cidr[];
  /** True while the server listens on loopback only: then endpoints of the test world may name loopback. */
  loopback_for_test: boolean;
}

/** Why an address or URL is refused: a stable word, and a sentence that says what to do. */
export interface Refusal {
  rule: string;
  sentence: string;
}

const special = SPECIAL.flatMap(([rule, ...ranges]) => ranges.map((range) => ({ rule, cidr: parseCidr(range) })));
const globalUnicast = parseCidr('2000::/3');

/** Null when the address may be connected to. */
export function checkAddress(address: string, rules: EgressRules, world: 'live' | 'test'): Refusal | null {
  const bytes = parseAddress(address);
  if (bytes === null) return { rule: 'not_an_address', sentence: `${address} is not an IP address.` };
  const rule = ruleOf(bytes);
  if (rule === null || rules.allow.some((cidr) => isInside(bytes, cidr))) return null;
  if (rule === 'loopback' && world === 'test' && rules.loopback_for_test) return null;
  return { rule, sentence: `${address} is refused because ${BECAUSE[rule]} (${rule}). ${whatToDo(rule, address)}` };
}

function ruleOf(bytes: Uint8Array): string | null {
  const found = special.find(({ cidr }) => isInside(bytes, cidr));
  if (found !== undefined) return found.rule;
  return bytes.length === 16 && !isInside(bytes, globalUnicast) ? 'not_global' : null;
}

function whatToDo(rule: string, address: string): string {
  const allow = `An operator who means it sets WAYPOST_EGRESS_ALLOW=${address}/${address.includes(':') ? 128 : 32} or a wider range.`;
  if (rule !== 'loopback') return allow;
  return `Endpoints of the test world may name loopback while the server itself listens on loopback only. ${allow}`;
}

export const WEB_SCHEMES = ['https', 'http'] as const;

/**
 * Reads the URL of an endpoint, which has one of these schemes. Hosts written as decimal, octal, hexadecimal or short numbers come out as the address
 * that they mean, so that the check of the address sees them.
 */
export function checkUrl(
  text: string,
  schemes: readonly string[] = WEB_SCHEMES,
): { url: URL; refusal: null } | { url: null; refusal: Refusal } {
  const refuse = (rule: string, sentence: string) => ({ url: null, refusal: { rule, sentence } });
  if (text.length > URL_LENGTH_MAX) return refuse('too_long', `The URL has more than ${URL_LENGTH_MAX} characters.`);
  // The URL parser drops white space and control characters in silence; what we store is what was meant.
  if (/[\s\p{Cc}]/u.test(text)) return refuse('malformed', 'The URL contains white space or control characters.');
  const protocol = URL.parse(text)?.protocol;
  if (protocol === undefined) return refuse('malformed', 'This is not a URL.');
  if (!schemes.includes(protocol.slice(0, -1))) {
    return refuse('scheme', `Only ${schemes.toReversed().join(' and ')} can be sent to, not ${protocol.slice(0, -1)}.`);
  }
  const isWeb = schemes === WEB_SCHEMES;
  const url = isWeb ? URL.parse(text) : readAsWeb(text);
  if (url === null) return refuse('malformed', 'This is not a URL with a host.');
  if (url.username !== '' || url.password !== '') {
    const instead = isWeb ? 'messages are signed instead.' : 'give them as credentials, which are kept sealed.';
    return refuse('userinfo', `User name and password do not belong into the URL: ${instead}`);
  }
  if (url.hash !== '') return refuse('fragment', 'A URL with a fragment (#…) cannot be sent to.');
  return { url, refusal: null };
}

/** The address that stands in the URL in the place of a name, or null when it has to be resolved. */
export function literalAddress(url: URL): string | null {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return isIP(host) === 0 ? null : host;
}

/** `10.1.0.0/16`, `fd00::/8`, or a bare address for that one. Throws a RangeError with a sentence. */
export function parseCidr(text: string): Cidr {
  const [address = '', length, ...rest] = text.split('/');
  const bytes = parseAddress(address);
  const bitsMax = (bytes?.length ?? 0) * 8;
  const bits = length === undefined ? bitsMax : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (bytes === null || rest.length > 0 || bits < 0 || bits > bitsMax) {
    throw new RangeError(`${text} is not a range of addresses such as 10.1.0.0/16 or fd00::/8`);
  }
  return { bytes, bits };
}

function isInside(bytes: Uint8Array, cidr: Cidr): boolean {
  if (bytes.length !== cidr.bytes.length) return false;
  for (let bit = 0; bit < cidr.bits; bit += 8) {
    const mask = cidr.bits - bit >= 8 ? 0xff : (0xff << (8 - (cidr.bits - bit))) & 0xff;
    if ((((bytes[bit / 8] ?? 0) ^ (cidr.bytes[bit / 8] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}

/** 4 or 16 bytes, or null when the text is no address. Zones (`%eth0`) are not addresses of the internet. */
function parseAddress(text: string): Uint8Array | null {
  const family = text.includes('%') ? 0 : isIP(text);
  if (family === 4) return Uint8Array.from(text.split('.'), Number);
  if (family !== 6) return null;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hex = (high: string | undefined, low: string | undefined) => (Number(high) * 256 + Number(low)).toString(16);
  const plain = dotted === null ? text : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`;
  const [before = '', after] = plain.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const groups = [...head, ...new Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
