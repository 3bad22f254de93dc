// A consumer's receiver in a test: keeps what it gets, and answers as it is told.

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { until } from './until.ts';

export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  at_ms: number;
}

/** What a receiver does with a request: a status with headers and body, or one of the ways to misbehave. */
export type Answer =
  | { status: number; headers?: Record<string, string>; body?: string; after_ms?: number }
  /** Never answers. */
  | 'hang'
  /** Cuts the connection before any byte. */
  | 'reset'
  /** Answers with what is no HTTP. */
  | 'garbage'
  /** Says 200 and a length, sends half of it and cuts the connection. */
  | 'half';

export interface Receiver {
  url: string;
  received: Received[];
  /** From now on: one answer, a list of which the last one stays, or a rule. */
  answer(with_: Answer | readonly Answer[] | ((request: Received) => Answer)): void;
  /** Waits until so many requests came and answers them. */
  waitFor(count: number): Promise<Received[]>;
  stop(): Promise<void>;
}

const OK: Answer = { status: 204 };
const running = new Set<Receiver>();

after(async () => {
  for (const receiver of running) await receiver.stop();
});

/** Listens on a free port of the loopback address. Stopped by itself when the test file ends. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  let choose: (request: Received) => Answer = () => OK;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const entry = {
        method,
        path: url,
        headers,
        body: Buffer.concat(chunks).toString('utf8'),
        at_ms: performance.now(),
      };
      const answer = choose(entry);
      received.push(entry);
      give(answer, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}`,
    received,
    answer(with_) {
      if (typeof with_ === 'function') {
        choose = with_;
        return;
      }
      const list = Array.isArray(with_) ? [...(with_ as readonly Answer[])] : [with_ as Answer];
      choose = () => (list.length > 1 ? list.shift() : list[0]) ?? OK;
    },
    waitFor: (count) => until(() => (received.length >= count ? received : null), `${count} requests at the receiver`),
    async stop() {
      if (!running.delete(receiver)) return;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  running.add(receiver);
  return receiver;
}

function give(answer: Answer, response: ServerResponse): void {
  const { socket } = response;
  if (answer === 'hang') return;
  if (answer === 'reset') socket?.resetAndDestroy();
  else if (answer === 'garbage') socket?.end('\u0000\u0001 this is not HTTP\r\n\r\n');
  else if (answer === 'half') {
    socket?.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it', () => socket.destroy());
  } else {
    const reply = () => response.writeHead(answer.status, answer.headers).end(answer.body);
    if (answer.after_ms === undefined) reply();
    else setTimeout(reply, answer.after_ms);
  }
}
