// The receiver's process as the demo sees it: started, told its secret, killed, started again, asked to compare.

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Reconciled } from './compare.ts';
import type { MirrorCounts } from './mirror.ts';
import type { BeginWords, ReceiverAnswer, ReceiverOrder, ReconcileOrder } from './receiver-words.ts';

const PROGRAM = join(import.meta.dirname, 'receiver.ts');

export interface Receiver {
  readonly url: string;
  /** As it last told. */
  readonly counts: MirrorCounts | null;
  /** Messages whose signature did not verify, over all its lives. */
  readonly refused: number;
  setSecret(secret: string): void;
  /** SIGKILL, and later a new process with the same port and journal. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  reconcile(order: Omit<ReconcileOrder, 'order'>): Promise<Reconciled>;
  stop(): Promise<void>;
}

export async function startReceiver(folder: string, prefix: string): Promise<Receiver> {
  const words: BeginWords = { port: 0, journal: join(folder, 'receiver.journal'), secret: null, prefix };
  let counts: MirrorCounts | null = null;
  const refusedBefore = { sum: 0, now: 0 };
  let child = await begin();

  async function begin(): Promise<ChildProcess> {
    const started = fork(PROGRAM, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    started.on('message', (answer: ReceiverAnswer) => {
      if (answer.say !== 'progress') return;
      counts = answer.counts;
      refusedBefore.now = answer.refused;
    });
    started.send(words);
    words.port = await hear(started, (answer) => (answer.say === 'listening' ? answer.port : undefined));
    // What it knows from its journal counts from the start.
    await hear(started, (answer) => (answer.say === 'progress' ? true : undefined));
    return started;
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await ended;
  }

  return {
    get url() {
      return `http://127.0.0.1:${words.port}/hooks`;
    },
    get counts() {
      return counts;
    },
    get refused() {
      return refusedBefore.sum + refusedBefore.now;
    },
    setSecret(secret) {
      words.secret = secret;
      child.send({ order: 'secret', secret } satisfies ReceiverOrder);
    },
    async kill() {
      await end('SIGKILL');
      refusedBefore.sum += refusedBefore.now;
      refusedBefore.now = 0;
    },
    async restart() {
      child = await begin();
    },
    async reconcile(order) {
      const answered = hear(child, (answer) => (answer.say === 'reconciled' ? answer.reconciled : undefined));
      child.send({ order: 'reconcile', ...order } satisfies ReceiverOrder);
      return answered;
    },
    stop: () => end('SIGTERM'),
  };
}

/** The first answer of which `pick` makes something. */
function hear<T>(child: ChildProcess, pick: (answer: ReceiverAnswer) => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const listen = (answer: ReceiverAnswer): void => {
      const found = pick(answer);
      if (found === undefined && answer.say !== 'failed') return;
      leave();
      if (found !== undefined) resolve(found);
      else if (answer.say === 'failed') reject(new Error(answer.message));
    };
    const gone = (): void => {
      leave();
      reject(new Error('the receiver ended without an answer'));
    };
    const leave = (): void => {
      child.off('message', listen);
      child.off('exit', gone);
    };
    child.on('message', listen);
    child.on('exit', gone);
  });
}
