// What the server writes into its log: one line a request and one an attempt, from which an operator finds everything
// again, and in which nothing of a person and no secret stands, whatever goes wrong.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import pino from 'pino';
import { errorFields } from '../../src/http/problem.ts';
import { type House, startHouse } from '../house.ts';
import { type Receiver, startReceiver } from '../receiver.ts';
import { until } from '../until.ts';
import { givenDriver, orderFor } from './given.ts';

type Line = Record<string, unknown> & { msg: string };

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const lines: Line[] = [];
let house: House;
let receiver: Receiver;
let story: Awaited<ReturnType<typeof tellStory>>;
before(async () => {
  const log = pino(
    { level: 'debug', base: null, serializers: { err: errorFields } },
    { write: (text: string) => void lines.push(JSON.parse(text) as Line) },
  );
  house = await startHouse({ roles: ['api', 'sender'], log });
  receiver = await startReceiver();
  story = await tellStory();
});

/** Words that occur nowhere else: whoever finds one in the log has found a leak. */
const person = {
  name: 'Zebulon Quixworth',
  phone: '+46709998877',
  email: 'zebulon@quixworth.example',
  line1: 'Quagmirevägen 77',
  notes: 'Vault code 90210 behind the gnome',
  instructions: 'Whisper the word rutabaga',
  pin: '73519',
  reply: 'receiver says hello zebulon',
};

async function givenEndpoint(path: string): Promise<{ id: string; secret: string }> {
  const url = receiver.url + path;
  const made = await house.call('POST', '/v1/endpoints', { url, types: ['job.*'], rendering: 'personal' });
  assert.equal(made.status, 201, made.text);
  const { id, secret } = made.body;
  await until(async () => (await house.call('GET', `/v1/endpoints/${id}`)).body.status === 'active');
  return { id, secret };
}

async function tellStory(): Promise<{ fine: string; failing: string; secret: string }> {
  const [fine, failing] = [await givenEndpoint('/fine'), await givenEndpoint('/failing')];
  receiver.answer(({ path }) => ({
    status: path === '/fine' ? 204 : 503,
    ...(path !== '/fine' && { body: person.reply }),
  }));
  const order = orderFor(house, (each) => {
    const [delivery] = each.deliveries;
    delivery.contact = { ...delivery.contact, name: person.name, phone: person.phone, email: person.email };
    delivery.address.line1 = person.line1;
    delivery.address.access = { notes: person.notes };
    delivery.proof_requirements.on_completion = { pin: { level: 'required', kind: 'supplied', value: person.pin } };
  });
  const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;
  const headers = { 'idempotency-key': 'log-story-key', 'x-correlation-id': 'log-story', traceparent };
  const job = await house.call('POST', '/v1/jobs', order, { headers });
  assert.equal(job.status, 201, job.text);
  const again = await house.call('POST', '/v1/jobs', order, { headers: { ...headers, 'x-correlation-id': 'again' } });
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  const jobId = job.body.id;
  const driver = await givenDriver(house, { name: person.name });
  const steps = [
    { to: 'assigned', driver_id: driver.id },
    { to: 'en_route' },
    { to: 'arrived' },
    { to: 'completed', outcome: 'delivered_to_recipient', proof: [{ kind: 'pin', code: { value: '00000' } }] },
  ];
  for (const step of steps)
    await house.call('POST', `/v1/jobs/${jobId}/transitions`, step, {
      as: 'to' in step && step.to === 'assigned' ? 'dispatch' : 'driver',
    });
  await refuseEverything(order, jobId);
  await until(() => attemptsOf(fine.id).length > 0 && attemptsOf(failing.id).length > 0);
  return { fine: fine.id, failing: failing.id, secret: fine.secret };
}

/** Of what this endpoint was sent of the order's creation. */
function attemptsOf(endpointId: string): Line[] {
  return lines.filter(
    ({ msg, type, endpoint_id }) => msg === 'message.attempted' && type === 'job.created' && endpoint_id === endpointId,
  );
}

/** Every way in which a value of the caller might find its way into words. */
async function refuseEverything(order: { deliveries: object[] }, jobId: string): Promise<void> {
  const { name, phone, email, line1 } = person;
  const broken: [string, string, unknown][] = [
    ['POST', '/v1/jobs', { ...order, reference: `${name} 2`, [name]: phone }],
    ['POST', '/v1/jobs', { ...order, priority: name }],
    ['POST', '/v1/jobs', `{"reference": "${name}", "contact": ${phone}x}`],
    ['POST', '/v1/jobs', { ...order, reference: 'ORD-ODD', deliveries: [{ contact: { name, phone: email } }] }],
    ['POST', '/v1/jobs', { ...order, channel_id: line1 }],
    ['POST', '/v1/customers', { name, phone: 'not a phone', email: name }],
    ['PATCH', `/v1/jobs/${jobId}`, { deliveries: name }],
    ['GET', `/v1/jobs/${encodeURIComponent(name)}`, undefined],
    ['GET', `/v1/jobs?reference=${encodeURIComponent(email)}&colour=${encodeURIComponent(line1)}`, undefined],
    ['GET', `/v1/${encodeURIComponent(name)}?key=${house.keys.source}`, undefined],
    ['POST', '/v1/endpoints', { url: `https://${encodeURIComponent(name)}:x@10.0.0.1/` }],
  ];
  for (const [method, path, body] of broken) {
    const { status } = await house.call(method, path, body);
    assert.ok(status >= 400, `${method} ${path} is refused`);
  }
}

test('no value of a person and no secret occurs in the log of a whole story', () => {
  const written = lines.map((line) => JSON.stringify(line));
  const secrets = [...Object.values(house.keys), story.secret, 'log-story-key', house.server.tenant.live_key];
  const forbidden = [...Object.values(person), ...secrets].flatMap((text) => [text, encodeURIComponent(text)]);
  for (const text of forbidden)
    assert.deepEqual(
      written.filter((line) => line.includes(text)),
      [],
      text,
    );
});

test('a request is found again by its correlation id, with everything but what was in it', () => {
  const completed = lines.filter((line) => line.msg === 'request.completed');
  const [made, again] = ['log-story', 'again'].map((id) => completed.find((line) => line.correlation_id === id));
  const { duration_ms, bytes_in, bytes_out, time: _, ...rest } = made ?? assert.fail('the request has no line');
  assert.ok([duration_ms, bytes_in, bytes_out].every((value) => Number(value) > 0));
  const expected = {
    level: 30,
    operation: 'create_job',
    method: 'POST',
    route: '/v1/jobs',
    status: 201,
    code: null,
    faults: 0,
    ended: null,
    replayed: false,
    tenant_id: house.server.tenant.tenant_id,
    world: 'test',
    correlation_id: 'log-story',
    trace_id: TRACE,
    msg: 'request.completed',
  };
  const { key_id, ...others } = rest;
  assert.deepEqual(others, expected);
  assert.match(String(key_id), /^key_/);
  assert.equal(again?.replayed, true);
  const refused = completed.find((line) => line.code === 'invalid_request' && line.operation === 'create_customer');
  assert.deepEqual([refused?.status, refused?.level, Number(refused?.faults) >= 2], [422, 30, true]);
});

test('an attempt has its line, by which its event and request are found', () => {
  const [delivered] = attemptsOf(story.fine);
  const [refused] = attemptsOf(story.failing);
  assert.deepEqual([delivered?.outcome, delivered?.status, delivered?.level], ['delivered', 204, 30]);
  assert.deepEqual([refused?.outcome, refused?.status, refused?.level], ['refused', 503, 40]);
  assert.equal(refused?.latency_ms, null);
  for (const line of [delivered, refused]) {
    assert.deepEqual([line?.attempt, line?.correlation_id, line?.world], [1, 'log-story', 'test']);
    assert.equal(line?.trace_id, TRACE);
    assert.equal(line?.tenant_id, house.server.tenant.tenant_id);
    assert.match(String(line?.event_id), /^evt_/);
    assert.ok(Number(line?.bytes_out) > 100);
  }
  assert.ok(Number(delivered?.latency_ms) >= 0);
  const handshake = lines.find((line) => line.msg === 'message.attempted' && line.type === 'endpoint.test');
  assert.equal(handshake?.sequence, null);
});

test('each request has one line, and being asked for health is none of interest', async () => {
  const from = lines.length;
  await house.call('GET', '/healthz', undefined, { as: null });
  await house.call('GET', '/v1/jobs?limit=1');
  const told = lines.slice(from).filter((line) => line.msg === 'request.completed');
  assert.deepEqual(
    told.map(({ operation, level }) => [operation, level]),
    [
      ['get_health', 20],
      ['list_jobs', 30],
    ],
  );
});
