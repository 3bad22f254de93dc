// A receiver in 50 lines: it registers itself, verifies every message, keeps a record of what it got, and knows by
// `waypost-previous` what is missing. Run it:  ./waypost run examples/receiver.ts
// What it holds against what Waypost holds:    ./waypost events compare receiver.ndjson
// What it counts:                              curl -s http://127.0.0.1:9090/
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Waypost } from '@waypost/sdk';
import type { WaypostEvent } from '@waypost/sdk/event';
import { createEventTracker, readMessage } from '@waypost/sdk/event-tracker';
import { verifyWebhook } from '@waypost/sdk/webhooks';

const { WAYPOST_URL = '', WAYPOST_KEY = '', PORT = '9090', RECORD = 'receiver.ndjson' } = process.env;
process.on('uncaughtException', ({ message }) => process.exit(console.error(`receiver: ${message}`) ?? 1));
const client = new Waypost({ url: WAYPOST_URL, key: WAYPOST_KEY });

const tracker = createEventTracker();
const newest = new Map<string, number>();
let [events, outOfOrder] = [0, 0];
function remember({ sequence, data: { job } }: WaypostEvent, previous: number | null): void {
  events += 1;
  tracker.take({ sequence, previous }, Date.now());
  if (job !== undefined && job.job_sequence < (newest.get(job.id) ?? 0)) outOfOrder += 1;
  if (job !== undefined) newest.set(job.id, job.job_sequence);
}
const summarise = () =>
  `${events} events of ${newest.size} jobs: missing ${tracker.listGaps(Date.now(), 0).length}, out of order ${outOfOrder}\n`;

// It listens before it registers, so that the first test message finds it; which it verifies once it knows the secret.
const server = createServer(async (request, response) => {
  if (request.method !== 'POST') return void response.end(summarise());
  const [body, { secret }] = await Promise.all([text(request), registered]);
  const event = await verifyWebhook({ secret, headers: request.headers, body }).catch((refused: Error) => refused);
  if (event instanceof Error) return void response.writeHead(400).end(event.message);
  const { sequence, previous } = readMessage(request.headers);
  if (sequence !== null && !tracker.has(sequence)) {
    appendFileSync(RECORD, `{"waypost_previous":${previous},${body.slice(1)}\n`); // on disk before the 2xx
    remember(event, previous);
    console.log(sequence, event.data.job?.reference, event.topics.join(', '), event.implied ? '(implied)' : '');
  }
  response.writeHead(204).end();
});
const url = `http://127.0.0.1:${PORT}/`;
const registered = once(server.listen(Number(PORT), '127.0.0.1'), 'listening').then(register);
const { id } = await registered;
const { delivered } = await client.endpoints.verify(id);
console.log(`Listening on ${url} as ${id}: ${delivered ? 'verified' : 'the test message failed'}`);

async function register(): Promise<{ id: string; secret: string }> {
  // The secret is shown once, so it is kept. An endpoint that the server no longer has is made anew.
  const kept = existsSync(`${RECORD}.key`) ? JSON.parse(readFileSync(`${RECORD}.key`, 'utf8')) : null;
  const isKnown = kept !== null && (await client.endpoints.get(kept.id).catch(() => null)) !== null;
  const { id, secret } = isKnown ? kept : await client.endpoints.create({ url, start_at: 'now' });
  writeFileSync(`${RECORD}.key`, JSON.stringify({ id, secret }), { mode: 0o600 });
  // What a kill cut off in the middle of a line was never answered: it comes again.
  const lines = isKnown && existsSync(RECORD) ? readFileSync(RECORD, 'utf8').split('\n').slice(0, -1) : [];
  writeFileSync(RECORD, lines.map((line) => `${line}\n`).join(''));
  for (const { waypost_previous, ...event } of lines.map((line) => JSON.parse(line))) remember(event, waypost_previous);
  return { id, secret };
}
