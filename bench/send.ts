// `send`: messages per second from the log to 2xx at a receiver in another process, in order per job, with attempts
// recorded and cursors saved, to 1 and to 100 endpoints, beside a bare loop that signs and posts.

import type { BenchOptions, BenchResult } from './create.ts';
import { type Helper, openHouse, startHelper } from './house.ts';
import { runCount } from './load.ts';
import { createRequest } from './order.ts';
import type { ReceiverReport } from './receiver.ts';
import { type Figure, medianOf } from './report.ts';

/** As many as an endpoint has in flight by default. */
const BARE_CONNECTIONS = 32;
const WAIT_MAX_MS = 120_000;

interface Side {
  name: string;
  endpoints: number;
  /** Events in the log; each endpoint gets all of them. */
  eventsPerSecondOfRun: number;
}
const sides: readonly Side[] = [
  { name: 'send, 1 endpoint', endpoints: 1, eventsPerSecondOfRun: 4_000 },
  { name: 'send, 100 endpoints', endpoints: 100, eventsPerSecondOfRun: 80 },
];

export async function benchSend({ rounds, seconds }: BenchOptions): Promise<BenchResult> {
  const results: Figure[][] = [];
  const receiver = await startHelper<{ port: number }>('receiver.ts');
  try {
    for (let round = 0; round < rounds; round += 1) {
      const figures: Figure[] = [];
      for (const side of sides) {
        const sent = await measureSide(receiver, side, side.eventsPerSecondOfRun * seconds);
        const bare = await measureBare(receiver, sent.bytes, sent.messages);
        figures.push(
          { name: side.name, unit: '/s', value: sent.perSecond },
          { name: `bare loop beside ${side.name}`, unit: '/s', value: bare },
        );
      }
      results.push(figures);
    }
  } finally {
    receiver.stop();
  }
  const goals = sides.map(({ name }) => ({
    sentence: `${name} ÷ bare loop`,
    value: medianOf(results, name) / medianOf(results, `bare loop beside ${name}`),
    atLeast: 0.5,
  }));
  return { rounds: results, goals };
}

/** Fills a log, then starts the sender and measures from the first message at the receiver to the last. */
async function measureSide(receiver: Helper<{ port: number }>, side: Side, events: number) {
  const house = await openHouse(1);
  try {
    const api = await house.serve('api');
    const [tenant] = house.tenants;
    if (tenant === undefined) throw new Error('there is no tenant');
    const key = tenant.test_key;
    const request = (n: number) => createRequest(tenant, 'send', n);
    const load = await runCount({ port: api.port, connections: 32, request }, events);
    if (load.firstFault !== null) throw new Error(`not every job was made: ${load.firstFault}`);
    const bytes = await readEventBytes(api.port, key);
    for (let n = 0; n < side.endpoints; n += 1) await createEndpoint(api.port, key, receiver.said.port, n);
    await receiver.ask({ reset: true });
    await house.serve('sender');
    const report = await waitForMessages(receiver, events * side.endpoints);
    if (report.duplicates > 0) throw new Error(`${report.duplicates} messages came twice without need`);
    const took = (report.lastAt - report.firstAt) / 1000;
    return { perSecond: report.messages / took, messages: report.messages, bytes };
  } finally {
    await house.close();
  }
}

async function measureBare(receiver: Helper<{ port: number }>, bytes: number, messages: number): Promise<number> {
  await receiver.ask({ reset: true });
  const sender = await startHelper('bare-sender.ts', [
    `http://127.0.0.1:${receiver.said.port}`,
    String(BARE_CONNECTIONS),
    String(bytes),
  ]);
  const { seconds } = await sender.ask<{ seconds: number }>({ run: messages });
  sender.stop();
  return messages / seconds;
}

export async function createEndpoint(port: number, key: string, receiverPort: number, n: number): Promise<void> {
  const reply = await fetch(`http://127.0.0.1:${port}/v1/endpoints`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: `http://127.0.0.1:${receiverPort}/${n}`, types: ['job.*'], start_at: 'beginning' }),
  });
  if (reply.status !== 201) throw new Error(`the endpoint was refused: ${await reply.text()}`);
}

async function readEventBytes(port: number, key: string): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${port}/v1/events?after=0&limit=10`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const { data } = (await reply.json()) as { data: { type: string }[] };
  const event = data.find(({ type }) => type === 'job.created');
  return Buffer.byteLength(JSON.stringify(event));
}

export async function waitForMessages(
  receiver: Helper<unknown>,
  count: number,
  waitMaxMs = WAIT_MAX_MS,
): Promise<ReceiverReport> {
  const deadline = performance.now() + waitMaxMs;
  for (;;) {
    const report = await receiver.ask<ReceiverReport>({ report: true });
    if (report.messages >= count) return report;
    if (performance.now() > deadline) throw new Error(`only ${report.messages} of ${count} messages came`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
