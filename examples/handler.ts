// One handler, three ways in: `push` takes webhooks and fetches what they did not bring, `pull` reads what is there,
// `consume` reads from a place that the server keeps. Run it:  ./waypost run examples/handler.ts push
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Waypost } from '@waypost/sdk';
import { createEventHandler } from '@waypost/sdk/event-handler';

const { WAYPOST_URL = '', WAYPOST_KEY = '', PORT = '9092', STATE = 'handler.json' } = process.env;
process.on('uncaughtException', ({ message }) => process.exit(console.error(`handler: ${message}`) ?? 1));
const client = new Waypost({ url: WAYPOST_URL, key: WAYPOST_KEY });

// What is kept between starts: here a file, with you a table. Written beside and renamed, so that it is whole or not there.
const kept = existsSync(STATE) ? JSON.parse(readFileSync(STATE, 'utf8')) : { jobs: {} };
function keep(): void {
  writeFileSync(`${STATE}.new`, JSON.stringify(kept), { mode: 0o600 });
  renameSync(`${STATE}.new`, STATE);
}

const url = `http://127.0.0.1:${PORT}/`;
const isKnown = kept.endpoint && (await client.endpoints.get(kept.endpoint.id).catch(() => null)) !== null;
if (!isKnown) {
  const { id, secret } = await client.endpoints.create({ url, types: ['job.*'], start_at: 'beginning' });
  Object.assign(kept, { endpoint: { id, secret }, state: undefined });
  keep();
}

const handler = createEventHandler({
  secret: kept.endpoint.secret,
  state: kept.state,
  handle({ data: { job } }) {
    // The newest state of a job wins, whatever order things come in.
    if (job === undefined || job.job_sequence <= (kept.jobs[job.id]?.job_sequence ?? 0)) return;
    kept.jobs[job.id] = { reference: job.reference, status: job.status, job_sequence: job.job_sequence };
    console.log(job.job_sequence, job.reference, job.status);
  },
  keep(state) {
    kept.state = state;
    keep();
  },
});

const pull = () => {
  const query = { endpoint_id: kept.endpoint.id, after: handler.tracker.readPlace() };
  return handler.pull(client.events.iterate(query));
};

const ways: Record<string, () => Promise<void>> = {
  async push() {
    createServer(async (request, response) => {
      const { status, body } = await handler.take({ headers: request.headers, body: await buffer(request) });
      response.writeHead(status).end(body);
    }).listen(Number(PORT), '127.0.0.1', () => client.endpoints.verify(kept.endpoint.id));
  },
  pull,
  async consume() {
    await client.consumers.create({ name: 'handler', types: ['job.*'], start_at: 'beginning' });
    await handler.pull(client.consumers.read('handler', { reader: 'handler-1' }));
  },
};
const way = ways[process.argv[2] ?? ''];
if (way === undefined) throw new Error('say push, pull or consume');
await way();
console.log(`${Object.keys(kept.jobs).length} jobs known`);
