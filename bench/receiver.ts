// A receiver in a process of its own: raw sockets, answers 204 to everything, and notes for each message when its
// first byte came. Orders from its parent come as IPC messages: `{reset: true}`, `{report: true, arrivals: true}`.

import { createServer, type Socket } from 'node:net';
import { quantile } from './report.ts';

export interface ReceiverReport {
  messages: number;
  /** Messages whose sequence came for the second time. */
  duplicates: number;
  /** From the event's recorded_at to the first byte of the message. */
  latencyMs: { p50: number; p95: number; p99: number; max: number };
  /** When the first byte of each object's first message came: id → wall clock in ms. Only when asked for. */
  arrivals: Record<string, number> | null;
  /** Wall clock of first and last message, in ms. */
  firstAt: number;
  lastAt: number;
}

const answer = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');
const dataIdMark = Buffer.from('"data_id":"');
const recordedAtMark = Buffer.from('"recorded_at":"');

/** `job_` and 26 characters. */
const ID_LENGTH = 30;

let latenciesMs: number[] = [];
let seen = new Set<string>();
let messages = 0;
let duplicates = 0;
let arrivals: Record<string, number> = {};
let firstAt = 0;
let lastAt = 0;

function noteMessage(head: string, body: Buffer, arrivedAt: number): void {
  // The probe with which an endpoint is verified has no sequence and is no event.
  const sequence = /\r\nwaypost-sequence: (\d+)/i.exec(head)?.[1];
  if (sequence === undefined) return;
  const path = head.slice(0, head.indexOf(' HTTP'));
  messages += 1;
  firstAt ||= arrivedAt;
  lastAt = arrivedAt;
  const key = `${path} ${sequence}`;
  if (seen.has(key)) duplicates += 1;
  seen.add(key);
  const at = body.indexOf(recordedAtMark) + recordedAtMark.length;
  const dataId = body.indexOf(dataIdMark) + dataIdMark.length;
  const id = body.toString('latin1', dataId, dataId + ID_LENGTH);
  arrivals[id] ??= arrivedAt;
  latenciesMs.push(arrivedAt - Date.parse(body.toString('latin1', at, at + 24)));
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  let buffered: Buffer | null = null;
  let arrivedAt = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    if (buffered === null) arrivedAt = performance.timeOrigin + performance.now();
    let bytes: Buffer = buffered === null ? chunk : Buffer.concat([buffered, chunk]);
    while (bytes.length > 0) {
      const headEnd = bytes.indexOf('\r\n\r\n');
      if (headEnd < 0) break;
      const head = bytes.toString('latin1', 0, headEnd);
      const end = headEnd + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (bytes.length < end) break;
      noteMessage(head, bytes.subarray(headEnd + 4, end), arrivedAt);
      socket.write(answer);
      bytes = bytes.subarray(end);
    }
    buffered = bytes.length > 0 ? bytes : null;
  });
}

function reportNow(withArrivals: boolean): ReceiverReport {
  const ascending = latenciesMs.sort((a, b) => a - b);
  return {
    messages,
    duplicates,
    latencyMs: {
      p50: quantile(ascending, 0.5),
      p95: quantile(ascending, 0.95),
      p99: quantile(ascending, 0.99),
      max: quantile(ascending, 1),
    },
    arrivals: withArrivals ? arrivals : null,
    firstAt,
    lastAt,
  };
}

const server = createServer(serve);
// A port of its own where it takes the place of one that went away.
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});

process.on('message', (order: { reset?: boolean; report?: boolean; arrivals?: boolean }) => {
  if (order.report === true) process.send?.(reportNow(order.arrivals === true));
  if (order.reset !== true) return;
  latenciesMs = [];
  seen = new Set();
  messages = 0;
  duplicates = 0;
  arrivals = {};
  firstAt = 0;
  lastAt = 0;
  process.send?.({ reset: true });
});
process.on('disconnect', () => process.exit(0));
