// RabbitMQ: each message is published with the mandatory flag, persistent, and counts once the broker has confirmed it.
// A quorum queue or stream confirms when most of its members have it; what no queue takes comes back and is a failure.

import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import {
  type BrokerPosting,
  BrokerRefusal,
  CONNECT_TIMEOUT_MS,
  type OpenSession,
  type Session,
} from './broker-destination.ts';
import { subjectOf } from './broker-subject.ts';
import { checkedLookup, requireAllowedLiteral } from './checked-address.ts';

const HEARTBEAT_S = 20;
const GOODBYE_MS = 2_000;
/** What a broker has to say to us is short. */
const FRAME_BYTES_MAX = 1_048_576;

export const openRabbitSession: OpenSession = async ({ address, settings, credentials }, world, options) => {
  const { connect } = await import('amqplib');
  const { host, port, is_secure, path } = address;
  requireAllowedLiteral(options, world, host);
  const broker = {
    protocol: is_secure ? 'amqps' : 'amqp',
    hostname: host,
    port,
    vhost: path === '' ? '/' : path,
    heartbeat: HEARTBEAT_S,
    maxFrameSize: FRAME_BYTES_MAX,
    ...(credentials.username !== undefined && {
      username: credentials.username,
      password: credentials.password ?? '',
    }),
  };
  const socket = {
    noDelay: true,
    timeout: CONNECT_TIMEOUT_MS,
    lookup: checkedLookup(options, world),
    clientProperties: { connection_name: 'waypost' },
    ...(settings.ca !== undefined && { ca: [settings.ca] }),
  };
  const connection = await connect(broker, socket).catch((error: unknown) => {
    throw asWords(error, broker.vhost);
  });
  // Whatever goes wrong with the connection is told by its end.
  connection.on('error', () => {});
  const channel = await connection.createConfirmChannel();
  return sessionOver(connection, channel);
};

function sessionOver(connection: ChannelModel, channel: ConfirmChannel): Session {
  /** Messages that came back, by their id, and why. The broker tells it before it confirms them. */
  const returned = new Map<string, string>();
  let blocked: string | null = null;
  let fault: Error | null = null;
  connection.on('blocked', (reason) => {
    blocked = reason;
  });
  connection.on('unblocked', () => {
    blocked = null;
  });
  channel.on('return', ({ properties, fields }) => {
    returned.set(String(properties.messageId), String((fields as { replyText?: unknown }).replyText));
  });
  // A channel that was closed cannot be used again: the next message connects anew.
  channel.on('error', (error) => {
    fault = error;
  });
  channel.on('close', () => void connection.close().catch(() => {}));

  return {
    closed: new Promise((resolve) => connection.once('close', resolve)),
    close: () => sayGoodbye(connection),
    publish(posting) {
      if (blocked !== null) {
        const refusal = new BrokerRefusal(`the broker takes nothing for now: ${blocked}`);
        return Promise.reject(refusal);
      }
      const { exchange, routing_key, options } = wordsOf(posting);
      const { event_id } = posting.subject;
      return new Promise((resolve, reject) => {
        channel.publish(exchange, routing_key, posting.body, options, (error: unknown) => {
          const comeBack = returned.get(event_id);
          returned.delete(event_id);
          const where = `exchange "${exchange}" with the routing key ${routing_key}`;
          if (error !== null && error !== undefined) reject(asRefusal(error, fault, where));
          else if (comeBack === undefined) resolve(JSON.stringify({ exchange, routing_key, confirmed: true }));
          else reject(new BrokerRefusal(`no queue takes what is published to ${where} (${comeBack}): bind one to it`));
        });
      });
    },
  };
}

/** A broker that has stopped answering says no goodbye either: nobody waits for it. */
async function sayGoodbye(connection: ChannelModel): Promise<void> {
  const late = new AbortController();
  const closed = connection.close().catch(() => {});
  await Promise.race([closed, pause(GOODBYE_MS, null, { signal: late.signal }).catch(() => {})]);
  late.abort();
  // Its declaration leaves out the socket, and nothing else ends it. By the error the client notices, and stops its heartbeat.
  (connection.connection as unknown as { stream: Socket }).stream.destroy(new Error('nobody said goodbye'));
}

function wordsOf({ to, subject, world, headers: list }: BrokerPosting) {
  const headers: Record<string, string> = {};
  for (let at = 0; at < list.length; at += 2) headers[list[at] ?? ''] = list[at + 1] ?? '';
  const { 'content-type': contentType, ...rest } = headers;
  const { exchange = '', routing_key = subjectOf(subject, world) } = to.settings;
  const { event_id: messageId, type } = subject;
  return {
    exchange,
    routing_key,
    options: {
      mandatory: true,
      persistent: true,
      messageId,
      type,
      appId: 'waypost',
      headers: { ...rest, 'waypost-key': subject.key },
      ...(contentType !== undefined && { contentType }),
    },
  };
}

function asRefusal(error: unknown, fault: Error | null, where: string): Error {
  if (fault !== null) return new BrokerRefusal(`the broker refused ${where}: ${fault.message}`);
  const { message } = error instanceof Error ? error : new Error(String(error));
  if (message === 'message nacked')
    return new BrokerRefusal(`the broker could not keep what was published to ${where}`);
  return new Error('the connection to the broker was closed before it confirmed the message');
}

function asWords(error: unknown, vhost: string): unknown {
  const { message } = error instanceof Error ? error : new Error(String(error));
  if (/ACCESS-REFUSED|403/.test(message)) return new BrokerRefusal('the broker does not take these credentials');
  // The client knows no better words for a virtual host that is not there or not for this user.
  if (message.startsWith('Expected ConnectionOpenOk'))
    return new BrokerRefusal(`the broker does not let this user into the virtual host ${vhost}`);
  return error;
}
