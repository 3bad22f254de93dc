// Reading the URL of a broker: where to connect, whether by TLS, and what its path says. Pure.

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  nats: 4_222,
  tls: 4_222,
  amqp: 5_672,
  amqps: 5_671,
  kafka: 9_092,
  'kafka+ssl': 9_093,
};
const SECURE = ['tls', 'amqps', 'kafka+ssl'];

export interface BrokerAddress {
  /** A name or an address, without brackets. */
  host: string;
  port: number;
  is_secure: boolean;
  /** What follows the host, without its slash. */
  path: string;
}

/** A URL that was checked when the endpoint was written. */
export function readBrokerAddress(text: string): BrokerAddress {
  const scheme = text.slice(0, text.indexOf(':')).toLowerCase();
  const url = readAsWeb(text);
  if (url === null) throw new RangeError(`${text} is not the URL of a broker`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || portOf(text) || (DEFAULT_PORTS[scheme] ?? 0),
    is_secure: SECURE.includes(scheme),
    path: readEscapes(url.pathname.slice(1)),
  };
}

/**
 * The URL read by the rules of http, so that a host that is written as a number comes out as the address that it means:
 * for other schemes the parser of URLs leaves hosts as they are.
 */
export function readAsWeb(text: string): URL | null {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]/i.test(text) ? URL.parse(text.replace(/^[^:]+:/, 'http:')) : null;
}

/** The parser drops port 80, because it is what http means without one. */
function portOf(text: string): number {
  return Number(URL.parse(text.replace(/^[^:]+:/, 'https:'))?.port ?? 0);
}

/** As it was meant; as it stands where it is no encoding of anything. */
function readEscapes(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
