// Which settings, addresses and credentials fit each kind of destination. Pure; a line belongs here if it decides whether
// an endpoint's destination can be used as it is written.

import type { Fault } from '../errors.ts';
import type { Credentials, DestinationSettings, DestinationType } from './destination.schema.ts';
import { WEB_SCHEMES } from './egress.ts';

interface Kind {
  schemes: readonly string[];
  /** Members of the settings that mean something to it. */
  settings: readonly (keyof DestinationSettings)[];
  /** Sets of credentials that it can use. */
  credentials: readonly (readonly string[])[];
  /** What may follow host and port in the URL. */
  path: 'any' | 'virtual_host' | 'none';
}

const LOGIN = ['username', 'password'] as const;

export const destinationKinds: Readonly<Record<DestinationType, Kind>> = {
  http: { schemes: WEB_SCHEMES, settings: [], credentials: [], path: 'any' },
  nats: {
    schemes: ['tls', 'nats'],
    settings: ['stream', 'ca'],
    credentials: [LOGIN, ['token'], ['creds']],
    path: 'none',
  },
  rabbitmq: {
    schemes: ['amqps', 'amqp'],
    settings: ['exchange', 'routing_key', 'ca'],
    credentials: [LOGIN],
    path: 'virtual_host',
  },
  kafka: {
    schemes: ['kafka+ssl', 'kafka'],
    settings: ['topic', 'sasl', 'ca'],
    credentials: [LOGIN],
    path: 'none',
  },
  writeback: {
    schemes: WEB_SCHEMES,
    settings: ['answer', 'credentials_at', 'check'],
    credentials: [],
    path: 'any',
  },
};

/** What a write-back needs of its endpoint besides. */
export function writebackFaults(endpoint: {
  destination: DestinationSettings;
  transform: string | null;
  format: string;
}): Fault[] {
  const { destination, transform, format } = endpoint;
  if (destination.type !== 'writeback') return [];
  const faults: Fault[] = [];
  if (transform === null) {
    const message =
      'A write-back needs a transform that makes its requests: {method, url, headers, body}, or null for none.';
    faults.push({ pointer: '/transform', code: 'required', message });
  }
  if (format !== 'native')
    faults.push({
      pointer: '/format',
      code: 'format',
      message: 'A write-back has requests, not messages: its format is native.',
    });
  return faults;
}

export const HTTP: DestinationSettings = { type: 'http' };

/** What is wrong with settings that do not belong to their kind. */
export function settingsFaults(settings: DestinationSettings, url: string): Fault[] {
  const { type } = settings;
  const kind = destinationKinds[type];
  const names = Object.keys(settings) as (keyof DestinationSettings)[];
  const faults = names
    .filter((name) => name !== 'type' && !kind.settings.includes(name))
    .map((name) => ({
      pointer: `/destination/${name}`,
      code: 'unknown_member',
      message: `A destination of type ${type} has no ${name}${kind.settings.length === 0 ? '' : `; it has ${kind.settings.join(', ')}`}.`,
    }));
  if (type === 'rabbitmq' && (settings.exchange ?? '') === '' && settings.routing_key === undefined) {
    const message = 'Name an exchange, or the queue as routing_key: the default exchange knows nothing else.';
    faults.push({ pointer: '/destination/routing_key', code: 'required', message });
  }
  const { schemes } = kind;
  if (!schemes.includes(url.slice(0, url.indexOf(':')).toLowerCase())) {
    const message = `A destination of type ${type} has a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}.`;
    faults.push({ pointer: '/url', code: 'scheme', message });
  }
  return faults;
}

/** What is wrong with credentials that the kind of destination cannot use, or with those that it lacks. */
export function credentialFaults(settings: DestinationSettings, names: readonly string[]): Fault[] {
  const { type, credentials_at } = settings;
  if (type === 'writeback') return unplacedFaults(Object.keys(credentials_at ?? {}), names);
  if (names.length === 0) return unprovedFaults(settings);
  const { credentials } = destinationKinds[type];
  const fits = credentials.some((set) => set.length === names.length && set.every((name) => names.includes(name)));
  if (fits) return [];
  const sets = credentials.map((set) => set.join(' and ')).join(', or ');
  const message =
    sets === ''
      ? `A destination of type ${type} takes no credentials; a token goes into headers.`
      : `A destination of type ${type} takes ${sets}.`;
  return [{ pointer: '/credentials', code: 'credentials', message }];
}

/** Without a password SCRAM has nothing to prove; a broker that asks nobody is told no `sasl`. */
function unprovedFaults({ type, sasl = 'plain' }: DestinationSettings): Fault[] {
  if (type !== 'kafka' || sasl === 'plain') return [];
  const message = `With sasl ${sasl} the broker asks for username and password: give both, or leave sasl out if it asks nobody.`;
  return [{ pointer: '/credentials', code: 'required', message }];
}

/** Of a write-back each credential has its place, and each place its credential. */
function unplacedFaults(placed: readonly string[], names: readonly string[]): Fault[] {
  const lost = names.filter((name) => !placed.includes(name));
  const missing = placed.filter((name) => !names.includes(name));
  return [
    ...lost.map((name) => `Say in destination.credentials_at where ${name} goes; a token goes into headers.`),
    ...missing.map((name) => `The destination has a place for ${name}: give it.`),
  ].map((message) => ({ pointer: '/credentials', code: 'credentials', message }));
}

export const namesOfCredentials = (credentials: Credentials | undefined): string[] => Object.keys(credentials ?? {});
