// A real Kafka for tests, in KRaft mode: its jars come through Maven and stay where Maven keeps them. One Java process
// besides makes its folders ready, makes topics and reads them with Kafka's own client.

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { type BrokerProcess, folderFor, startBroker, tellMissing } from './broker-process.ts';
import { findFreePort } from './server-process.ts';

const VERSION = '4.1.0';
const CACHE = join(homedir(), '.m2', `waypost-kafka-${VERSION}`);
const CLASSPATH = join(CACHE, 'classpath');
const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath';
const OFFLINE_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 120_000;
const TOOL = join(import.meta.dirname, 'KafkaTool.java');
/** Small and soon ready: it lives for a test. */
const JVM = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/** True when the tests of Kafka can run; else says so. Its jars are fetched where there are none, and then stay. */
export function hasKafka(): boolean {
  return findKafka() || tellMissing('kafka');
}

function findKafka(): boolean {
  if (spawnSync('java', ['-version']).status !== 0) return false;
  if (readClasspath() !== null) return true;
  fetchJars(['-o'], OFFLINE_TIMEOUT_MS);
  if (readClasspath() === null) fetchJars([], FETCH_TIMEOUT_MS);
  return readClasspath() !== null;
}

function readClasspath(): string | null {
  if (!existsSync(CLASSPATH)) return null;
  const text = readFileSync(CLASSPATH, 'utf8').trim();
  return text !== '' && text.split(delimiter).every((jar) => existsSync(jar)) ? text : null;
}

function fetchJars(options: readonly string[], timeout: number): void {
  mkdirSync(CACHE, { recursive: true });
  const dependency = `<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>`;
  const names = '<groupId>waypost</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>';
  const project = `<project><modelVersion>4.0.0</modelVersion>${names}<packaging>pom</packaging><dependencies>${dependency}</dependencies></project>`;
  writeFileSync(join(CACHE, 'pom.xml'), project);
  // Written beside it first: what is there is whole.
  const file = `${CLASSPATH}.${process.pid}`;
  const patience = ['-Daether.connector.connectTimeout=5000', '-Daether.connector.requestTimeout=20000'];
  const args = ['-B', '-q', ...options, ...patience, '-f', CACHE, PLUGIN, `-Dmdep.outputFile=${file}`];
  const { status } = spawnSync('mvn', args, { timeout, stdio: 'ignore' });
  if (status === 0 && existsSync(file)) renameSync(file, CLASSPATH);
  rmSync(file, { force: true });
}

function classpath(): string {
  const found = readClasspath();
  if (found === null) throw new Error('the jars of Kafka are not here any more');
  return found;
}

/** A message as Kafka's own client reads it. */
export interface KafkaMessage {
  partition: number;
  offset: number;
  key: string;
  value: string;
  headers: Record<string, string>;
}

export interface KafkaTool {
  format(config: string, cluster: string, users: readonly string[]): Promise<void>;
  create(port: number, topic: string, partitions: number, settings?: string, replicas?: number): Promise<void>;
  read(port: number, topic: string): Promise<KafkaMessage[]>;
}

export function startKafkaTool(t: TestContext): KafkaTool {
  const child = spawn('java', [...JVM, '-cp', classpath(), TOOL], { stdio: ['pipe', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  async function ask(...words: string[]): Promise<string[][]> {
    child.stdin.write(`${words.join('\t')}\n`);
    const answers: string[][] = [];
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error('the tool of Kafka has ended');
      const answer = value.split('\t');
      if (answer[0] === 'failed') throw new Error(`${words.join(' ')}: ${answer[1]}`);
      if (answer[0] === 'done') return answers;
      answers.push(answer);
    }
  }

  const at = (port: number) => `127.0.0.1:${port}`;
  return {
    format: async (config, cluster, users) => void (await ask('format', config, cluster, ...users)),
    create: async (port, topic, partitions, settings = '', replicas = 1) =>
      void (await ask('create', at(port), topic, String(partitions), String(replicas), settings)),
    read: async (port, topic) => (await ask('read', at(port), topic)).map(readMessage),
  };
}

function readMessage([, partition, offset, key = '', value = '', headers = '']: string[]): KafkaMessage {
  const decode = (text: string) => Buffer.from(text, 'base64').toString();
  const pairs = headers.split(' ').map((pair) => pair.split(':').map(decode));
  return {
    partition: Number(partition),
    offset: Number(offset),
    key: decode(key),
    value: decode(value),
    headers: Object.fromEntries(pairs),
  };
}

export interface KafkaProcess extends BrokerProcess {
  readonly tool: KafkaTool;
  /** With TLS, for `localhost` and signed by itself. */
  readonly tls_port: number;
  /** Wants the login of USER. */
  readonly sasl_port: number;
  /** Leads to a cluster that says it is in a private network. */
  readonly elsewhere_port: number;
  /** Starts a second broker of the cluster. */
  join(t: TestContext): Promise<BrokerProcess>;
  /** By which a message and its answer go through `road`. */
  readonly road: Road;
}

/** What goes to a broker and comes back, and may be cut. */
export interface Road {
  readonly port: number;
  /** The next message reaches the broker, and its answer is lost with the connection. */
  loseNextAnswer(): void;
  /** How many were lost. */
  readonly lost: number;
}

export const USER = { username: 'waypost', password: 's3cret' };
/** Is known, and may do nothing. */
export const GUEST = { username: 'guest', password: 'guest-1' };
export const ELSEWHERE = '10.9.8.7:9092';

const PRODUCE = 0;
/** Where the kind of a request stands: after its length. */
const KIND_AT = 4;

async function startRoad(t: TestContext, brokerPort: number): Promise<Road> {
  let willLose = false;
  let lost = 0;
  const server = createServer((client) => {
    const broker = connect(brokerPort, '127.0.0.1');
    let isLost = false;
    client.on('data', (chunk: Buffer) => {
      if (willLose && chunk.readInt16BE(KIND_AT) === PRODUCE) {
        willLose = false;
        isLost = true;
      }
      broker.write(chunk);
    });
    broker.on('data', (chunk: Buffer) => {
      if (!isLost) {
        client.write(chunk);
        return;
      }
      lost += 1;
      client.destroy();
    });
    const end = () => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) socket.on('error', end).on('close', end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return {
    port: (server.address() as AddressInfo).port,
    loseNextAnswer: () => {
      willLose = true;
    },
    get lost() {
      return lost;
    },
  };
}

export async function startKafka(t: TestContext, certificate: { cert: string; key: string }): Promise<KafkaProcess> {
  const folder = await folderFor(t, 'kafka');
  const tool = startKafkaTool(t);
  const [port, tls_port, sasl_port, elsewhere_port, road_port, controller] = [
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
  ];
  const road = await startRoad(t, road_port);
  const keystore = join(folder, 'keystore.pem');
  await writeFile(keystore, `${await readFile(certificate.key, 'utf8')}${await readFile(certificate.cert, 'utf8')}`);
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${USER.username}="${USER.password}";`;
  const guarded = {
    'listener.name.tls.ssl.keystore.type': 'PEM',
    'listener.name.tls.ssl.keystore.location': keystore,
    'listener.name.sasl.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl.plain.sasl.jaas.config': plain,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': scram,
  };
  const users = [USER, GUEST].flatMap(({ username, password }) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((kind) => `${kind}=[name=${username},iterations=4096,password=${password}]`),
  );
  const cluster = randomBytes(16).toString('base64url');
  const here = (name: string, at: number) => `${name}://127.0.0.1:${at}`;

  async function startNode(t: TestContext, node: number, at: number, properties: Record<string, string>) {
    const home = await folderFor(t, `kafka-${node}`);
    const config = join(home, 'server.properties');
    const whole = { 'node.id': node, 'log.dirs': join(home, 'data'), ...propertiesFor(controller), ...properties };
    await writeFile(
      config,
      Object.entries(whole)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    await tool.format(config, cluster, users);
    const args = [...JVM, '-cp', classpath(), 'kafka.Kafka', config];
    return await startBroker(t, { command: 'java', args, env: process.env, port: at });
  }

  const broker = await startNode(t, 1, port, {
    'process.roles': 'broker,controller',
    listeners: `${here('PLAIN', port)},${here('TLS', tls_port)},${here('SASL', sasl_port)},${here('ELSEWHERE', elsewhere_port)},${here('ROAD', road_port)},${here('CONTROLLER', controller)}`,
    'advertised.listeners': `${here('PLAIN', port)},TLS://localhost:${tls_port},${here('SASL', sasl_port)},ELSEWHERE://${ELSEWHERE},${here('ROAD', road.port)}`,
    ...guarded,
  });
  const joinCluster = async (t: TestContext) => {
    const at = await findFreePort();
    return await startNode(t, 2, at, { 'process.roles': 'broker', listeners: here('PLAIN', at) });
  };
  return { ...broker, tool, tls_port, sasl_port, elsewhere_port, road, join: joinCluster };
}

/** Of each broker of the cluster. */
const propertiesFor = (controller: number) => ({
  'controller.quorum.voters': `1@127.0.0.1:${controller}`,
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'PLAIN',
  'listener.security.protocol.map':
    'PLAIN:PLAINTEXT,TLS:SSL,SASL:SASL_PLAINTEXT,ELSEWHERE:PLAINTEXT,ROAD:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': `User:ANONYMOUS;User:${USER.username}`,
  // What Waypost does not ask for is not made all the same.
  'auto.create.topics.enable': true,
  'offsets.topic.replication.factor': 1,
  'num.network.threads': 1,
  'num.io.threads': 2,
  'log.cleaner.enable': false,
  // One that was killed is missed for less time when it comes back.
  'broker.session.timeout.ms': 2_000,
  'broker.heartbeat.interval.ms': 500,
});
