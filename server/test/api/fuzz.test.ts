// Random requests to every operation, made out of the OpenAPI document: whatever comes, several at a time, there is no
// 5xx, every reply keeps to the document, and afterwards the log verifies and every job equals its last event.
// FUZZ_CASES sets how many (2,000), FUZZ_SEED repeats a run that failed.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import fc from 'fast-check';
import { checkHouse, type House, send, startHouse } from '../house.ts';
import { createArbitraries, oddities, type Schema } from '../schema-arbitrary.ts';
import { givenAssignedJob, givenJob, go } from './given.ts';

const CASES = Number(process.env.FUZZ_CASES ?? 2_000);
const SEED = process.env.FUZZ_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.FUZZ_SEED);
/** Requests that are on their way together, so that they meet in one batch of the ledger. */
const TOGETHER = 8;
const IDS_KEPT_MAX = 400;

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema: Schema;
}
interface Described {
  operationId: string;
  parameters?: (Parameter | { $ref: string })[];
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> };
}
interface ApiDocument {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema>; parameters: Record<string, Parameter> };
}
interface Case {
  operation: string;
  method: string;
  path: string;
  body: unknown;
  headers: Record<string, string>;
  key: string;
}

let house: House;
let api: ApiDocument;
/** Ids that were seen in replies, by their prefix. */
const pool = new Map<string, string[]>();
const keys: string[] = [];

before(async () => {
  house = await startHouse();
  api = (await house.call('GET', '/openapi.json')).body;
  for (const who of ['source', 'dispatch', 'driver', 'recipient', 'bound', 'plain'] as const)
    keys.push(house.keys[who]);
  for (let round = 0; round < 3; round++) {
    learn(JSON.stringify(await givenJob(house)));
    const { job } = await givenAssignedJob(house);
    learn(JSON.stringify(await go(house, job.id, { to: 'failed', reason_code: 'recipient_unavailable' })));
  }
  for (const [path, methods] of Object.entries(api.paths)) {
    const example = methods.post?.requestBody?.content['application/json']?.example;
    if (example !== undefined && !path.includes('{')) learn((await house.call('POST', path, example)).text);
  }
  learn((await house.call('GET', '/v1/events?limit=200')).text);
});

/** Keeps the ids of a reply, but for those of keys: a random revocation would end the run. */
function learn(text: string): void {
  for (const [id, prefix = ''] of text.matchAll(/\b([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}\b/g)) {
    const known = pool.get(prefix) ?? [];
    if (prefix === 'key' || prefix === 'ten' || known.includes(id)) continue;
    if (known.length >= IDS_KEPT_MAX) known.shift();
    pool.set(prefix, [...known, id]);
  }
}

const prefixOfName: Record<string, string> = {
  task_id: 'tsk',
  driver_id: 'drv',
  driver: 'drv',
  channel_id: 'chn',
  channel: 'chn',
  hub_id: 'hub',
  customer_id: 'cus',
  address_id: 'adr',
  vehicle_id: 'veh',
  job_id: 'job',
  item_id: 'itm',
  supersedes: 'job',
  exception_id: 'exc',
  endpoint_id: 'whe',
  proposal_id: 'pro',
  event_id: 'evt',
};

function prefixOf(name: string, pattern: string | undefined): string | undefined {
  return pattern?.match(/^\^([a-z]{3})_\[/)?.[1] ?? prefixOfName[name];
}

const naming = {
  namesSomething: (name: string, pattern: string | undefined) => prefixOf(name, pattern) !== undefined,
  idsOf: (name: string, pattern: string | undefined) => pool.get(prefixOf(name, pattern) ?? '') ?? [],
};

function arbitraryCase(): fc.Arbitrary<Case> {
  const { valueOf, nearlyOf } = createArbitraries(api.components.schemas, naming);
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({ path, method: method.toUpperCase(), described })),
  );
  // Jobs are what there is most to say about.
  const chosen = operations.flatMap((one) =>
    one.path.startsWith('/v1/jobs') && one.method !== 'GET' ? [one, one, one, one] : [one],
  );
  return fc.constantFrom(...chosen).chain(({ path, method, described }) => {
    const parameters = (described.parameters ?? []).map((one) =>
      '$ref' in one ? (api.components.parameters[one.$ref.split('/').at(-1) ?? ''] as Parameter) : one,
    );
    const schema = described.requestBody?.content['application/json']?.schema;
    const inPath = parameters.filter((one) => one.in === 'path').map((one) => valueOf(one.schema, one.name));
    const inQuery = parameters
      .filter((one) => one.in === 'query')
      .map((one) =>
        fc
          .option(valueOf(one.schema, one.name), { freq: one.required === true ? 20 : 1, nil: undefined })
          .map((value) => writeParameter(one.name, value)),
      );
    return fc
      .record({
        inPath: fc.tuple(...inPath),
        inQuery: fc.tuple(...inQuery),
        stray: fc.option(fc.constantFrom('limit=0', 'x=1', 'after=zz', 'limit=1&limit=1', '%00=%ff'), { freq: 30 }),
        body:
          schema === undefined
            ? fc.constant(undefined)
            : fc.oneof(
                { weight: 12, arbitrary: nearlyOf(schema) },
                { weight: 1, arbitrary: fc.constantFrom(...oddities) },
              ),
        ifMatch: fc.option(fc.constantFrom('"1"', '"2"', '*', '1'), { freq: 8 }),
        idempotencyKey: fc.option(fc.constantFrom('k1', 'k2', 'k3', 'k 4'), { freq: 6 }),
        key: fc.constantFrom(...keys),
      })
      .map((made) => {
        const words = [...made.inQuery, made.stray].filter((word) => word !== '' && word !== null);
        let index = 0;
        const url = path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(String(made.inPath[index++])));
        return {
          operation: described.operationId,
          method,
          path: words.length === 0 ? url : `${url}?${words.join('&')}`,
          body: made.body === undefined ? undefined : JSON.stringify(made.body),
          headers: {
            ...(made.ifMatch !== null && method !== 'GET' && { 'if-match': made.ifMatch }),
            ...(made.idempotencyKey !== null && { 'idempotency-key': made.idempotencyKey }),
          },
          key: made.key,
        };
      });
  });
}

function writeParameter(name: string, value: unknown): string {
  if (value === undefined) return '';
  const text = (one: unknown) => encodeURIComponent(String(one).toWellFormed());
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value)
      .map(([key, one]) => `${name}[${text(key)}]=${text(one)}`)
      .join('&');
  return `${name}=${text(value)}`;
}

test('random requests: no 5xx, every reply conforms, the log verifies', async () => {
  const seen = new Map<string, Set<number>>();
  const random = fc.sample(fc.integer(), { numRuns: Math.ceil(CASES / TOGETHER), seed: SEED });
  for (const seed of random) {
    const cases = fc.sample(arbitraryCase(), { numRuns: TOGETHER, seed });
    const answers = await Promise.all(
      cases.map(async (one) => {
        const answer = await send(house.server.url, one.key, one).catch((error: unknown) => {
          throw new Error(`seed ${SEED}: ${JSON.stringify(one)}`, { cause: error });
        });
        assert.ok(answer.status < 500, `seed ${SEED}: ${JSON.stringify(one)} → ${answer.text}`);
        return answer;
      }),
    );
    answers.forEach(({ status, text }, index) => {
      const { operation = '' } = cases[index] ?? {};
      seen.set(operation, (seen.get(operation) ?? new Set()).add(status));
      if (status < 300) learn(text);
    });
  }
  const statuses = new Set([...seen.values()].flatMap((each) => [...each]));
  for (const status of [200, 201, 400, 404, 409, 412, 422]) assert.ok(statuses.has(status), `${status} never came`);
  const never = [...seen].filter(([, each]) => ![...each].some((status) => status < 300)).map(([name]) => name);
  assert.ok(never.length < 15, `never succeeded: ${never.join(', ')}`);
  if (process.env.FUZZ_CASES !== undefined)
    console.log([...seen].map(([name, each]) => `${name}: ${[...each].sort().join()}`).join('\n'));
  assert.ok((await checkHouse(house)) > 5);
});
