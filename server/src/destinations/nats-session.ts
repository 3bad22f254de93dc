// NATS JetStream: each message is published to `waypost.{tenant}.{world}.{type}` with the event's id as its message id,
// by which a stream drops repeats, and counts once a stream has acknowledged it.

import { isIP } from 'node:net';
import { checkServerIdentity as checkIdentity, type PeerCertificate } from 'node:tls';
import {
  type BrokerPosting,
  BrokerRefusal,
  CONNECT_TIMEOUT_MS,
  type OpenSession,
  rootOf,
  type Session,
} from './broker-destination.ts';
import { subjectOf } from './broker-subject.ts';
import { findAllowedAddresses } from './checked-address.ts';
import type { BrokerTarget } from './destination.ts';

/** Longer than any time-out of an endpoint: who waits is told by the flight. */
const ACK_TIMEOUT_MS = 60_000;
/** The broker is asked whether it is there, and gone when it does not say so twice. */
const PING_INTERVAL_MS = 20_000;

type Nats = typeof import('@nats-io/transport-node');
type JetStream = typeof import('@nats-io/jetstream');
type Connection = Awaited<ReturnType<Nats['connect']>>;

export const openNatsSession: OpenSession = async (to, world, options) => {
  const [nats, streams] = await Promise.all([import('@nats-io/transport-node'), import('@nats-io/jetstream')]);
  const addresses = await findAllowedAddresses(options, world, to.address.host);
  let fault: unknown = null;
  for (const address of addresses) {
    try {
      return sessionOver(await connectTo(nats, to, address), nats, streams);
    } catch (error) {
      fault = error;
    }
  }
  throw asWords(fault);
};

/** To this address and no other: what a cluster says of its members is not followed, since nobody checked where they are. */
function connectTo(nats: Nats, { address, settings, credentials }: BrokerTarget, ip: string): Promise<Connection> {
  const { username, password, token, creds } = credentials;
  const { host } = address;
  // The socket is connected to an address, so that the certificate would be checked against no name by itself.
  const checkServerIdentity = (_name: string, certificate: PeerCertificate) => checkIdentity(host, certificate);
  const servername = isIP(host) === 0 ? host : '';
  const tls = { servername, checkServerIdentity, ...(settings.ca !== undefined && { ca: settings.ca }) };
  return nats.connect({
    servers: [`${ip.includes(':') ? `[${ip}]` : ip}:${address.port}`],
    name: 'waypost',
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    reconnect: false,
    resolve: false,
    ignoreClusterUpdates: true,
    tls: address.is_secure ? tls : null,
    ...(username !== undefined && { user: username, pass: password ?? '' }),
    ...(token !== undefined && { token }),
    ...(creds !== undefined && { authenticator: nats.credsAuthenticator(Buffer.from(creds)) }),
  });
}

function sessionOver(connection: Connection, nats: Nats, streams: JetStream): Session {
  const client = streams.jetstream(connection, { timeout: ACK_TIMEOUT_MS });
  return {
    closed: connection.closed(),
    close: () => connection.close(),
    async publish({ to, subject, headers: list, body, world }: BrokerPosting) {
      const headers = nats.headers();
      for (let at = 0; at < list.length; at += 2) headers.append(list[at] ?? '', list[at + 1] ?? '');
      const { stream } = to.settings;
      const name = subjectOf(subject, world);
      try {
        const ack = await client.publish(name, body, {
          headers,
          msgID: subject.event_id,
          timeout: ACK_TIMEOUT_MS,
          retries: 0,
          ...(stream !== undefined && { expect: { streamName: stream } }),
        });
        return JSON.stringify({ stream: ack.stream, seq: ack.seq, duplicate: ack.duplicate });
      } catch (error) {
        throw asRefusal(error, nats, streams, name);
      }
    },
  };
}

/** What the broker said no to, in words; everything else as it is. */
function asRefusal(error: unknown, nats: Nats, streams: JetStream, name: string): unknown {
  const root = rootOf(error);
  if (root instanceof nats.NoRespondersError)
    return new BrokerRefusal(`no JetStream stream takes the subject ${name}: add one with the subjects waypost.>`);
  if (root instanceof nats.PermissionViolationError) return new BrokerRefusal(`the user may not publish to ${name}`);
  if (error instanceof streams.JetStreamApiError) return new BrokerRefusal(`the stream refused it: ${error.message}`);
  if (connectionIsOver.test(root.message)) return new Error('the connection to the broker was closed');
  return error;
}

const connectionIsOver = /connection closed|closed connection/;

function asWords(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  // A server that wants TLS where none is wished: the client has no words for it and looks for its certificates.
  if (/certFile/.test(rootOf(error).message))
    return new BrokerRefusal('the broker wants TLS: let the URL begin with tls://');
  if (error.name === 'AuthorizationError')
    return new BrokerRefusal(`the broker does not take these credentials: ${error.message}`);
  return error;
}
