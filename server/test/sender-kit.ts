// What the sender's tests share: a world with its ledger, a receiver that plays a script, a clock that is moved by hand.
// Time that messages and circuits live by is this clock's; nothing here sleeps for it.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import pino from 'pino';
import { insertOrganization, insertTenant } from '../src/access/tenant.store.ts';
import { makePartitions } from '../src/db/partitions.ts';
import { openPool } from '../src/db/sql.ts';
import type { Command, Decision, EventDraft, Moment, WorkingSet } from '../src/ledger/command.ts';
import { mintId } from '../src/ledger/id.ts';
import { type Ledger, openLedger } from '../src/ledger/ledger.ts';
import { createSubjectKeys, type SubjectKeys } from '../src/ledger/subject-keys.ts';
import { type EndpointInput, ORDER_PATIENCE_MAX_S } from '../src/webhooks/endpoint.schema.ts';
import { createEndpoint, loadForCreate, loadOne, requireEndpoint } from '../src/webhooks/endpoint.ts';
import type { StoredEndpoint } from '../src/webhooks/endpoint-change.ts';
import { askedBy, requestRedrive } from '../src/webhooks/redrive.ts';
import { sealCredentials, sealSecret, secretKeyId } from '../src/webhooks/sealed-secret.ts';
import { type Sender, type SenderOptions, startSender } from '../src/webhooks/sender.loop.ts';
import { writeSecret } from '../src/webhooks/signing.ts';
import { openTransformPool } from '../src/webhooks/transform-pool.ts';
import { createDatabase, type TestDatabase } from './harness.ts';

export interface Received {
  headers: Record<string, string | undefined>;
  body: string;
  sequence: number | null;
  type: string;
  job_id: string;
}

/** What the receiver does with one request: a status with headers, or anything with the socket. */
export type Act =
  | { status: number; headers?: Record<string, string>; body?: string }
  | { hold: true }
  | { socket(socket: Socket): void };
export type Script = (message: Received, count: number) => Act | Promise<Act>;

/** Of a wait for the receiver, on a machine that is busy with much else. */
const PATIENCE_MS = 120_000;

export const OK: Act = { status: 200, body: 'thanks' };

/** An HTTP server that notes what it gets and answers as its script says. */
export class Receiver {
  script: Script = () => OK;
  readonly received: Received[] = [];
  readonly #server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: (() => void)[] = [];
  readonly #held: ServerResponse[] = [];

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(port = 0): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks`;
  }

  /** Messages of the log, without tests. */
  get messages(): Received[] {
    return this.received.filter((message) => message.sequence !== null);
  }
  get sequences(): number[] {
    return this.messages.map((message) => message.sequence ?? 0);
  }

  /** Waits until a condition on what was received holds; says what was received if it never does. */
  async until(condition: (receiver: Receiver) => boolean): Promise<void> {
    const timeout = AbortSignal.timeout(PATIENCE_MS);
    while (!condition(this))
      await new Promise<void>((resolve, reject) => {
        this.#waiting.push(resolve);
        timeout.onabort = () => reject(new Error(`waited in vain; received: ${this.sequences.join(' ')}`));
      });
  }

  /** Answers what `hold` kept open. */
  release(act: { status: number; headers?: Record<string, string> } = { status: 200 }): void {
    for (const response of this.#held.splice(0)) response.writeHead(act.status, act.headers).end();
  }

  /** Ends idle connections, so that the next message needs a new one. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close').catch(() => {});
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(request, 'close');
    // Called off by the sender.
    if (!request.complete) return;
    const body = Buffer.concat(chunks).toString();
    const event = JSON.parse(body) as { type: string; sequence: number | null; data: { data_id: string } };
    const message = {
      headers: request.headers as Received['headers'],
      body,
      sequence: event.sequence,
      type: event.type,
      job_id: event.data.data_id,
    };
    this.received.push(message);
    const act =
      event.type === 'endpoint.test' && this.isTestPassed ? OK : await this.script(message, this.received.length);
    if ('socket' in act) act.socket(request.socket);
    else if ('hold' in act) this.#held.push(response);
    else response.writeHead(act.status, act.headers).end(act.body);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
  /** Tests are answered with 200 whatever the script says. */
  isTestPassed = true;
}

/** A clock that stands still until it is moved ahead, so that a slow machine changes nothing. */
export class TestClock {
  #now = Date.now();
  now = (): number => this.#now;
  advance(ms: number): void {
    this.#now += ms;
  }
}

export class SenderKit {
  readonly db: TestDatabase;
  readonly world_id: number;
  readonly live_world_id: number;
  readonly ledger: Ledger;
  readonly keys: SubjectKeys;
  readonly clock = new TestClock();
  /** Every sender that was started. */
  readonly senders: Sender[] = [];
  readonly transforms = openTransformPool();
  readonly secretKey = randomBytes(32);
  readonly masterKey: Buffer;
  readonly #t: TestContext;

  constructor(
    t: TestContext,
    db: TestDatabase,
    worlds: { test_world_id: number; live_world_id: number },
    ledger: Ledger,
    keys: SubjectKeys,
    masterKey: Buffer,
  ) {
    this.masterKey = masterKey;
    this.#t = t;
    this.db = db;
    this.world_id = worlds.test_world_id;
    this.live_world_id = worlds.live_world_id;
    this.ledger = ledger;
    this.keys = keys;
    t.after(() => this.transforms.stop());
  }

  async receiver(): Promise<Receiver> {
    const receiver = new Receiver();
    await receiver.listen();
    this.#t.after(() => receiver.close());
    return receiver;
  }

  async sender(options: Partial<SenderOptions> = {}): Promise<Sender> {
    const sender = await startSender({
      address: this.db.addresses.sender,
      ledger: this.ledger,
      keys: this.keys,
      transforms: this.transforms,
      secretKey: this.secretKey,
      egress: { allow: [], loopback_for_test: true },
      log: pino({ level: process.env.LOG_SENDER ?? 'silent' }),
      clock: this.clock,
      jitter: () => 0,
      ...options,
    });
    let isStopped = false;
    const stop = sender.stop.bind(sender);
    sender.stop = async (drainMs) => {
      if (isStopped) return;
      isStopped = true;
      await stop(drainMs);
    };
    this.senders.push(sender);
    this.#t.after(() => sender.stop());
    return sender;
  }

  /** Order holds however far a test moves the clock, unless the test names its own patience. */
  async endpoint(input: EndpointInput & { secret?: string }): Promise<{ id: string; secret: string }> {
    const { secret = writeSecret(randomBytes(32)), ...rest } = input;
    const id = mintId('whe', Date.now());
    const sealed = sealSecret(this.secretKey, { world_id: this.world_id, endpoint_id: id }, secret);
    await this.commit('endpoint.create', loadForCreate(), (set, moment) =>
      createEndpoint(
        set,
        moment,
        {
          id,
          input: { order_patience_s: ORDER_PATIENCE_MAX_S, ...rest },
          start: null,
          secret: { key_id: secretKeyId(this.secretKey), sealed },
          secret_text: secret,
          headers: null,
          credentials: sealCredentials(
            this.secretKey,
            { world_id: this.world_id, endpoint_id: id },
            rest.credentials ?? {},
          ),
          signing_key: null,
        },
        { channel_ids: null, may_read_contacts: true },
      ),
    );
    return { id, secret };
  }

  /** Changes an endpoint by one of its rules. */
  async change(
    id: string,
    decide: (stored: StoredEndpoint, moment: Parameters<Command['decide']>[1]) => ReturnType<Command['decide']>,
  ): Promise<void> {
    await this.commit('endpoint.change', loadOne(id), (set, moment) =>
      decide(requireEndpoint(set, id, { channel_ids: null, may_read_contacts: true }), moment),
    );
  }

  /** The same for rules that look into the working set. */
  async changeWith(
    id: string,
    decide: (set: WorkingSet, stored: StoredEndpoint, moment: Moment) => Decision,
  ): Promise<void> {
    await this.commit('endpoint.change', loadOne(id), (set, moment) =>
      decide(set, requireEndpoint(set, id, { channel_ids: null, may_read_contacts: true }), moment),
    );
  }

  /** Asks for these dead letters to be sent again, a moment after they died by the clock of the test. */
  async redrive(dead_letter_ids: string[]): Promise<void> {
    this.clock.advance(0);
    const asked = askedBy({ dead_letter_ids }, null);
    await this.commit('test.redrive', [], (_set, moment) =>
      requestRedrive({ ...moment, now: new Date(this.clock.now()).toISOString() }, asked, dead_letter_ids.length),
    );
  }

  /** Appends one event about each of these jobs, in order, in as few commits as the ledger makes. */
  async emit(jobs: readonly string[], type = 'job.updated'): Promise<void> {
    await Promise.all(
      jobs.map((job) =>
        this.commit('test.emit', [], () => ({
          events: [draft(job, type)],
          puts: [],
          reply: { status: 200, body: null, version: null, location: null },
        })),
      ),
    );
  }

  /** The same in one commit. */
  async emitTogether(jobs: readonly string[], type = 'job.updated'): Promise<void> {
    await this.commit('test.emit', [], () => ({
      events: jobs.map((job) => draft(job, type)),
      puts: [],
      reply: { status: 200, body: null, version: null, location: null },
    }));
  }

  commit(name: string, load: Command['load'], decide: Command['decide']) {
    return this.ledger.commit({
      name,
      world_id: this.world_id,
      actor: { type: 'system', id: 'test' },
      cause: 'api',
      correlation_id: 'corr-1',
      idempotency: null,
      load,
      decide,
    });
  }

  async status(id: string): Promise<{ status: string; paused_reason: string | null }> {
    const [row] = await this.db.sql<
      { body: string }[]
    >`select body from endpoints where world_id = ${this.world_id} and endpoint_id = ${id}`;
    return JSON.parse(row?.body ?? '{}') as { status: string; paused_reason: string | null };
  }

  async head(): Promise<number> {
    const [row] = await this.db.sql<
      { sequence: number }[]
    >`select sequence from heads where world_id = ${this.world_id}`;
    return row?.sequence ?? 0;
  }

  /** Looks into the database until a condition holds; the sender's own flush decides when. */
  async eventually(look: () => Promise<boolean>): Promise<void> {
    while (!(await look())) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Waits until everything before `sequence` is settled, or everything there is. */
  async settled(id: string, sequence?: number): Promise<void> {
    const end = sequence ?? (await this.head());
    await this.eventually(async () => {
      const [row] = await this.db.sql<
        { sequence: number }[]
      >`select sequence from cursors where world_id = ${this.world_id} and endpoint_id = ${id}`;
      return (row?.sequence ?? 0) >= end;
    });
  }

  async active(id: string): Promise<void> {
    await this.eventually(async () => (await this.status(id)).status === 'active');
  }
}

function draft(job: string, type: string): EventDraft {
  return {
    type,
    topics: [],
    data_id: job,
    job_id: job,
    job_sequence: 1,
    channel_id: null,
    document: null,
    changes: {},
    occurred_at: null,
    effective_at: null,
    implied: false,
    applied: true,
    causation_id: null,
  };
}

export async function startKit(t: TestContext): Promise<SenderKit> {
  const db = await createDatabase();
  await insertOrganization(db.sql, { organization_id: 'org_1', name: 'One' });
  const worlds = await insertTenant(db.sql, { organization_id: 'org_1', tenant_id: 'ten_1', name: 'One' });
  // The clock of a test may be moved ahead by days; what is written then needs its partitions.
  for (const days of [4, 9, 14]) await makePartitions(db.sql, new Date(Date.now() + days * 86_400_000));
  const masterKey = randomBytes(32);
  const keys = createSubjectKeys(masterKey);
  const reads = openPool(db.addresses.app, { name: 'reads', connectionsMax: 2 });
  const ledger = openLedger({
    address: db.addresses.ledger,
    reads,
    keys,
    lanes: 1,
    constraints: {},
    onFault: (command, error) => console.error(command.name, error),
  });
  t.after(async () => {
    await ledger.stop();
    await reads.end();
  });
  return new SenderKit(t, db, worlds, ledger, keys, masterKey);
}
