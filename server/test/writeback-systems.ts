// Systems that write-backs call, as their public documentation says that they behave: paths, authentication, and above all
// how each of them says no.

import type { Answer, Received } from './receiver.ts';

export interface Call {
  method: string;
  path: string;
  body: unknown;
}

type System = (request: Received) => Answer;

const json = (status: number, body: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

export const TOKEN = 'shpat_5ecret';
export const KNOWN = '1046000818';

/**
 * "GraphQL Admin API reference: fulfillmentCreate" and "API response status and error codes" (shopify.dev): one path, a
 * token in X-Shopify-Access-Token, 401 without it, and 200 with `userErrors` for what cannot be done.
 */
export const shopify: System = ({ method, path, headers, body }) => {
  if (path !== '/admin/api/2026-01/graphql.json' || method !== 'POST') return json(404, { errors: 'Not Found' });
  if (headers['x-shopify-access-token'] !== TOKEN)
    return json(401, { errors: '[API] Invalid API key or access token (unrecognized login or wrong password)' });
  const { query, variables } = JSON.parse(body) as {
    query: string;
    variables?: { fulfillment: { lineItemsByFulfillmentOrder: { fulfillmentOrderId: string }[] } };
  };
  if (query.startsWith('{ shop')) return json(200, { data: { shop: { name: 'Shop' } } });
  const id = variables?.fulfillment.lineItemsByFulfillmentOrder[0]?.fulfillmentOrderId;
  if (id === `gid://shopify/FulfillmentOrder/${KNOWN}`)
    return json(200, {
      data: {
        fulfillmentCreate: { fulfillment: { id: 'gid://shopify/Fulfillment/1', status: 'SUCCESS' }, userErrors: [] },
      },
    });
  const userErrors = [{ field: ['fulfillment'], message: 'Fulfillment order does not exist.' }];
  return json(200, { data: { fulfillmentCreate: { fulfillment: null, userErrors } } });
};

/**
 * "WooCommerce REST API Documentation v3: Authentication, Update an order, Create an order note": Basic authentication with
 * consumer key and secret, 401 without, 404 with a code for an order that is not there.
 */
export const woocommerce: System = ({ method, path, headers, body }) => {
  if (headers.authorization !== `Basic ${Buffer.from('ck_1:cs_1').toString('base64')}`)
    return json(401, {
      code: 'woocommerce_rest_cannot_view',
      message: 'Sorry, you cannot list resources.',
      data: { status: 401 },
    });
  if (method === 'GET' && path === '/wp-json/wc/v3/orders?per_page=1') return json(200, []);
  const [, id, notes] = /^\/wp-json\/wc\/v3\/orders\/(\d+)(\/notes)?$/.exec(path) ?? [];
  if (id !== KNOWN)
    return json(404, { code: 'woocommerce_rest_shop_order_invalid_id', message: 'Invalid ID.', data: { status: 404 } });
  const asked = JSON.parse(body) as { note?: string; status?: string };
  if (notes !== undefined && method === 'POST')
    return json(201, { id: 281, author: 'system', note: asked.note, customer_note: false });
  return method === 'PUT' ? json(200, { id: Number(id), status: asked.status }) : json(404, { code: 'rest_no_route' });
};

/**
 * "External RPC API" (odoo.com, JSON-RPC): everything is a POST to /jsonrpc that is answered with 200; what went wrong stands in
 * `error`, with the exception of the server in `data`.
 */
export const odoo: System = ({ method, path, headers, body }) => {
  if (method !== 'POST' || path !== '/jsonrpc' || headers['content-type'] !== 'application/json') return json(404, {});
  const { id, params } = JSON.parse(body) as { id: unknown; params: { args: unknown[] } };
  const [database, uid, key, model, called, ids] = params.args;
  const no = (name: string, message: string) =>
    json(200, {
      jsonrpc: '2.0',
      id,
      error: { code: 200, message: 'Odoo Server Error', data: { name, message, debug: `key ${String(key)}` } },
    });
  if (database !== 'DATABASE' || uid !== 2 || key !== TOKEN) return no('odoo.exceptions.AccessDenied', 'Access Denied');
  if (model === 'res.users') return json(200, { jsonrpc: '2.0', id, result: [{ id: 2, login: 'waypost' }] });
  if (called === 'message_post' && JSON.stringify(ids) === `[[${KNOWN}]]`)
    return json(200, { jsonrpc: '2.0', id, result: 17 });
  return no('odoo.exceptions.MissingError', 'Record does not exist or has been deleted.');
};

/** Any API that puts a state where an order is. */
export const rest: System = ({ method, path, headers }) => {
  if (headers.authorization !== `Bearer ${TOKEN}`) return json(401, { error: 'unauthorized' });
  if (method === 'GET' && path === '/api/status') return json(200, { ok: true });
  return method === 'PUT' && path.startsWith('/api/deliveries/') ? { status: 204 } : json(404, { error: 'not found' });
};
