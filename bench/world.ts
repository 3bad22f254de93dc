// What benches need in a tenant before they measure: keys of the systems that take part, a driver, and jobs by the
// thousand, made through the API as users make them.

import { runCount } from './load.ts';
import { createRequest, type Source } from './order.ts';

const CONNECTIONS = 64;

export interface MadeJob {
  id: string;
  delivery_id: string;
}

export async function post<Reply>(port: number, key: string, path: string, body: object): Promise<Reply> {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!reply.ok) throw new Error(`POST ${path} was refused: ${await reply.text()}`);
  return (await reply.json()) as Reply;
}

/** A key that speaks for one system. */
export async function makeKey(port: number, key: string, authority: string, scopes: string[]): Promise<string> {
  const made = await post<{ secret: string }>(port, key, '/v1/keys', { name: `bench ${authority}`, authority, scopes });
  return made.secret;
}

/** Makes so many jobs; answers them in the order in which they were answered. */
export async function makeJobs(port: number, source: Source, run: string, count: number): Promise<MadeJob[]> {
  const jobs: MadeJob[] = [];
  const load = await runCount(
    {
      port,
      connections: CONNECTIONS,
      request: (n) => createRequest(source, run, n),
      onAnswer: (answer) => void jobs.push(jobIn(answer)),
    },
    count,
  );
  if (load.firstFault !== null) throw new Error(`not every job was made: ${load.firstFault}`);
  return jobs;
}

function jobIn(answer: Buffer): MadeJob {
  const job = JSON.parse(answer.toString('utf8', answer.indexOf('\r\n\r\n') + 4)) as {
    id: string;
    deliveries: { id: string }[];
  };
  return { id: job.id, delivery_id: job.deliveries[0]?.id ?? '' };
}
