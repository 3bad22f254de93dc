// One connection to one broker of Kafka, at an address that was checked: by TLS or not, logged in or not, over which
// requests are asked and answered. Nothing here connects again or asks twice.

import { once } from 'node:events';
import { connect as connectPlainly, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectByTls, type PeerCertificate } from 'node:tls';
import { BrokerRefusal, rootOf } from './broker-destination.ts';
import type { BrokerTarget } from './destination.ts';
import { login } from './kafka-login.ts';
import type { Api } from './kafka-request.ts';
import { AnswerStream, frameOf, type WireReader } from './kafka-wire.ts';

/** A broker that is gone without a word is found out by the network. */
const KEEP_ALIVE_MS = 30_000;

export interface KafkaConnection {
  /** What the broker answers. Rejects when it does not do so in time, and then the connection is at its end. */
  ask(api: Api, body: Buffer, within_ms: number): Promise<WireReader>;
  /** Resolves when it is gone. */
  readonly closed: Promise<void>;
  close(): void;
}

export interface BrokerPlace {
  /** As it was named: the certificate has to be good for it. */
  host: string;
  port: number;
  /** Where it leads, checked; they are tried in turn. */
  addresses: readonly string[];
}

/** Connects to one broker and says who we are. */
export async function connectToKafka(
  place: BrokerPlace,
  to: BrokerTarget,
  within_ms: number,
): Promise<KafkaConnection> {
  const socket = await connectToAny(place, to, within_ms);
  const connection = connectionOver(socket);
  try {
    await login(connection, to, within_ms);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

async function connectToAny(place: BrokerPlace, to: BrokerTarget, within_ms: number): Promise<Socket> {
  let fault: unknown = new Error('no address');
  for (const address of place.addresses) {
    try {
      return await connectTo(address, place, to, within_ms);
    } catch (error) {
      fault = error;
    }
  }
  throw fault;
}

async function connectTo(
  ip: string,
  { host, port }: BrokerPlace,
  to: BrokerTarget,
  within_ms: number,
): Promise<Socket> {
  const { is_secure } = to.address;
  const { ca } = to.settings;
  const where = { host: ip, port };
  // The socket is connected to an address, so that the certificate would be checked against no name by itself.
  const checkName = (_name: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate);
  const servername = isIP(host) === 0 ? host : '';
  const tls = { servername, checkServerIdentity: checkName, ...(ca !== undefined && { ca }) };
  const socket = is_secure ? connectByTls({ ...where, ...tls }) : connectPlainly(where);
  // Whoever waits hears of it by `once`, and after that by the end.
  socket.on('error', () => {});
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  const late = setTimeout(() => socket.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })), within_ms);
  try {
    await once(socket, is_secure ? 'secureConnect' : 'connect');
    return socket;
  } catch (error) {
    socket.destroy();
    throw is_secure ? asTlsWords(error) : error;
  } finally {
    clearTimeout(late);
  }
}

/** A listener without TLS does not understand the greeting and hangs up, or answers something else. */
function asTlsWords(error: unknown): unknown {
  if (/wrong version number|before secure TLS connection|ECONNRESET|packet length too long/.test(rootOf(error).message))
    return new BrokerRefusal(
      'the broker speaks no TLS there: name its TLS listener, or let the URL begin with kafka://',
    );
  return error;
}

interface Asked {
  resolve(answer: WireReader): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

function connectionOver(socket: Socket): KafkaConnection {
  const stream = new AnswerStream();
  const waiting = new Map<number, Asked>();
  let last = 0;
  let answers = 0;
  let fault: Error | null = null;

  const take = (number: number): Asked | undefined => {
    const asked = waiting.get(number);
    waiting.delete(number);
    clearTimeout(asked?.timer);
    return asked;
  };
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const { correlation, body } of stream.take(chunk)) {
        answers += 1;
        take(correlation)?.resolve(body);
      }
    } catch (error) {
      fault = answers > 0 ? rootOf(error) : new BrokerRefusal(NO_KAFKA);
      socket.destroy();
    }
  });
  // What goes wrong is told by the end.
  socket.on('error', (error) => {
    fault ??= error;
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve())).then(() => {
    // Which versions it knows is told to anybody: what comes after that is not.
    const error = fault ?? new Error(answers > 1 ? CLOSED : `${CLOSED} before it answered${HINT}`);
    for (const number of [...waiting.keys()]) take(number)?.reject(error);
  });
  return {
    ask: (api, body, within_ms) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) {
          reject(fault ?? new Error(CLOSED));
          return;
        }
        last = (last + 1) % 0x7fffffff;
        const timer = setTimeout(() => {
          fault = new Error(`the broker did not answer within ${within_ms / 1_000} s`);
          socket.destroy();
        }, within_ms);
        waiting.set(last, { resolve, reject, timer });
        socket.write(frameOf(api, last, body));
      }),
    closed,
    close: () => void socket.destroy(),
  };
}

export const CLOSED = 'the connection to the broker was closed';
const HINT = ': it may want TLS (kafka+ssl://) or credentials';
const NO_KAFKA =
  'what answers there is not Kafka without TLS: let the URL begin with kafka+ssl:// if it is Kafka with TLS';
