// Runs transforms in threads of their own, within limits: a thread that takes too long or too much memory is ended, and
// the next transform gets a fresh one. Threads are started when there is something to do and ended when there is not.

import { Worker } from 'node:worker_threads';
import { TRANSFORM_MEMORY_MAX_MB, TRANSFORM_TIME_MAX_MS } from './transform.ts';

/** Two, so that one whose transforms are slow leaves a thread to all others. */
const THREADS_MAX = 2;
/** What a thread is given beyond the time of an expression, which ends itself where it can. */
const GRACE_MS = 250;
const START_MAX_MS = 10_000;
/** A thread that had nothing to do for so long is ended. */
const IDLE_MS = 30_000;

export interface TransformInput {
  expression: string;
  /** The event. */
  text: string;
  /** When it was recorded. */
  at_ms: number;
}

export type TransformAnswer =
  | { output: string; error: null; position: null }
  | { output: null; error: string; position: number | null };

export type TransformOutcome = TransformAnswer & { duration_ms: number };

export interface TransformPool {
  /** Never rejects. Of one owner one runs at a time; owners take turns. */
  run(owner: string, input: TransformInput): Promise<TransformOutcome>;
  /** How many of an owner wait. */
  waiting(owner: string): number;
  stop(): Promise<void>;
}

interface Turn {
  owner: string;
  input: TransformInput;
  answer(outcome: TransformOutcome): void;
}

export function openTransformPool({ timeMaxMs = TRANSFORM_TIME_MAX_MS } = {}): TransformPool {
  /** In the order in which their turn comes. */
  const queues = new Map<string, Turn[]>();
  const busy = new Set<string>();
  const threads = new Set<TransformThread>();
  let isStopped = false;

  function next(): Turn | null {
    for (const [owner, turns] of queues) {
      if (busy.has(owner)) continue;
      const turn = turns.shift();
      queues.delete(owner);
      if (turns.length > 0) queues.set(owner, turns);
      if (turn !== undefined) return turn;
    }
    return null;
  }

  function work(): void {
    for (;;) {
      const free = [...threads].find((thread) => thread.isFree);
      if (free === undefined && threads.size >= THREADS_MAX) return;
      const turn = next();
      if (turn === null) return;
      const thread = free ?? new TransformThread(timeMaxMs, (ended) => threads.delete(ended));
      threads.add(thread);
      busy.add(turn.owner);
      void thread.run(turn.input).then((outcome) => {
        busy.delete(turn.owner);
        turn.answer(outcome);
        work();
      });
    }
  }

  return {
    waiting: (owner) => queues.get(owner)?.length ?? 0,
    run(owner, input) {
      if (isStopped) return Promise.resolve(failed('the server is stopping', 0));
      return new Promise((answer) => {
        const turns = queues.get(owner);
        if (turns === undefined) queues.set(owner, [{ owner, input, answer }]);
        else turns.push({ owner, input, answer });
        work();
      });
    },
    async stop() {
      isStopped = true;
      for (const turns of queues.values()) for (const turn of turns) turn.answer(failed('the server is stopping', 0));
      queues.clear();
      await Promise.all([...threads].map((thread) => thread.end('the server is stopping')));
    },
  };
}

function failed(error: string, duration_ms: number): TransformOutcome {
  return { output: null, error, position: null, duration_ms };
}

class TransformThread {
  readonly #worker: Worker;
  readonly #timeMaxMs: number;
  readonly #onEnd: (thread: TransformThread) => void;
  #answer: ((outcome: TransformOutcome) => void) | null = null;
  #input: TransformInput | null = null;
  #isReady = false;
  #isEnded = false;
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeMaxMs: number, onEnd: (thread: TransformThread) => void) {
    this.#timeMaxMs = timeMaxMs;
    this.#onEnd = onEnd;
    this.#worker = new Worker(new URL('./transform-thread.ts', import.meta.url), {
      workerData: { timeMaxMs },
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: TRANSFORM_MEMORY_MAX_MB, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
    });
    this.#worker.unref();
    this.#worker.on('message', (message: TransformAnswer | 'ready') => this.#hear(message));
    this.#worker.on('error', (error: Error & { code?: string }) => {
      const isFull = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      void this.end(isFull ? `it needs more than ${TRANSFORM_MEMORY_MAX_MB} MiB of memory` : error.message);
    });
    this.#worker.on('exit', () => void this.end('its thread ended'));
  }

  get isFree(): boolean {
    return this.#answer === null && !this.#isEnded;
  }

  run(input: TransformInput): Promise<TransformOutcome> {
    return new Promise((answer) => {
      this.#answer = answer;
      this.#input = input;
      this.#since = performance.now();
      if (this.#isReady) this.#begin();
      else this.#endAfter(START_MAX_MS, 'no thread could be started for it');
    });
  }

  async end(reason: string): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#onEnd(this);
    this.#tell(failed(reason, 0));
    await this.#worker.terminate();
  }

  #hear(message: TransformAnswer | 'ready'): void {
    if (this.#isEnded) return;
    clearTimeout(this.#timer);
    if (message === 'ready') {
      this.#isReady = true;
      this.#begin();
      return;
    }
    this.#endAfter(IDLE_MS, 'it had nothing to do');
    this.#tell({ ...message, duration_ms: 0 });
  }

  #begin(): void {
    if (this.#input === null) return;
    this.#since = performance.now();
    this.#endAfter(this.#timeMaxMs + GRACE_MS, `it takes longer than ${this.#timeMaxMs} ms`);
    this.#worker.postMessage(this.#input);
    this.#input = null;
  }

  #endAfter(ms: number, reason: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.end(reason), ms);
    this.#timer.unref();
  }

  #tell(outcome: TransformOutcome): void {
    const answer = this.#answer;
    this.#answer = null;
    answer?.({ ...outcome, duration_ms: Math.round((performance.now() - this.#since) * 1_000) / 1_000 });
  }
}
