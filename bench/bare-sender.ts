// What `send` is compared with: a bare loop that signs and posts the same bytes with the same client over as many
// connections. No order, no retries, no database. Order `{run}` by message: sends so many and says how long it took.

import { randomBytes } from 'node:crypto';
import { Pool } from 'undici';
import { readSecret, signMessage } from '../server/src/webhooks/signing.ts';

const [origin = '', connections = '32', bytes = '4096'] = process.argv.slice(2);
const pool = new Pool(origin, { connections: Number(connections), pipelining: 1 });
const key = readSecret(randomBytes(32).toString('base64'));
// The length of a usual event; the receiver looks for one member in it.
const body = Buffer.from(
  `{"recorded_at":"${new Date().toISOString()}","filler":"`.padEnd(Number(bytes) - 2, 'x').concat('"}'),
);

async function run(count: number): Promise<number> {
  let sent = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: Number(connections) }, async () => {
      while (sent < count) {
        const n = ++sent;
        const id = `evt_${n}`;
        const timestampS = Math.floor(Date.now() / 1000);
        const { statusCode, body: reply } = await pool.request({
          path: '/bare',
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'webhook-id': id,
            'webhook-timestamp': String(timestampS),
            'webhook-signature': signMessage([key], id, timestampS, body),
            'waypost-sequence': String(n),
            'waypost-attempt': '1',
          },
          body,
        });
        await reply.dump();
        if (statusCode >= 300) throw new Error(`the receiver answered ${statusCode}`);
      }
    }),
  );
  return (performance.now() - started) / 1000;
}

process.on('message', (order: { run: number }) => {
  run(order.run).then((seconds) => process.send?.({ seconds }));
});
process.on('disconnect', () => process.exit(0));
process.send?.({});
