// What drills of the sender share: senders in processes of their own, receivers that only count, and what must hold of
// everything that arrived.

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Receiver, SenderKit } from './sender-kit.ts';

export const jobsOf = (count: number, jobs = 40) => Array.from({ length: count }, (_, index) => `job_${index % jobs}`);

/** Nothing is lost, and each job's events came in order at first. */
export function assertComplete(receiver: Receiver, sequences: number[]): { duplicates: number } {
  const seen = new Set(receiver.sequences);
  assert.deepEqual(
    sequences.filter((sequence) => !seen.has(sequence)),
    [],
    'nothing is lost',
  );
  const first = new Set<number>();
  const last = new Map<string, number>();
  for (const { job_id, sequence } of receiver.messages) {
    if (sequence === null || first.has(sequence)) continue;
    first.add(sequence);
    assert.ok((last.get(job_id) ?? 0) < sequence, `first sendings of ${job_id} in order`);
    last.set(job_id, sequence);
  }
  return { duplicates: receiver.sequences.length - seen.size };
}

/** The sequences of all events about jobs. */
export async function logged(kit: SenderKit): Promise<number[]> {
  const rows = await kit.db.sql<
    { sequence: number }[]
  >`select sequence from events where world_id = ${kit.world_id} and type like 'job.%' order by sequence`;
  return rows.map(({ sequence }) => sequence);
}

export function forkSender(kit: SenderKit): ChildProcess {
  const options = {
    addresses: kit.db.addresses,
    masterKey: kit.masterKey.toString('hex'),
    secretKey: kit.secretKey.toString('hex'),
  };
  return fork(join(import.meta.dirname, 'sender-process.ts'), {
    env: { ...process.env, SENDER_OPTIONS: JSON.stringify(options) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** A receiver that keeps nothing but counts, so that a million messages fit. A message counts when it is answered with 2xx. */
export class Counter {
  /** The status for a message, by how many were asked for before. */
  statusOf: (asked: number) => number = () => 204;
  asked = 0;
  taken = 0;
  repeated = 0;
  outOfOrder = 0;
  /** When the last one was taken. */
  taken_at = 0;
  readonly #last = new Map<string, number>();
  readonly #taken = new Set<number>();
  readonly #server;
  #waiting: { count: number; done: () => void }[] = [];

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const sequence = Number(request.headers['waypost-sequence'] ?? 0);
        const status = sequence === 0 ? this.testStatus : this.statusOf(this.asked++);
        if (sequence !== 0 && status < 300) this.#take(sequence, Buffer.concat(chunks).toString());
        response.writeHead(status).end();
      });
    });
    this.#server.keepAliveTimeout = 60_000;
  }
  /** How a test is answered. */
  testStatus = 204;

  static async start(t: TestContext): Promise<Counter> {
    const counter = new Counter();
    counter.#server.listen(0, '127.0.0.1');
    await once(counter.#server, 'listening');
    t.after(() => {
      counter.#server.close();
      counter.#server.closeAllConnections();
    });
    return counter;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks`;
  }

  /** Waits until so many different messages were taken. */
  async untilTaken(count: number): Promise<void> {
    if (this.taken < count) await new Promise<void>((done) => this.#waiting.push({ count, done }));
  }

  #take(sequence: number, body: string): void {
    if (this.#taken.has(sequence)) {
      this.repeated++;
      return;
    }
    const job = /"data_id":"([^"]+)"/.exec(body)?.[1] ?? '';
    if ((this.#last.get(job) ?? 0) > sequence) this.outOfOrder++;
    this.#last.set(job, sequence);
    this.#taken.add(sequence);
    this.taken++;
    this.taken_at = performance.now();
    for (const { count, done } of this.#waiting) if (this.taken >= count) done();
    this.#waiting = this.#waiting.filter(({ count }) => this.taken < count);
  }
}
