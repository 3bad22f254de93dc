// Random requests to every operation, made out of the OpenAPI document: whatever comes, several at a time, there is no
// 5xx, every reply keeps to the document, refusals and reads leave no event, and afterwards the log verifies and every job equals its last event.
// FUZZ_CASES sets how many (20,000), FUZZ_SEED repeats a run that failed.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import fc from 'fast-check';
import { checkHouse, type House, headsOf, send, startHouse } from '../house.ts';
import { createArbitraries, oddities, type Schema, seldom } from '../schema-arbitrary.ts';
import { givenAssignedJob, givenJob, go } from './given.ts';

const CASES = Number(process.env.FUZZ_CASES ?? 20_000);
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
    if (example === undefined || path.includes('{')) continue;
    learn((await house.call('POST', path, withKnownIds(example))).text);
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

interface Operation {
  path: string;
  method: string;
  described: Described;
}

function arbitraryCase(): fc.Arbitrary<Case> {
  const arbitraries = createArbitraries(api.components.schemas, naming);
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({ path, method: method.toUpperCase(), described })),
  );
  const chosen = operations.map((one) => ({ weight: weightOf(one), arbitrary: caseOf(one, arbitraries) }));
  return fc.oneof(...chosen);
}

/** Jobs are what there is most to say about; documents of megabytes are the same whatever is asked. */
function weightOf({ path, method }: Operation): number {
  if (path.startsWith('/v1/jobs') && method !== 'GET') return 50;
  return path.startsWith('/v1/') ? 10 : 1;
}

type Arbitraries = ReturnType<typeof createArbitraries>;

function caseOf({ path, method, described }: Operation, arbitraries: Arbitraries): fc.Arbitrary<Case> {
  const { makeOf } = arbitraries;
  const parameters = (described.parameters ?? []).map((one) =>
    '$ref' in one ? (api.components.parameters[one.$ref.split('/').at(-1) ?? ''] as Parameter) : one,
  );
  const inPath = parameters.filter((one) => one.in === 'path').map((one) => makeOf(one.schema, one.name));
  const inQuery = parameters
    .filter((one) => one.in === 'query')
    .map((one) => {
      const value = makeOf(one.schema, one.name);
      return (one.required === true ? value : seldom(value, 4)).map((made) => writeParameter(one.name, made));
    });
  return fc
    .record({
      inPath: fc.tuple(...inPath),
      inQuery: fc.tuple(...inQuery),
      stray: seldom(fc.constantFrom('limit=0', 'x=1', 'after=zz', 'limit=1&limit=1', '%00=%ff'), 40),
      body: bodyOf(described, arbitraries),
      ifMatch: seldom(fc.constantFrom('"1"', '"2"', '*', '1'), 10),
      idempotencyKey: seldom(fc.constantFrom('k1', 'k2', 'k3', 'k 4'), 15),
      key: fc.constantFrom(...keys),
    })
    .map((made) => {
      const named = described.operationId === 'replace_job' ? namesOf(made.body) : made.inQuery;
      const words = [...named, made.stray ?? ''].filter((word) => word !== '');
      let index = 0;
      const url = path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(String(made.inPath[index++])));
      return {
        operation: described.operationId,
        method,
        path: words.length === 0 ? url : `${url}?${words.join('&')}`,
        body: made.body === undefined ? undefined : JSON.stringify(made.body),
        headers: {
          ...(made.ifMatch !== undefined && method !== 'GET' && { 'if-match': made.ifMatch }),
          ...(made.idempotencyKey !== undefined && { 'idempotency-key': made.idempotencyKey }),
        },
        key: made.key,
      };
    });
}

/** PUT names twice what the order says: two random names would never agree. */
function namesOf(order: unknown): string[] {
  const { channel_id, reference } = (order ?? {}) as Record<string, unknown>;
  return [writeParameter('channel', channel_id), writeParameter('reference', reference)];
}

function bodyOf({ requestBody }: Described, arbitraries: Arbitraries): fc.Arbitrary<unknown> {
  const content = requestBody?.content['application/json'];
  if (content === undefined) return fc.constant(undefined);
  const whole = arbitraries.makeOf(content.schema);
  const graft = arbitraries.graftOf(content.schema, withKnownIds(content.example ?? {}));
  return fc.oneof(
    { weight: 10, arbitrary: graft },
    { weight: 4, arbitrary: whole },
    { weight: 3, arbitrary: arbitraries.damagedOf(graft) },
    { weight: 2, arbitrary: arbitraries.damagedOf(whole) },
    { weight: 1, arbitrary: fc.constantFrom(...oddities) },
  );
}

/** The ids of an example exist nowhere: others take their place, and an order gets its channel. No name server is asked. */
function withKnownIds(example: unknown): unknown {
  return JSON.parse(JSON.stringify(example), (name, value: unknown) => {
    if (name === 'url') return 'http://127.0.0.1:9/hooks';
    if (typeof value === 'object' && value !== null && 'deliveries' in value)
      return { channel_id: house.channel_id, ...value };
    const known = naming.namesSomething(name, undefined) ? naming.idsOf(name, undefined)[0] : undefined;
    return typeof value === 'string' ? (known ?? value) : value;
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

test('random requests: no 5xx, every reply conforms, refusals write nothing, the log verifies', async () => {
  const seen = new Map<string, Set<number>>();
  const all = arbitraryCase();
  let heads = await headsOf(house);
  let untouched = 0;
  for (let round = 0; round < CASES / TOGETHER; round++) {
    const cases = fc.sample(all, { numRuns: TOGETHER, seed: SEED + round });
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
    const mayWrite = answers.some(({ status }, index) => status < 300 && cases[index]?.method !== 'GET');
    const after = await headsOf(house);
    if (!mayWrite) {
      untouched++;
      assert.deepEqual(after, heads, `seed ${SEED}: refusals wrote: ${JSON.stringify(cases)}`);
    }
    heads = after;
  }
  assert.ok(untouched > 0, 'no round was refused as a whole');
  const statuses = new Set([...seen.values()].flatMap((each) => [...each]));
  for (const status of [200, 201, 400, 404, 409, 412, 422]) assert.ok(statuses.has(status), `${status} never came`);
  if (process.env.FUZZ_CASES !== undefined)
    console.log([...seen].map(([name, each]) => `${name}: ${[...each].sort().join()}`).join('\n'));
  const never = [...seen].filter(([, each]) => ![...each].some((status) => status < 300)).map(([name]) => name);
  assert.ok(never.length < 15, `never succeeded: ${never.join(', ')}`);
  assert.ok((await checkHouse(house)) > 5);
});
