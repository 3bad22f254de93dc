// The consumer of the demo, a process of its own: verifies each message with the public Standard Webhooks package,
// keeps it before it says so, rebuilds every job from events, and in the end compares with the API.
// It is told what to do over the channel of its parent process (receiver-words.ts).

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readMessage } from '@waypost/sdk/event-tracker';
import { Webhook } from 'standardwebhooks';
import { reconcile } from './compare.ts';
import { readArrivals, writeArrival } from './journal.ts';
import { createMirror, type Mirror } from './mirror.ts';
import type { BeginWords, ReceiverAnswer, ReceiverOrder } from './receiver-words.ts';

const HOST = '127.0.0.1';
const PROGRESS_MS = 100;

interface Inbox {
  mirror: Mirror;
  journal: string;
  verifier: Webhook | null;
  refused: number;
}

function begin(words: BeginWords): void {
  const mirror = createMirror((reference) => reference.startsWith(words.prefix));
  for (const arrival of readArrivals(words.journal)) mirror.take(arrival);
  const inbox: Inbox = { mirror, journal: words.journal, verifier: verifierOf(words.secret), refused: 0 };

  const server = createServer((request, response) => {
    const received_ms = Date.now();
    takeMessage(inbox, request, received_ms).then(
      (status) => answer(response, status),
      () => response.destroy(),
    );
  });
  server.listen(words.port, HOST, () => {
    const address = server.address();
    say({ say: 'listening', port: typeof address === 'object' && address !== null ? address.port : 0 });
  });
  setInterval(() => say({ say: 'progress', counts: mirror.count(), refused: inbox.refused }), PROGRESS_MS).unref();

  process.on('message', (order: ReceiverOrder) => {
    if (order.order === 'secret') inbox.verifier = verifierOf(order.secret);
    if (order.order === 'reconcile') {
      reconcile(mirror, order).then(
        (reconciled) => say({ say: 'reconciled', reconciled, refused: inbox.refused }),
        (error: unknown) => say({ say: 'failed', message: error instanceof Error ? error.message : String(error) }),
      );
    }
  });
}

/** The status to answer. 2xx only once the message is kept. */
async function takeMessage(inbox: Inbox, request: IncomingMessage, received_ms: number): Promise<number> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString('utf8');
  // The secret is known a moment after the endpoint was made; until then nothing can be verified.
  if (inbox.verifier === null) return 503;
  try {
    inbox.verifier.verify(body, request.headers as Record<string, string>);
  } catch {
    inbox.refused += 1;
    return 401;
  }
  const { id, sequence, previous } = readMessage(request.headers);
  const arrival = { id, sequence, previous, received_ms, body };
  if (sequence !== null) writeArrival(inbox.journal, arrival);
  inbox.mirror.take(arrival);
  return 204;
}

function answer(response: ServerResponse, status: number): void {
  response.writeHead(status, status === 503 ? { 'retry-after': '1' } : {});
  response.end();
}

function verifierOf(secret: string | null): Webhook | null {
  return secret === null ? null : new Webhook(secret);
}

function say(words: ReceiverAnswer): void {
  // The parent may be gone or going; then nobody is left to tell.
  if (process.connected) process.send?.(words);
}

process.once('message', begin);
process.once('disconnect', () => process.exit(0));
