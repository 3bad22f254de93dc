// What every operation has in common, tried on each of them as the server's own OpenAPI document lists them: a new
// operation is tested from its first day. That strangers reach nothing is tested in stranger.test.ts.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type Answer, type House, headsOf, startHouse } from '../house.ts';

interface Operation {
  method: string;
  /** With ids of the right form that name nothing. */
  path: string;
  template: string;
  takesBody: boolean;
  example: unknown;
  /** What a key needs for it. */
  scope: string | undefined;
}

let house: House;
let operations: Operation[];
before(async () => {
  house = await startHouse();
  const { body } = await house.call('GET', '/openapi.json', undefined, { as: null });
  operations = listOperations(body.paths);
  assert.ok(operations.length >= 60, `${operations.length} operations`);
});

type Described = {
  requestBody?: { content: Record<string, { example?: unknown }> };
  security?: { bearer?: string[] }[];
};

function listOperations(paths: Record<string, Record<string, Described>>): Operation[] {
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods)
      .filter(([method]) => template.startsWith('/v1/') && ['get', 'post', 'put', 'patch', 'delete'].includes(method))
      .map(([method, { requestBody, security }]) => ({
        method: method.toUpperCase(),
        template,
        path: pathOf(template) + queryOf(method, template),
        takesBody: requestBody !== undefined,
        example: requestBody?.content['application/json']?.example,
        scope: security?.[0]?.bearer?.[0],
      })),
  );
}

const prefixes: Record<string, string> = {
  endpoint: 'whe',
  dead_letter: 'dlt',
  redrive: 'rdr',
  replay: 'rpl',
  address: 'adr',
  channel: 'chn',
  driver: 'drv',
  event: 'evt',
};

function pathOf(template: string): string {
  return template
    .replace(/\{(consumer_name|correlation_id|event_type)\}/, 'nobody')
    .replaceAll(/\{(\w+)_id\}/g, (_match, noun: string) => {
      const prefix = prefixes[noun] ?? noun.slice(0, 3);
      return `${prefix}_01kaj2w0d4f8tb3h5gk9mzq7xe`;
    });
}

/** What PUT of a job cannot do without. */
function queryOf(method: string, template: string): string {
  return method === 'put' && template === '/v1/jobs' ? '?channel=x&reference=x' : '';
}

const writes = () => operations.filter(({ method }) => method !== 'GET');
const taking = () => operations.filter(({ takesBody }) => takesBody);
const nameOf = ({ method, template }: Operation) => `${method} ${template}`;

function assertRefused(answer: Answer, status: number, code: string, operation: Operation): void {
  const { body } = answer;
  assert.deepEqual([answer.status, body?.code], [status, code], `${nameOf(operation)}: ${answer.text}`);
  assert.ok(body.detail.length > 10 && body.title.length > 5, `${nameOf(operation)} says why`);
}

/** Sends the same to all of them and looks at the refusals; nothing may be written by any. */
async function tryAll(
  which: readonly Operation[],
  attempt: (operation: Operation) => Promise<Answer>,
  judge: (answer: Answer, operation: Operation) => void,
): Promise<void> {
  const heads = await headsOf(house);
  for (const operation of which) judge(await attempt(operation), operation);
  assert.deepEqual(await headsOf(house), heads, 'nothing is written');
}

test('a body that is no JSON is 400 with the place where it breaks', async () => {
  await tryAll(
    taking(),
    ({ method, path }) => house.call(method, path, '{"a": 1,\n "b": }'),
    (answer, operation) => {
      assertRefused(answer, 400, 'malformed_json', operation);
      assert.deepEqual([answer.body.line, answer.body.column], [2, 7]);
    },
  );
});

test('a body of another media type is 415', async () => {
  await tryAll(
    taking(),
    ({ method, path }) => house.call(method, path, 'a=1', { headers: { 'content-type': 'text/plain' } }),
    (answer, operation) => assertRefused(answer, 415, 'unsupported_media_type', operation),
  );
});

test('a body that is no object, and a member that nobody knows, are 422 with pointers', async () => {
  await tryAll(
    taking(),
    ({ method, path }) => house.call(method, path, '[1]'),
    (answer, operation) => assertRefused(answer, 422, 'invalid_request', operation),
  );
  await tryAll(
    taking(),
    ({ method, path, example }) => house.call(method, path, { ...(example as object), "zz'<b>": 1 }),
    (answer, operation) => {
      const isDryRun = operation.template.endsWith('/validate');
      if (!isDryRun) assertRefused(answer, 422, 'invalid_request', operation);
      const faults: { pointer: string; code: string }[] = isDryRun ? answer.body.faults : answer.body.errors;
      const fault = faults.find(({ pointer }) => pointer === "/zz'<b>");
      assert.equal(fault?.code, 'unknown_field', nameOf(operation));
    },
  );
});

test('a body beyond the limit is 413', async () => {
  const body = Buffer.alloc(1_100_000, 0x20);
  const larger = Buffer.alloc(17_000_000, 0x20);
  const isOfMany = ({ template }: Operation) => ['/v1/jobs/batch', '/v1/transitions'].includes(template);
  await tryAll(
    taking(),
    (operation) => house.call(operation.method, operation.path, isOfMany(operation) ? larger : body),
    (answer, operation) => assertRefused(answer, 413, 'body_too_large', operation),
  );
});

test('an operation that takes no body takes none but an empty one', async () => {
  await tryAll(
    writes().filter(({ takesBody }) => !takesBody),
    ({ method, path }) => house.call(method, path, { force: true }),
    (answer, operation) => assertRefused(answer, 422, 'invalid_request', operation),
  );
});

test('a parameter that nobody knows is 422, with the one that was probably meant', async () => {
  await tryAll(
    operations,
    ({ method, path, example }) =>
      house.call(method, `${path}${path.includes('?') ? '&' : '?'}limti=1`, method === 'GET' ? undefined : example),
    (answer, operation) => {
      assertRefused(answer, 422, 'invalid_request', operation);
      assert.equal(answer.body.errors[0].pointer, 'query/limti', nameOf(operation));
    },
  );
});

test('text in the place of an id is 404', async () => {
  const texts = [
    '1',
    'null',
    "'%20OR%201=1--",
    '%F0%9F%9A%9A',
    '..%2F..%2Fetc%2Fpasswd',
    '%3Cscript%3E',
    '%00',
    'x'.repeat(500),
  ];
  await tryAll(
    operations
      .filter(({ template }) => template.includes('{'))
      .flatMap((one) => texts.map((text) => ({ ...one, text }))),
    (one) => {
      const { method, template, example, text } = one as Operation & { text: string };
      return house.call(method, template.replace(/\{\w+\}/, text), method === 'GET' ? undefined : example);
    },
    (answer, operation) => assertRefused(answer, 404, 'not_found', operation),
  );
});

test('an id of the right form that names nothing is 404', async () => {
  await tryAll(
    operations.filter(({ template }) => template.includes('{')),
    ({ method, path, example }) => house.call(method, path, method === 'GET' ? undefined : example),
    (answer, operation) => assertRefused(answer, 404, 'not_found', operation),
  );
});

test('headers of another form are 400 and named', async () => {
  const headers: Record<string, string> = {
    'if-match': '7',
    'idempotency-key': 'two words',
    'x-correlation-id': 'what?',
    'waypost-version': '2020-01-01',
  };
  for (const [name, value] of Object.entries(headers)) {
    const isOfWrites = name === 'if-match' || name === 'idempotency-key';
    await tryAll(
      isOfWrites ? writes() : operations,
      ({ method, path, example }) =>
        house.call(method, path, method === 'GET' ? undefined : example, { headers: { [name]: value } }),
      (answer, operation) => {
        assertRefused(answer, 400, name === 'waypost-version' ? 'unsupported_version' : 'invalid_header', operation);
        assert.equal(answer.body.errors[0].pointer.toLowerCase(), `header/${name}`, nameOf(operation));
      },
    );
  }
});

test('without a key it is 401, with half a key too', async () => {
  for (const authorization of [undefined, `Bearer ${house.keys.source.slice(0, 30)}`, 'Bearer null']) {
    await tryAll(
      operations,
      ({ method, path, example }) =>
        house.call(method, path, method === 'GET' ? undefined : example, {
          as: null,
          headers: authorization === undefined ? {} : { authorization },
        }),
      (answer, operation) => assertRefused(answer, 401, 'unauthorized', operation),
    );
  }
});

test('a key without the scope is 403, and the scope is named', async () => {
  await tryAll(
    operations,
    ({ method, path, example, scope }) =>
      house.call(method, path, method === 'GET' ? undefined : example, {
        as: scope === 'events:read' ? 'reader' : 'weak',
      }),
    (answer, operation) => {
      assertRefused(answer, 403, 'forbidden', operation);
      assert.equal(answer.body.missing_scope, operation.scope, nameOf(operation));
    },
  );
});

test('a method that the path does not know is 405 and says which it knows', async () => {
  const known = new Map<string, string[]>();
  for (const { template, method } of operations) known.set(template, [...(known.get(template) ?? []), method]);
  for (const [template, methods] of known) {
    const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    // Also where the pattern of another path fits: POST /v1/dead-letters/redrive is beside GET /v1/dead-letters/{id}.
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'].filter(
      (each) => !methods.includes(each),
    )) {
      const answer = await house.call(method, pathOf(template));
      assert.deepEqual([answer.status, answer.body.code], [405, 'method_not_allowed'], `${method} ${template}`);
      assert.deepEqual(answer.headers.get('allow')?.split(', ').sort(), [...allow].sort(), `${method} ${template}`);
    }
  }
});

test('HEAD answers like GET, without the body', async () => {
  for (const { method, path, template } of operations) {
    if (method !== 'GET' || template.includes('{')) continue;
    const key = { authorization: `Bearer ${house.keys.source}` };
    const head = await fetch(house.server.url + path, { method: 'HEAD', headers: key });
    assert.deepEqual([head.status, await head.text()], [200, ''], path);
  }
});

test('the bodies that the document shows are taken as they stand by a fresh installation', async () => {
  const fresh = await startHouse();
  // Orders are sent by who is bound to the only channel, as the keys are that `./waypost env` makes.
  const send = ({ method, template, example }: Operation, query = '') =>
    fresh.call(method, template + query, example, { as: template.startsWith('/v1/jobs') ? 'bound' : 'source' });
  // What they are about has to be made first.
  const later = ['POST /v1/transitions', 'POST /v1/replays'];
  const tried: string[] = [];
  for (const operation of operations) {
    const { method, template, takesBody } = operation;
    const name = `${method} ${template}`;
    if (!takesBody || template.includes('{') || later.includes(name)) continue;
    const query = name === 'PUT /v1/jobs' ? `?channel=${fresh.channel_id}&reference=ORD-10293` : '';
    const { status, text, body } = await send(operation, query);
    assert.ok(status < 300, `${name}: ${text}`);
    if (body.refused !== undefined) assert.equal(body.refused, 0, `${name}: ${text}`);
    if (body.problem !== undefined) assert.equal(body.problem, null, `${name}: ${text}`);
    tried.push(name);
  }
  for (const name of ['POST /v1/jobs', 'POST /v1/jobs/batch', 'POST /v1/jobs/validate', 'POST /v1/addresses'])
    assert.ok(tried.includes(name), name);
});
