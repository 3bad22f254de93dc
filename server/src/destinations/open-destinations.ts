// All kinds of destinations behind one: a message goes to the kind that its endpoint names. What carries messages to a
// broker is loaded when the first one is to go there, since most installations have none.

import { type OpenSession, openBrokerDestination } from './broker-destination.ts';
import type { DestinationOptions } from './checked-address.ts';
import type { BrokerTarget, Destination } from './destination.ts';
import { openHttpDestination } from './http-destination.ts';
import { openWritebackDestination } from './writeback-destination.ts';

const sessions: Readonly<Record<BrokerTarget['type'], OpenSession>> = {
  nats: async (...given) => (await import('./nats-session.ts')).openNatsSession(...given),
  rabbitmq: async (...given) => (await import('./rabbitmq-session.ts')).openRabbitSession(...given),
  kafka: async (...given) => (await import('./kafka-session.ts')).openKafkaSession(...given),
};

export function openDestinations(options: DestinationOptions): Destination {
  const http = openHttpDestination(options);
  const writeback = openWritebackDestination(http);
  const brokers = new Map<string, ReturnType<typeof openBrokerDestination>>();

  function brokersOf(type: keyof typeof sessions) {
    let found = brokers.get(type);
    if (found === undefined) {
      found = openBrokerDestination(options, sessions[type]);
      brokers.set(type, found);
    }
    return found;
  }

  return {
    post(posting, onAnswer) {
      const { to } = posting;
      if (to.type === 'http') return http.post({ ...posting, to }, onAnswer);
      if (to.type === 'writeback') return writeback.post({ ...posting, to }, onAnswer);
      return brokersOf(to.type).post({ ...posting, to }, onAnswer);
    },
    async close() {
      await Promise.all([http.close(), ...[...brokers.values()].map((each) => each.close())]);
    },
  };
}
