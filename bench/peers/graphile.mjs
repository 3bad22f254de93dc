// Fastify with graphile-worker, tuned as its documentation says: local queue, batched completion. Arguments: the
// receiver's origin, the address of the database as JSON.

import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { CONCURRENCY, openWebhook, servePeer } from './peer.mjs';

const [origin, address] = process.argv.slice(2);
const { host, user, password, database } = JSON.parse(address);
const pgPool = new pg.Pool({ host, user, password, database, max: CONCURRENCY + 2 });
const send = openWebhook(origin);
/** A line for each message would be measured too. */
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ pgPool, logger });
await utils.migrate();

await servePeer({
  add: (id, event) => utils.addJob('webhook', { id, event }, { maxAttempts: 13 }),
  addMany: (events) => utils.addJobs(events.map((payload) => ({ identifier: 'webhook', payload, maxAttempts: 13 }))),
  work: async () => {
    await run({
      pgPool,
      logger,
      noHandleSignals: true,
      taskList: { webhook: ({ id, event }) => send(id, event) },
      preset: {
        worker: {
          concurrentJobs: CONCURRENCY,
          localQueue: { size: 500 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
    });
  },
});
