// Which addresses a host has and whether they may be connected to: asked when an endpoint is written, and again at every
// connect. A line belongs here if it resolves a name on behalf of what connects.

import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { WaypostError } from '../errors.ts';
import type { DestinationType } from './destination.schema.ts';
import { destinationKinds } from './destination-settings.ts';
import { checkAddress, checkUrl, type EgressRules, literalAddress, type Refusal } from './egress.ts';

const RESOLVE_FOR_CHECK_MS = 2_000;

export interface ResolvedAddress {
  address: string;
  family: number;
}
/** Finds all addresses of a name. An argument so that tests can lie like a hostile name server. */
export type Resolve = (hostname: string) => Promise<ResolvedAddress[]>;

export const resolveBySystem: Resolve = (hostname) => lookup(hostname, { all: true });

export interface DestinationOptions {
  egress: EgressRules;
  resolve: Resolve;
  /** Milliseconds; deadlines are counted by it. */
  now(): number;
}

/** A connection that is not made; the attempt fails with its sentence. */
export class EgressError extends Error {
  constructor(refusal: Refusal) {
    super(refusal.sentence);
    this.name = 'EgressError';
  }
}

/** Throws when the host is an address that is refused. A name is looked at when it is resolved. */
export function requireAllowedLiteral(options: DestinationOptions, world: 'live' | 'test', host: string): void {
  const refusal = isIP(host) === 0 ? null : checkAddress(host, options.egress, world);
  if (refusal !== null) throw new EgressError(refusal);
}

/** Resolves a name for a connection: a name that pointed elsewhere yesterday is checked as it points now. */
export function checkedLookup(options: DestinationOptions, world: 'live' | 'test'): LookupFunction {
  return (hostname, wanted, callback) => {
    options.resolve(hostname).then(
      (found) => {
        const refusal = firstRefusal(found, options.egress, world);
        const [first] = found;
        if (refusal !== null) callback(new EgressError(named(hostname, refusal)), '', 0);
        else if (first === undefined) callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 0);
        else if (wanted.all === true) callback(null, found);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}

/** The addresses of a host to connect to, for clients that take no look-up of ours. Throws when one is refused. */
export async function findAllowedAddresses(
  options: DestinationOptions,
  world: 'live' | 'test',
  host: string,
): Promise<string[]> {
  requireAllowedLiteral(options, world, host);
  if (isIP(host) !== 0) return [host];
  const found = await options.resolve(host);
  const refusal = firstRefusal(found, options.egress, world);
  if (refusal !== null) throw new EgressError(named(host, refusal));
  if (found.length === 0) throw Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
  return found.map(({ address }) => address);
}

function firstRefusal(found: readonly ResolvedAddress[], egress: EgressRules, world: 'live' | 'test'): Refusal | null {
  return found.map(({ address }) => checkAddress(address, egress, world)).find((each) => each !== null) ?? null;
}

const named = (hostname: string, { rule, sentence }: Refusal): Refusal => ({
  rule,
  sentence: `${hostname}: ${sentence}`,
});

/**
 * Checks the URL of an endpoint as it is written: its form, and where its host leads now. A name that does not resolve
 * yet passes: it is looked at again at every connect. Throws `url_not_allowed` with the rule and what to do.
 */
export async function requireAllowedUrl(
  text: string,
  rules: EgressRules,
  world: 'live' | 'test',
  resolve: Resolve,
  type: DestinationType = 'http',
): Promise<void> {
  const kind = destinationKinds[type];
  if (type === 'kafka' && /^[^/]*\/\/[^/]*,/.test(text)) throw urlRefused(ONE_BROKER);
  const { url, refusal } = checkUrl(text, kind.schemes);
  if (refusal !== null) throw urlRefused(refusal);
  if ((kind.path === 'none' && url.pathname.length > 1) || (kind.path !== 'any' && url.search !== ''))
    throw urlRefused({
      rule: 'path',
      sentence: `The URL of a destination of type ${type} ends with its ${kind.path === 'none' ? 'host and port' : 'virtual host'}.`,
    });
  const literal = literalAddress(url);
  const addresses = literal === null ? await resolveSoon(url.hostname, resolve) : [literal];
  for (const address of addresses) {
    const found = checkAddress(address, rules, world);
    if (found !== null) throw urlRefused(literal === null ? named(url.hostname, found) : found);
  }
}

/** Kafka's own clients take a list. */
const ONE_BROKER: Refusal = {
  rule: 'malformed',
  sentence:
    'Name one broker in the URL, which tells where the others are, or a name that has the addresses of several.',
};

function urlRefused({ rule, sentence }: Refusal): WaypostError {
  return new WaypostError('url_not_allowed', sentence, {
    faults: [{ pointer: '/url', code: rule, message: sentence }],
    extra: { rule },
  });
}

async function resolveSoon(hostname: string, resolve: Resolve): Promise<string[]> {
  const late = new Promise<ResolvedAddress[]>((done) => {
    setTimeout(() => done([]), RESOLVE_FOR_CHECK_MS).unref();
  });
  const found = await Promise.race([resolve(hostname).catch(() => []), late]);
  return found.map(({ address }) => address);
}
