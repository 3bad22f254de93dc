// `outage`: one endpoint of a hundred is dead for --jobs events. What it costs the others, which rows it leaves, and how
// fast it catches up once its receiver is back, beside an endpoint that gets the same events without an outage.

import { openPool } from '../server/src/db/sql.ts';
import type { BenchOptions, BenchResult } from './create.ts';
import { type Helper, type House, openHouse, startHelper } from './house.ts';
import { type Figure, medianOf } from './report.ts';
import { createEndpoint, waitForMessages } from './send.ts';
import { makeJobs, post } from './world.ts';

const HEALTHY = 99;
/** Events for the healthy ones, for each second of a round. */
const EVENTS_PER_SECOND = 80;
/** Events that show the sender that the endpoint is broken. */
const OPENING = 100;
const WAIT_MAX_MS = 3_600_000;

type Receiver = Helper<{ port: number }>;

export async function benchOutage({ rounds, seconds, jobs }: BenchOptions): Promise<BenchResult> {
  const results: Figure[][] = [];
  for (let round = 0; round < rounds; round += 1) results.push(await measureRound(EVENTS_PER_SECOND * seconds, jobs));
  const [rate, catchUp] = [medianOf(results, 'healthy, beside the dead one'), medianOf(results, 'catching up')];
  return {
    rounds: results,
    goals: [
      {
        sentence: 'healthy beside the dead one ÷ alone',
        value: rate / medianOf(results, 'healthy, alone'),
        atLeast: 0.95,
      },
      {
        sentence: 'catching up ÷ an endpoint without an outage',
        value: catchUp / medianOf(results, 'without an outage'),
        atLeast: 0.8,
      },
      {
        sentence: 'rows of messages that the missed events left',
        value: medianOf(results, 'rows for the dead one'),
        below: 1,
      },
    ],
  };
}

async function measureRound(events: number, missed: number): Promise<Figure[]> {
  const house = await openHouse(1);
  const healthy = await startHelper<{ port: number }>('receiver.ts');
  let other = await startHelper<{ port: number }>('receiver.ts');
  try {
    const api = await house.serve('api');
    const [tenant] = house.tenants;
    if (tenant === undefined) throw new Error('there is no tenant');
    const { port } = api;
    const key = tenant.test_key;
    for (let n = 0; n < HEALTHY; n += 1) await createEndpoint(port, key, healthy.said.port, n);
    const alone = await measureHealthy(house, healthy, () => makeJobs(port, tenant, 'alone', events), events);

    const dead = await makeDead(house, port, key, other);
    other.stop();
    const sender = await house.serve('sender');
    await healthy.ask({ reset: true });
    // The healthy ones are paused meanwhile: a million events for each of them is another bench.
    const paused = await listHealthy(port, key, dead);
    for (const id of paused) await post(port, key, `/v1/endpoints/${id}/pause`, {});
    // What fails before the endpoint is known to be broken is parked; from then on nothing may be.
    await makeJobs(port, tenant, 'first', OPENING);
    await until(async () => (await readHealth(port, key, dead)).circuit === 'open');
    const before = await countRows(house, dead);
    await makeJobs(port, tenant, 'missed', missed);
    const rows = (await countRows(house, dead)) - before;
    await sender.stop();
    await skipTo(house, paused);
    for (const id of paused) await post(port, key, `/v1/endpoints/${id}/resume`, {});
    const beside = await measureHealthy(house, healthy, () => makeJobs(port, tenant, 'beside', events), events);

    other = await startHelper<{ port: number }>('receiver.ts', [String(other.said.port)]);
    await house.serve('sender');
    const catchUp = await measureOne(port, key, dead, other, OPENING + missed + events);
    const fresh = await measureFresh(port, key, other, OPENING + missed + events);
    return [
      { name: 'healthy, alone', unit: '/s', value: alone },
      { name: 'healthy, beside the dead one', unit: '/s', value: beside },
      { name: 'events that the dead one missed', unit: '', value: OPENING + missed + events },
      { name: 'rows for the dead one', unit: '', value: rows },
      { name: 'catching up', unit: '/s', value: catchUp },
      { name: 'without an outage', unit: '/s', value: fresh },
    ];
  } finally {
    healthy.stop();
    other.stop();
    await house.close();
  }
}

/** Messages a second to all healthy endpoints together, from the start of a sender that finds the events there. */
async function measureHealthy(house: House, receiver: Receiver, make: () => Promise<unknown>, events: number) {
  await make();
  await receiver.ask({ reset: true });
  const sender = await house.serve('sender');
  const report = await waitForMessages(receiver, events * HEALTHY, WAIT_MAX_MS);
  await sender.stop();
  return report.messages / ((report.lastAt - report.firstAt) / 1_000);
}

/** An endpoint that was verified before its receiver goes away. */
async function makeDead(house: House, port: number, key: string, receiver: Receiver): Promise<string> {
  const url = `http://127.0.0.1:${receiver.said.port}/dead`;
  const { id } = await post<{ id: string }>(port, key, '/v1/endpoints', { url, types: ['job.*'], start_at: 'now' });
  const sender = await house.serve('sender');
  await until(async () => (await read<{ status: string }>(port, key, `/v1/endpoints/${id}`)).status === 'active');
  await sender.stop();
  return id;
}

const readHealth = (port: number, key: string, id: string) =>
  read<{ circuit: string }>(port, key, `/v1/endpoints/${id}/health`);

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function read<Reply>(port: number, key: string, path: string): Promise<Reply> {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${key}` } });
  if (!reply.ok) throw new Error(`GET ${path} was refused: ${await reply.text()}`);
  return (await reply.json()) as Reply;
}

async function listHealthy(port: number, key: string, dead: string): Promise<string[]> {
  const { data } = await read<{ data: { id: string }[] }>(port, key, '/v1/endpoints?limit=200');
  return data.flatMap(({ id }) => (id === dead ? [] : [id]));
}

/** Parked messages and dead letters: what an endpoint that is down must not leave behind. */
async function countRows({ addresses }: House, endpointId: string): Promise<number> {
  const sql = openPool(addresses.owner, { name: 'waypost bench', connectionsMax: 1 });
  const [row] = await sql<{ rows: number }[]>`
    select (select count(*) from parked_messages where endpoint_id = ${endpointId})::int
      + (select count(*) from dead_letters where endpoint_id = ${endpointId})::int as rows`;
  await sql.end();
  return row?.rows ?? Number.NaN;
}

/** The healthy ones go on behind what only the dead one missed. */
async function skipTo({ addresses }: House, ids: readonly string[]): Promise<void> {
  const sql = openPool(addresses.owner, { name: 'waypost bench', connectionsMax: 1 });
  await sql`
    update cursors c set sequence = h.sequence, recorded_at = h.recorded_at, read_to = null
    from heads h where h.world_id = c.world_id and c.endpoint_id = any(${ids as string[]}::text[])`;
  await sql.end();
}

/** The receiver is back; pausing and resuming spares the wait for the next probe. */
async function measureOne(port: number, key: string, id: string, receiver: Receiver, events: number): Promise<number> {
  await post(port, key, `/v1/endpoints/${id}/pause`, {});
  await post(port, key, `/v1/endpoints/${id}/resume`, {});
  const report = await waitForMessages(receiver, events, WAIT_MAX_MS);
  return report.messages / ((report.lastAt - report.firstAt) / 1_000);
}

/** The same events to an endpoint that begins with them. */
async function measureFresh(port: number, key: string, receiver: Receiver, events: number) {
  await receiver.ask({ reset: true });
  await createEndpoint(port, key, receiver.said.port, 1_000);
  const report = await waitForMessages(receiver, events, WAIT_MAX_MS);
  return report.messages / ((report.lastAt - report.firstAt) / 1_000);
}
