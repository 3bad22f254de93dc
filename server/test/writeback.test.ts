// Write-back with the templates of examples/writeback, each against a system that behaves as its documentation says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { before, type TestContext } from 'node:test';
import { givenCompletedJob } from './api/given.ts';
import { type House, startHouse } from './house.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { until } from './until.ts';
import { KNOWN, odoo, rest, shopify, TOKEN, woocommerce } from './writeback-systems.ts';

const folder = join(import.meta.dirname, '../../examples/writeback');

let house: House;
before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
});

interface Template {
  url: string;
  [member: string]: unknown;
}

/** A template as a user fills it in. */
function templateFor(name: string, { url }: Receiver): Template {
  const template = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Template;
  const { pathname } = new URL(template.url);
  return { ...template, url: url + pathname };
}

async function givenSystem(t: TestContext, answer: Parameters<Receiver['answer']>[0]): Promise<Receiver> {
  const system = await startReceiver();
  system.answer(answer);
  t.after(() => system.stop());
  return system;
}

/** An endpoint that was verified by its check. */
async function givenWriteback(input: Template): Promise<string> {
  const made = await house.call('POST', '/v1/endpoints', input);
  assert.equal(made.status, 201, made.text);
  const { id } = made.body as { id: string };
  const verified = await house.call('POST', `/v1/endpoints/${id}/verify`);
  assert.equal(verified.body.delivered, true, verified.text);
  return id;
}

/** The first attempt that was about an event of the log. */
async function attemptOf(id: string): Promise<{ outcome: string; error: string | null; reply: string | null }> {
  return until(async () => {
    const { body } = await house.call('GET', `/v1/endpoints/${id}/attempts`);
    const attempts = body.data as { sequence: number | null; outcome: string; error: string; reply: string }[];
    return attempts.find(({ sequence }) => sequence !== null);
  }, 'an attempt');
}

const bodiesOf = ({ received }: Receiver, path: string) =>
  received.filter((request) => request.path === path).map(({ body }) => JSON.parse(body || 'null'));

const named = (metadata: Record<string, string>) => (order: { metadata?: unknown }) => {
  order.metadata = metadata;
};

test('Shopify: a delivered job fulfils its fulfillment order, and what Shopify says no to is a failure', async (t) => {
  const system = await givenSystem(t, shopify);
  const input = { ...templateFor('shopify', system), headers: { 'x-shopify-access-token': TOKEN } };
  const id = await givenWriteback(input);
  const job = await givenCompletedJob(house, named({ shopify_fulfillment_order_id: KNOWN }));
  const attempt = await attemptOf(id);
  assert.deepEqual([attempt.outcome, attempt.error], ['delivered', null]);
  const [sent] = bodiesOf(system, '/admin/api/2026-01/graphql.json').filter(({ variables }) => variables !== undefined);
  assert.deepEqual(sent.variables.fulfillment.lineItemsByFulfillmentOrder, [
    { fulfillmentOrderId: `gid://shopify/FulfillmentOrder/${KNOWN}` },
  ]);
  assert.equal(sent.variables.fulfillment.trackingInfo.number, job.reference);
  assert.ok(system.received.every(({ headers }) => headers['webhook-signature'] === undefined));
  await house.as.source.endpoints.delete(id);

  const other = await givenWriteback(input);
  await givenCompletedJob(house, named({ shopify_fulfillment_order_id: '7' }));
  const refused = await attemptOf(other);
  assert.deepEqual(
    [refused.outcome, refused.error],
    ['refused', 'the system said no: Fulfillment order does not exist.'],
  );
  await house.as.source.endpoints.delete(other);
});

test('WooCommerce: a delivered job completes its order; one that has none asks for nothing', async (t) => {
  const system = await givenSystem(t, woocommerce);
  const authorization = `Basic ${Buffer.from('ck_1:cs_1').toString('base64')}`;
  const id = await givenWriteback({ ...templateFor('woocommerce', system), headers: { authorization } });
  await givenCompletedJob(house);
  const nothing = await attemptOf(id);
  assert.deepEqual([nothing.outcome, nothing.reply], ['delivered', 'the transform asks for nothing']);
  await givenCompletedJob(house, named({ woocommerce_order_id: KNOWN }));
  const path = `/wp-json/wc/v3/orders/${KNOWN}`;
  const [request] = await until(() => {
    const found = system.received.filter((each) => each.path === path);
    return found.length > 0 ? found : null;
  }, 'the order to be completed');
  assert.deepEqual([request?.method, JSON.parse(request?.body ?? '')], ['PUT', { status: 'completed' }]);
  assert.match(String(request?.headers['idempotency-key']), /^evt_/);
  await house.as.source.endpoints.delete(id);
});

test('Odoo: a message is left at the transfer; the key goes into the body and is kept nowhere', async (t) => {
  const system = await givenSystem(t, odoo);
  const input = { ...templateFor('odoo', system), credentials: { api_key: TOKEN } };
  const id = await givenWriteback(input);
  await givenCompletedJob(house, named({ odoo_picking_id: KNOWN }));
  assert.equal((await attemptOf(id)).outcome, 'delivered');
  const { params } = bodiesOf(system, '/jsonrpc').at(-1);
  const shown = await house.call('GET', `/v1/endpoints/${id}`);
  assert.deepEqual([shown.body.status, shown.body.credential_names], ['active', ['api_key']]);
  assert.equal(shown.text.includes(TOKEN), false);
  assert.deepEqual(params.args.slice(0, 6), ['DATABASE', 2, TOKEN, 'stock.picking', 'message_post', [[Number(KNOWN)]]]);
  await house.as.source.endpoints.delete(id);

  const stranger = await house.call('POST', '/v1/endpoints', { ...input, credentials: { api_key: 'wrong-key-1' } });
  const tried = await house.call('POST', `/v1/endpoints/${stranger.body.id}/verify`);
  assert.deepEqual([tried.body.delivered, tried.body.attempt.outcome], [false, 'refused']);
  assert.equal(tried.body.attempt.error, 'the system said no: Odoo Server Error: Access Denied');
  assert.equal(tried.text.includes('wrong-key-1'), false);
});

test('any REST API: each state of a job is put where its order is, in order', async (t) => {
  const system = await givenSystem(t, rest);
  const id = await givenWriteback({ ...templateFor('rest', system), headers: { authorization: `Bearer ${TOKEN}` } });
  const job = await givenCompletedJob(house);
  const states = () => bodiesOf(system, `/api/deliveries/${job.reference}`);
  await until(() => states().at(-1)?.state === 'completed', 'the last state');
  const versions = states().map(({ version }) => version as number);
  assert.deepEqual(
    versions,
    versions.toSorted((a, b) => a - b),
  );
  await house.as.source.endpoints.delete(id);
});

test('what cannot be carried out is refused when it is written, or said by the attempt', async (t) => {
  const system = await givenSystem(t, { status: 200, body: '{}' });
  const destination = { type: 'writeback' };
  const bare = await house.call('POST', '/v1/endpoints', {
    url: system.url,
    destination,
    format: 'cloudevents_binary',
  });
  const pointers = bare.body.errors.map(({ pointer }: { pointer: string }) => pointer);
  assert.deepEqual([bare.status, pointers], [422, ['/transform', '/format']]);
  const transform = '{"method": "POST", "url": "http://169.254.169.254/latest", "body": {}}';
  const id = await givenWriteback({ url: system.url, destination, transform, types: ['job.completed'] });
  await givenCompletedJob(house);
  const attempt = await attemptOf(id);
  assert.equal(attempt.outcome, 'failed');
  assert.match(attempt.error ?? '', /^the request goes to http:\/\/169\.254\.169\.254, the endpoint to /);
  await house.as.source.endpoints.delete(id);
});
