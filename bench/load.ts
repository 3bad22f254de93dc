// The load generator: HTTP/1.1 over raw keep-alive sockets, because on a shared machine every microsecond that the
// client spends is taken from the server. Closed loop (as fast as answers come) and open loop (constant arrival rate,
// so that a slow answer delays no later request and none is left out of the figures).

import { connect, type Socket } from 'node:net';

export interface Target {
  port: number;
  connections: number;
  /** The n-th request, head and body, as bytes ready to send. */
  request(n: number): string;
  /** Sees each whole answer as it comes. */
  onAnswer?(answer: Buffer): void;
}

export interface LoadResult {
  answers: number;
  seconds: number;
  perSecond: number;
  /** Milliseconds, ascending. */
  latenciesMs: number[];
  /** Answers by status. */
  statuses: Record<string, number>;
  /** First answer that was not 2xx, for the one who wonders why. */
  firstFault: string | null;
}

/** One request as text. Bodies are ASCII or JSON-escaped, so its length in characters is its length in bytes. */
export function requestText(method: string, path: string, headers: Record<string, string>, body: string): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = Buffer.byteLength(body);
  return `${method} ${path} HTTP/1.1\r\nhost: bench\r\n${lines.join('')}content-length: ${length}\r\n\r\n${body}`;
}

/** Keeps every connection busy for so long: one request in flight on each. */
export async function runClosedLoop(target: Target, durationMs: number): Promise<LoadResult> {
  const run = new Run();
  const until = performance.now() + durationMs;
  let sent = 0;
  const started = performance.now();
  const lines = await Promise.all(Array.from({ length: target.connections }, () => openLine(target, run)));
  await Promise.all(
    lines.map(async (line) => {
      while (performance.now() < until) await line.ask(target.request(sent++));
      line.close();
    }),
  );
  return run.result((performance.now() - started) / 1000);
}

/** Sends exactly so many requests, as fast as answers come. */
export async function runCount(target: Target, count: number): Promise<LoadResult> {
  const run = new Run();
  let sent = 0;
  const started = performance.now();
  const lines = await Promise.all(Array.from({ length: target.connections }, () => openLine(target, run)));
  await Promise.all(
    lines.map(async (line) => {
      while (sent < count) await line.ask(target.request(sent++));
      line.close();
    }),
  );
  return run.result((performance.now() - started) / 1000);
}

/** Sends at a constant rate. A request that finds no free connection waits, and its wait counts as latency. */
export async function runOpenLoop(target: Target, perSecond: number, durationMs: number): Promise<LoadResult> {
  const run = new Run();
  const lines = await Promise.all(Array.from({ length: target.connections }, () => openLine(target, run)));
  const free = [...lines];
  const waiting: { n: number; due: number }[] = [];
  const open = new Set<Promise<void>>();
  const started = performance.now();
  const serve = (): void => {
    for (let line = free.pop(); line !== undefined; line = free.pop()) {
      const next = waiting.shift();
      if (next === undefined) {
        free.push(line);
        return;
      }
      const used = line;
      const answer = used.ask(target.request(next.n), next.due).then(() => {
        open.delete(answer);
        free.push(used);
        serve();
      });
      open.add(answer);
    }
  };
  const total = Math.floor((perSecond * durationMs) / 1000);
  for (let n = 0; n < total; ) {
    const now = performance.now();
    for (; n < total && started + (n * 1000) / perSecond <= now; n += 1)
      waiting.push({ n, due: started + (n * 1000) / perSecond });
    serve();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  while (open.size > 0 || waiting.length > 0) await Promise.race([...open]);
  for (const line of lines) line.close();
  return run.result((performance.now() - started) / 1000);
}

/** What all lines of one run add up. */
class Run {
  readonly latenciesMs: number[] = [];
  readonly statuses: Record<string, number> = {};
  firstFault: string | null = null;

  count(status: string, latencyMs: number, text: () => string): void {
    this.latenciesMs.push(latencyMs);
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    if (!status.startsWith('2')) this.firstFault ??= text();
  }

  result(seconds: number): LoadResult {
    const answers = this.latenciesMs.length;
    return {
      answers,
      seconds,
      perSecond: answers / seconds,
      latenciesMs: this.latenciesMs.sort((a, b) => a - b),
      statuses: this.statuses,
      firstFault: this.firstFault,
    };
  }
}

interface Line {
  /** Sends one request and waits for its whole answer. `due`: when it should have left, if not now. */
  ask(text: string, due?: number): Promise<void>;
  close(): void;
}

async function openLine({ port, onAnswer }: Target, run: Run): Promise<Line> {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let buffered: Buffer | null = null;
  let asked = 0;
  let settle: { resolve: () => void; reject: (error: Error) => void } | null = null;
  socket.on('data', (chunk: Buffer) => {
    buffered = buffered === null ? chunk : Buffer.concat([buffered, chunk]);
    const end = endOfAnswer(buffered);
    if (end < 0) return;
    const answer = buffered;
    buffered = null;
    run.count(answer.toString('latin1', 9, 12), performance.now() - asked, () => answer.toString());
    onAnswer?.(answer);
    settle?.resolve();
  });
  const broken = (error?: Error): void => settle?.reject(error ?? new Error('the server closed the connection'));
  socket.on('error', broken);
  socket.on('close', () => broken());
  return {
    ask(text, due) {
      asked = due ?? performance.now();
      return new Promise<void>((resolve, reject) => {
        settle = { resolve, reject };
        socket.write(text, 'utf8');
      });
    },
    close() {
      settle = null;
      socket.destroy();
    },
  };
}

const contentLength = /\r\ncontent-length: (\d+)/i;

/** Where the answer ends, or -1 while it is not whole. One request is in flight on a connection, never more. */
function endOfAnswer(bytes: Buffer): number {
  const head = bytes.indexOf('\r\n\r\n');
  if (head < 0) return -1;
  const length = contentLength.exec(bytes.toString('latin1', 0, head + 2))?.[1];
  if (length === undefined) throw new Error(`an answer without a content-length: ${bytes.toString('latin1', 0, head)}`);
  const end = head + 4 + Number(length);
  return bytes.length >= end ? end : -1;
}
