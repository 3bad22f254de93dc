// Kafka: each message is written to the partition of its key by the broker that leads it, and counts once all replicas in
// sync have it. It is numbered, and a retry carries the number of the first try, so that a partition which has it already
// drops it. Each partition is written to by one message at a time: then what became of a number is never in doubt.

import { setTimeout as pause } from 'node:timers/promises';
import {
  type BrokerPosting,
  BrokerRefusal,
  CalledOff,
  CONNECT_TIMEOUT_MS,
  type OpenSession,
  type Session,
  wordsFor,
} from './broker-destination.ts';
import { type DestinationOptions, EgressError, findAllowedAddresses } from './checked-address.ts';
import type { BrokerTarget } from './destination.ts';
import { CLOSED, connectToKafka, type KafkaConnection } from './kafka-connection.ts';
import { type ProducerNumber, partitionOf, writeBatch } from './kafka-record.ts';
import {
  isCertainlyNotWritten,
  isDuplicate,
  isMoved,
  isNotReady,
  isNumberUnknown,
  OK,
  wordsForCode,
} from './kafka-refusal.ts';
import {
  apis,
  type Member,
  readInitProducer,
  readMetadata,
  readProduce,
  type TopicPlan,
  writeInitProducer,
  writeMetadata,
  writeProduce,
} from './kafka-request.ts';

/** A plan of who leads what that is older is asked for again: partitions may have been added. */
const PLAN_AGE_MAX_MS = 300_000;
/** The broker is told how long it may wait for replicas, and has so much longer to say what came of it. */
const ANSWER_GRACE_MS = 1_000;
const SEQUENCES = 2 ** 31;
/** Who leads a partition now is known to all brokers so much later. */
const MOVE_PAUSE_MS = 200;
const NUMBERS_TRIES = 20;
const NUMBERS_PAUSE_MS = 100;
/** Of what outlives a connection, the oldest is forgotten. */
const REMEMBERED_MAX = 10_000;

/** The number of a message of which nobody knows whether it was written, and the partition where it means something. */
interface OpenNumber extends ProducerNumber {
  partition: number;
}
/** What outlives a connection, of whatever one process sends. */
interface Memory {
  open: Map<string, OpenNumber>;
  /** The brokers of a cluster as it last named them, by link: one of them may be there when that of the URL is not. */
  members: Map<string, readonly Member[]>;
}
const memories = new WeakMap<DestinationOptions, Memory>();

/** A partition as we write to it. */
interface Lane {
  topic: string;
  partition: number;
  /** The number that the next message gets; null when there is to be a new producer. */
  next: ProducerNumber | null;
  /** The end of what waits. */
  tail: Promise<unknown>;
}

export const openKafkaSession: OpenSession = async (to, world, options) => {
  const memory: Memory = memories.get(options) ?? { open: new Map(), members: new Map() };
  memories.set(options, memory);
  const { host, port } = to.address;
  const others = (memory.members.get(to.link) ?? []).filter((each) => each.host !== host || each.port !== port);
  const places = [{ host, port }, ...others];
  let fault: unknown = null;
  for (const place of places) {
    try {
      const addresses = await findAllowedAddresses(options, world, place.host);
      const within_ms = CONNECT_TIMEOUT_MS / places.length;
      const first = await connectToKafka({ ...place, addresses }, to, within_ms);
      return new KafkaSession({ to, world, options, memory }, first, nameOfPlace(place));
    } catch (error) {
      fault ??= error;
    }
  }
  throw fault;
};

interface Surroundings {
  to: BrokerTarget;
  world: 'live' | 'test';
  options: DestinationOptions;
  memory: Memory;
}

class KafkaSession implements Session {
  readonly closed: Promise<unknown>;
  readonly #around: Surroundings;
  readonly #lanes = new Map<string, Lane>();
  readonly #plans = new Map<string, { plan: Promise<TopicPlan>; asked_at: number }>();
  readonly #connections = new Map<string, Promise<KafkaConnection>>();
  /** Those of them that came about and are not gone. */
  readonly #live = new Set<KafkaConnection>();
  #end: () => void = () => {};
  #isClosed = false;

  constructor(around: Surroundings, first: KafkaConnection, name: string) {
    this.#around = around;
    this.closed = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    this.#keep(name, Promise.resolve(first));
    this.#watch(first);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#live) connection.close();
    this.#end();
  }

  async publish(posting: BrokerPosting): Promise<string> {
    const { subject, to, world } = posting;
    const topic = to.settings.topic ?? `waypost.${subject.tenant_id}.${world}`;
    const { leaders } = await this.#planOf(topic);
    const sent = this.#around.memory.open.get(nameOf(posting));
    const partition = sent?.partition ?? partitionOf(Buffer.from(subject.key), leaders.length);
    const lane = this.#laneOf(topic, partition);
    const turn = lane.tail.then(() => this.#write(lane, posting, true));
    lane.tail = turn.catch(() => {});
    return await turn;
  }

  #laneOf(topic: string, partition: number): Lane {
    const name = `${topic} ${partition}`;
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { topic, partition, next: null, tail: Promise.resolve() };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  /** Writes the message when its turn has come; once more where it certainly was not written and may be elsewhere. */
  async #write(lane: Lane, posting: BrokerPosting, mayRepeat: boolean): Promise<string> {
    if (!posting.maySend()) throw new CalledOff();
    if (this.#isClosed) throw new Error(CLOSED);
    const { topic, partition } = lane;
    const { open } = this.#around.memory;
    const name = nameOf(posting);
    const connection = await this.#leaderOf(lane);
    const kept = open.get(name);
    // Elsewhere it means nothing: the topic has got partitions meanwhile.
    const sent = kept?.partition === partition ? kept : undefined;
    const number = sent ?? lane.next ?? (await this.#askForNumbers(connection, topic));
    lane.next = sent === undefined ? number : lane.next;
    if (!posting.maySend()) throw new CalledOff();

    // From here on the number is taken, until the broker has said what became of it.
    if (sent === undefined) {
      remember(open, name, { ...number, partition });
      lane.next = null;
    }
    const request = writeProduce(topic, partition, writeBatch(recordOf(posting), number), posting.timeout_ms);
    const answer = await connection.ask(apis.produce, request, posting.timeout_ms + ANSWER_GRACE_MS);
    const { code, offset } = readProduce(answer);

    if (code === OK || isDuplicate(code)) {
      // Who asked may have given up meanwhile. Then the retry asks by this number, which has to stay the last one.
      if (posting.maySend()) {
        open.delete(name);
        if (sent === undefined) lane.next = { ...number, sequence: (number.sequence + 1) % SEQUENCES };
      }
      return JSON.stringify({ topic, partition, offset: code === OK ? Number(offset) : null });
    }
    const isWithoutMeaning = isNumberUnknown(code);
    if (isWithoutMeaning || (sent === undefined && isCertainlyNotWritten(code))) open.delete(name);
    if (sent === undefined && !isWithoutMeaning && isCertainlyNotWritten(code)) lane.next = number;
    if (isMoved(code)) this.#plans.delete(topic);
    if (mayRepeat && (isMoved(code) || isWithoutMeaning)) {
      if (isMoved(code)) await pause(MOVE_PAUSE_MS);
      return await this.#write(lane, posting, false);
    }
    throw new BrokerRefusal(wordsForCode(code, topic));
  }

  /** A broker that has just started has none yet. */
  async #askForNumbers(connection: KafkaConnection, topic: string, tries = NUMBERS_TRIES): Promise<ProducerNumber> {
    const answer = await connection.ask(apis.init_producer, writeInitProducer(), CONNECT_TIMEOUT_MS);
    const { code, producer_id, epoch } = readInitProducer(answer);
    if (code === OK) return { producer_id, epoch, sequence: 0 };
    if (!isNotReady(code) || tries <= 1) throw new BrokerRefusal(wordsForCode(code, topic));
    await pause(NUMBERS_PAUSE_MS);
    return await this.#askForNumbers(connection, topic, tries - 1);
  }

  #planOf(topic: string): Promise<TopicPlan> {
    const now = this.#around.options.now();
    const known = this.#plans.get(topic);
    if (known !== undefined && now - known.asked_at < PLAN_AGE_MAX_MS) return known.plan;
    const plan = this.#askForPlan(topic);
    this.#plans.set(topic, { plan, asked_at: now });
    plan.catch(() => {
      if (this.#plans.get(topic)?.plan === plan) this.#plans.delete(topic);
    });
    return plan;
  }

  async #askForPlan(topic: string): Promise<TopicPlan> {
    const [connection] = this.#live;
    if (connection === undefined) throw new Error(CLOSED);
    const plan = readMetadata(await connection.ask(apis.metadata, writeMetadata(topic), CONNECT_TIMEOUT_MS));
    if (plan.code !== OK || plan.leaders.length === 0) throw new BrokerRefusal(wordsForCode(plan.code, topic));
    const { memory, to } = this.#around;
    remember(memory.members, to.link, plan.members);
    return plan;
  }

  async #leaderOf({ topic, partition }: Lane): Promise<KafkaConnection> {
    const { leaders, members } = await this.#planOf(topic);
    const member = members.find(({ node }) => node === leaders[partition]);
    if (member === undefined) {
      this.#plans.delete(topic);
      throw new BrokerRefusal(wordsForCode(NO_LEADER, topic));
    }
    const name = nameOfPlace(member);
    return await (this.#connections.get(name) ?? this.#keep(name, this.#connectTo(member)));
  }

  #keep(name: string, connecting: Promise<KafkaConnection>): Promise<KafkaConnection> {
    this.#connections.set(name, connecting);
    const forget = () => {
      if (this.#connections.get(name) === connecting) this.#connections.delete(name);
      // Whoever led something from there may not do so now.
      this.#plans.clear();
    };
    connecting.then(({ closed }) => closed.then(forget), forget);
    return connecting;
  }

  /** Where the cluster says that a broker is: that is checked like any other address. */
  async #connectTo({ node, host, port }: Member): Promise<KafkaConnection> {
    const { to, world, options } = this.#around;
    try {
      const addresses = await findAllowedAddresses(options, world, host);
      return this.#watch(await connectToKafka({ host, port, addresses }, to, CONNECT_TIMEOUT_MS));
    } catch (error) {
      const sentence = `the cluster says that its broker ${node} is at ${host}:${port} (advertised.listeners): ${wordsFor(error)}`;
      if (error instanceof EgressError) throw new EgressError({ rule: 'advertised', sentence });
      throw error instanceof BrokerRefusal ? new BrokerRefusal(sentence) : new Error(sentence);
    }
  }

  #watch(connection: KafkaConnection): KafkaConnection {
    this.#live.add(connection);
    if (this.#isClosed) connection.close();
    void connection.closed.then(() => {
      this.#live.delete(connection);
      if (this.#live.size === 0) void this.close();
    });
    return connection;
  }
}

const NO_LEADER = 5;

/** A message has one number for each endpoint that it goes to. */
const nameOf = ({ to, subject }: BrokerPosting): string => `${to.link} ${subject.event_id}`;

const nameOfPlace = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`;

function remember<T>(kept: Map<string, T>, name: string, value: T): void {
  kept.set(name, value);
  const [oldest] = kept.keys();
  if (kept.size > REMEMBERED_MAX && oldest !== undefined) kept.delete(oldest);
}

function recordOf({ subject, headers, body }: BrokerPosting) {
  const { key, type } = subject;
  return {
    key: Buffer.from(key),
    value: body,
    headers: [...headers, 'waypost-type', type],
    timestamp: Date.now(),
  };
}
