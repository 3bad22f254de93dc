// Following the log over a connection that does not hold, against a server of this test's own that misbehaves.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { WaypostProblem, WaypostUnreachable } from '../src/errors.ts';
import { Waypost } from '../src/waypost.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers each connection in its turn; the last answer stays. */
async function startStream(answers: readonly Answer[]): Promise<{ client: Waypost; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answers[Math.min(asked.length, answers.length) - 1]?.(request, response);
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { client: new Waypost({ url: `http://127.0.0.1:${port}`, key: 'wp_test_x', triesMax: 1 }), asked };
}

const frame = (id: string, sequence: number) => `id: ${id}\nevent: job.created\ndata: {"sequence":${sequence}}\n\n`;
const stream = (...pieces: string[]): Answer => {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of pieces) response.write(piece);
    response.end();
  };
};

async function take(client: Waypost, count: number): Promise<number[]> {
  const taken: number[] = [];
  for await (const { sequence } of client.events.follow({ after: 4, types: ['job.*'] })) {
    taken.push(sequence);
    if (taken.length === count) break;
  }
  return taken;
}

test('frames in any pieces are put together, and a lost connection goes on at the place that was reached', async () => {
  const text = `retry: 2000\nid: 4\n\n: heartbeat\nid: 4\n\n${frame('5', 5)}`;
  const { client, asked } = await startStream([
    stream(text.slice(0, 30), text.slice(30, 71), text.slice(71)),
    (_request, response) => response.destroy(),
    stream(frame('27993600-6', 6), 'id: 27993600-7\nevent: job.upd'),
    stream(frame('27993600-7', 7)),
  ]);
  assert.deepEqual(await take(client, 3), [5, 6, 7]);
  assert.deepEqual(
    asked.map((url) => new URL(url, 'http://x').searchParams.get('after')),
    ['4', '5', '5', '27993600-6'],
  );
  assert.match(asked[0] ?? '', /types=job\.\*/);
});

test('an event is read whole, whatever characters somebody wrote into it', async () => {
  const note = 'left at the door\u2028second line\u2029third\u0085fourth';
  const data = JSON.stringify({ sequence: 5, note });
  const { client } = await startStream([stream(`id: 5\nevent: job.created\ndata: ${data}\n\n${frame('6', 6)}`)]);
  const seen: unknown[] = [];
  for await (const event of client.events.follow({ after: 4 })) {
    seen.push(event);
    if (event.sequence === 6) break;
  }
  assert.deepEqual(seen, [{ sequence: 5, note }, { sequence: 6 }]);
});

test('a server that is away is waited for once it was there; at first it is told', async () => {
  const away: Answer = (_request, response) => response.writeHead(503).end();
  const { client } = await startStream([stream(frame('5', 5)), away, stream(frame('6', 6))]);
  assert.deepEqual(await take(client, 2), [5, 6]);
  const nowhere = new Waypost({
    url: 'http://127.0.0.1:9',
    key: 'wp_test_x',
    triesMax: 1,
    fetch: () => Promise.reject(new Error('refused')),
  });
  await assert.rejects(take(nowhere, 1), WaypostUnreachable);
});

test('a place that a restore has lost is left for the one that the server names', async () => {
  const lost: Answer = (_request, response) => {
    response.writeHead(410, { 'content-type': 'application/problem+json' });
    response.end('{"code":"log_restored","last_sequence":3,"go_on_after":"500-3"}');
  };
  const ended = 'event: restored\ndata: {"code":"log_restored","last_sequence":3,"go_on_after":"500-3"}\n\n';
  for (const first of [lost, stream(ended)]) {
    const { client, asked } = await startStream([first, stream(frame('500-4', 4))]);
    assert.deepEqual(await take(client, 1), [4]);
    assert.match(asked[1] ?? '', /after=500-3/);
  }
});

test('a place that is no longer kept, and a key that is gone, end it with a problem', async () => {
  const ended =
    'event: expired\ndata: {"code":"cursor_expired","oldest_sequence":90,"detail":"The log reaches back to 90."}\n\n';
  const { client } = await startStream([stream(ended)]);
  await assert.rejects(take(client, 1), (error) => {
    assert.ok(error instanceof WaypostProblem);
    assert.deepEqual([error.status, error.code, error.document.oldest_sequence], [410, 'cursor_expired', 90]);
    return true;
  });
  const revoked = await startStream([stream(frame('5', 5)), (_request, response) => response.writeHead(401).end('{}')]);
  await assert.rejects(take(revoked.client, 2), { status: 401 });
});

test('a server that takes the connection and says nothing is given up like any other that does not answer', async () => {
  const { client, asked } = await startStream([stream(frame('5', 5)), () => {}, stream(frame('6', 6))]);
  const taken: number[] = [];
  for await (const { sequence } of client.events.follow({ after: 4 }, { timeoutMs: 200 })) {
    taken.push(sequence);
    if (taken.length === 2) break;
  }
  assert.deepEqual([taken, asked.length], [[5, 6], 3]);
});
