// Fastify with BullMQ on Redis. Arguments: the receiver's origin, the port of Redis.

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { CONCURRENCY, openWebhook, servePeer } from './peer.mjs';

const [origin, port] = process.argv.slice(2);
const connect = () => new Redis({ host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null });
const settings = { attempts: 13, backoff: { type: 'exponential', delay: 5_000 }, removeOnComplete: true };
const queue = new Queue('webhooks', { connection: connect() });
const send = openWebhook(origin);

await servePeer({
  add: (id, event) => queue.add('webhook', event, { ...settings, jobId: `e${id}` }),
  addMany: (events) =>
    queue.addBulk(
      events.map(({ id, event }) => ({ name: 'webhook', data: event, opts: { ...settings, jobId: `e${id}` } })),
    ),
  work: async () => {
    const worker = new Worker('webhooks', async (job) => send(job.id.slice(1), job.data), {
      connection: connect(),
      concurrency: CONCURRENCY,
    });
    await worker.waitUntilReady();
  },
});
