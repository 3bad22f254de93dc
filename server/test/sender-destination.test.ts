// How one message is posted: addresses are checked at each connect, answers are read to their limit, time is kept.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type DestinationOptions, requireAllowedUrl, resolveBySystem } from '../src/destinations/checked-address.ts';
import type { Answer } from '../src/destinations/destination.ts';
import { parseCidr } from '../src/destinations/egress.ts';
import {
  CONNECTIONS_MAX,
  type HttpDestination,
  openHttpDestination,
  REPLY_KEPT_BYTES,
} from '../src/destinations/http-destination.ts';
import { until } from './until.ts';

const open = { allow: [], loopback_for_test: true };

function destinationOf(t: TestContext, options: Partial<DestinationOptions> = {}): HttpDestination {
  const destination = openHttpDestination({
    egress: open,
    resolve: resolveBySystem,
    now: () => Date.now(),
    ...options,
  });
  t.after(() => destination.close());
  return destination;
}

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function post(
  destination: HttpDestination,
  origin: string,
  options: { tenant_id?: string; world?: 'live' | 'test'; timeout_ms?: number; maySend?: () => boolean } = {},
): Promise<Answer> {
  const { tenant_id = 'ten_1', world = 'test', timeout_ms = 15_000, maySend = () => true } = options;
  return new Promise((resolve) => {
    destination.post(
      {
        to: { type: 'http', origin, path: '/hooks?x=1' },
        subject: { tenant_id },
        world,
        headers: ['webhook-id', 'evt_1'],
        body: Buffer.from('{"a":1}'),
        timeout_ms,
        maySend,
        trace: null,
        about: {},
      },
      resolve,
    );
  });
}

test('a message arrives as it was made, and what was answered comes back', async (t) => {
  const seen: unknown[] = [];
  const origin = await serve(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push([request.method, request.url, request.headers['webhook-id'], Buffer.concat(chunks).toString()]);
    response.writeHead(202, { 'retry-after': '7', 'webhook-delivery': ' Pause ' }).end('thank\u0000 you');
  });
  const answer = await post(destinationOf(t), origin);
  assert.deepEqual(seen, [['POST', '/hooks?x=1', 'evt_1', '{"a":1}']]);
  assert.deepEqual(
    { ...answer, duration_ms: 0 },
    {
      outcome: 'delivered',
      status: 202,
      error: null,
      reply: 'thank\uFFFD you',
      retry_after: '7',
      control: 'pause',
      duration_ms: 0,
    },
  );
});

test('connections are used again', async (t) => {
  const ports = new Set<number | undefined>();
  const origin = await serve(t, (request, response) => {
    ports.add(request.socket.remotePort);
    response.end('x'.repeat(20_000));
  });
  const destination = destinationOf(t);
  for (let count = 0; count < 5; count++) await post(destination, origin);
  assert.equal(ports.size, 1, 'also after answers that are longer than what is kept');
});

test('a tenant whose connections to a receiver all hang keeps nobody else from it', async (t) => {
  let hanging = 0;
  const origin = await serve(t, (_request, response) => {
    if (++hanging > CONNECTIONS_MAX) response.writeHead(204).end();
  });
  const destination = destinationOf(t);
  for (let count = 0; count < CONNECTIONS_MAX + 1; count++) void post(destination, origin, { tenant_id: 'ten_slow' });
  await until(() => hanging === CONNECTIONS_MAX, 'all connections of the one to hang');
  const answer = await post(destination, origin, { tenant_id: 'ten_other' });
  assert.deepEqual([answer.outcome, hanging], ['delivered', CONNECTIONS_MAX + 1]);
});

test('of an answer the first 4 KiB are kept, and one without an end is cut off without harm', async (t) => {
  const origin = await serve(t, (_request, response) => {
    const more = () => {
      while (response.write('x'.repeat(16_384))) if (response.destroyed) return;
      response.once('drain', more);
    };
    more();
  });
  const answer = await post(destinationOf(t), origin);
  assert.equal(answer.outcome, 'delivered');
  assert.equal(answer.reply?.length, REPLY_KEPT_BYTES);
});

test('an answer that trickles is out of time, headers or not', async (t) => {
  let now = 0;
  const origin = await serve(t, (request, response) => {
    if (request.url?.endsWith('x=1')) response.writeHead(200).write('slow');
    now += 15_000;
  });
  const answer = await post(destinationOf(t, { now: () => now }), origin);
  assert.equal(answer.outcome, 'timed_out');
  assert.match(answer.error ?? '', /within 15 s/);
});

test('a connection that is refused is tried once more at once, and only once', async (t) => {
  let connects = 0;
  const server = createTcpServer((socket: Socket) => {
    connects++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  let lookups = 0;
  const destination = destinationOf(t, {
    resolve: async () => {
      lookups++;
      return [{ address: '127.0.0.1', family: 4 }];
    },
  });
  const answer = await post(destination, `http://gone.example:${port}`);
  assert.deepEqual([answer.outcome, answer.status, lookups, connects], ['failed', null, 2, 0]);
  assert.match(answer.error ?? '', /connection refused/);
});

test('a request that reached the receiver is not repeated by itself', async (t) => {
  let requests = 0;
  const origin = await serve(t, (request) => {
    requests++;
    request.socket.destroy();
  });
  const answer = await post(destinationOf(t), origin);
  assert.deepEqual([answer.outcome, requests], ['failed', 1]);
});

test('what was called off answers once, and so does what may no longer be sent', async (t) => {
  let requests = 0;
  const origin = await serve(t, () => void requests++);
  const destination = destinationOf(t);
  const answers: Answer[] = [];
  await new Promise<void>((resolve) => {
    const flight = destination.post(
      {
        to: { type: 'http', origin, path: '/' },
        subject: { tenant_id: 'ten_1' },
        world: 'test',
        headers: [],
        body: Buffer.from('{}'),
        timeout_ms: 1_000,
        maySend: () => true,
        trace: null,
        about: {},
      },
      (answer) => {
        answers.push(answer);
        resolve();
      },
    );
    flight.callOff();
    flight.callOff();
  });
  assert.deepEqual(
    answers.map(({ outcome }) => outcome),
    ['called_off'],
  );
  const late = await post(destination, origin, { maySend: () => false });
  assert.equal(late.outcome, 'called_off');
  assert.equal(requests, 0);
});

test('addresses are checked at each connect, all of a name, and for each world', async (t) => {
  const origin = await serve(t, (_request, response) => void response.end());
  const { port } = new URL(origin);
  let addresses = ['127.0.0.1'];
  const resolve = async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const destination = destinationOf(t, { resolve });
  assert.equal((await post(destination, `http://a.example:${port}`)).outcome, 'delivered');
  for (const more of ['10.0.0.1', '169.254.169.254', '::ffff:127.0.0.1', 'fd00:ec2::254', '0.0.0.0', '100.64.0.1']) {
    addresses = ['127.0.0.1', more];
    const answer = await post(destinationOf(t, { resolve }), `http://a.example:${port}`);
    assert.equal(answer.outcome, 'failed');
    assert.ok(answer.error?.includes(more) && answer.error.includes('WAYPOST_EGRESS_ALLOW'), answer.error ?? '');
  }
  addresses = ['127.0.0.1'];
  const live = await post(destination, `http://a.example:${port}`, { world: 'live' });
  assert.match(live.error ?? '', /loopback/, 'the connection of the test world is not lent to the live one');
  addresses = [];
  assert.match((await post(destinationOf(t, { resolve }), `http://a.example:${port}`)).error ?? '', /does not resolve/);
});

test('an address in the URL is checked like any other, however it is written', async (t) => {
  const destination = destinationOf(t);
  for (const host of [
    '10.0.0.1',
    '0x0a.1',
    '[::ffff:7f00:1]',
    '169.254.169.254',
    '[fd00::1]',
    '2130706433',
    '0177.1',
  ]) {
    const { origin } = new URL(`http://${host}:9/`);
    const answer = await post(destination, origin, { world: 'live' });
    assert.equal(answer.outcome, 'failed', host);
    assert.match(answer.error ?? '', /is refused because/, host);
  }
  const allowed = destinationOf(t, { egress: { allow: ['127.0.0.0/8'].map(parseCidr), loopback_for_test: false } });
  const origin = await serve(t, (_request, response) => void response.end());
  assert.equal((await post(allowed, origin, { world: 'live' })).outcome, 'delivered');
});

test('the URL of an endpoint is checked with all that its name leads to; a name that does not resolve yet passes', async () => {
  const rules = { allow: [], loopback_for_test: false };
  const leadsTo =
    (...addresses: string[]) =>
    async () =>
      addresses.map((address) => ({ address, family: 4 }));
  await requireAllowedUrl('https://shop.example/', rules, 'live', leadsTo('93.184.216.34'));
  await requireAllowedUrl('https://shop.example/', rules, 'live', () => Promise.reject(new Error('ENOTFOUND')));
  await assert.rejects(
    requireAllowedUrl('https://shop.example/', rules, 'live', leadsTo('93.184.216.34', '10.1.1.1')),
    {
      code: 'url_not_allowed',
      message: /shop\.example: 10\.1\.1\.1 is refused because it is in a private network/,
    },
  );
});
