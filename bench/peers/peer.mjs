// What both peers share: a Fastify server that takes an event and queues it, and the webhook that their workers send:
// signed as Standard Webhooks, with the same client as ours and as many connections as an endpoint has in flight. No
// order per job, no attempts kept, no log: what a queue gives by itself.
// Orders by message: {work: true} starts the workers, {fill: n, event} queues so many without HTTP.

import { randomBytes } from 'node:crypto';
import fastify from 'fastify';
import { Pool } from 'undici';
import { readSecret, signMessage } from '../../server/src/webhooks/signing.ts';

export const CONCURRENCY = 32;
const FILL_AT_ONCE = 500;

/** Answers a function that sends one event. */
export function openWebhook(origin) {
  const pool = new Pool(origin, { connections: CONCURRENCY, pipelining: 1 });
  const key = readSecret(randomBytes(32).toString('base64'));
  return async (id, event) => {
    const body = Buffer.from(event);
    const timestampS = Math.floor(Date.now() / 1_000);
    const { statusCode, body: reply } = await pool.request({
      path: '/peer',
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(timestampS),
        'webhook-signature': signMessage([key], id, timestampS, body),
        'waypost-sequence': id,
        'waypost-attempt': '1',
      },
      body,
    });
    await reply.dump();
    if (statusCode >= 300) throw new Error(`the receiver answered ${statusCode}`);
  };
}

/** Serves until its parent goes. `queue`: {add(id, event), addMany([{id, event}]), work()}. */
export async function servePeer(queue) {
  const app = fastify({ bodyLimit: 1_048_576 });
  let taken = 0;
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.post('/events', async (request, reply) => {
    const event = request.body;
    if (typeof JSON.parse(event).type !== 'string') return reply.code(422).send();
    const id = String(++taken);
    await queue.add(id, stamp(event));
    return reply.code(201).send({ id });
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  process.on('message', async (order) => {
    if (order.work === true) await queue.work();
    for (let left = order.fill ?? 0; left > 0; left -= FILL_AT_ONCE) {
      const count = Math.min(left, FILL_AT_ONCE);
      await queue.addMany(Array.from({ length: count }, () => ({ id: String(++taken), event: stamp(order.event) })));
    }
    process.send({ done: true });
  });
  process.on('disconnect', () => process.exit(0));
  process.send({ port: app.server.address().port });
}

/** When it was taken, where the receiver looks for it. */
function stamp(event) {
  return event.replace(/"recorded_at":"[^"]*"/, `"recorded_at":"${new Date().toISOString()}"`);
}
