// The numbers of an endpoint at the door: each is taken up to its limit and refused beyond. The figures stand here as they
// stand in the contract (docs/contract.md), not as constants: a limit that is changed has to be changed in three places.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type House, startHouse } from './house.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const DAY_S = 86_400;
const headers = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-own-${at}`, 'v']));
const rules = (count: number) => Array.from({ length: count }, () => ({ types: ['job.*'], latest_wins: true }));
const inDays = (days: number) => new Date(Date.now() + days * DAY_S * 1_000).toISOString();
const living = (time_to_live_s: number) => [{ types: ['job.*'], time_to_live_s }];

/** Member, the most that is taken, and what is refused. */
const limits: readonly [pointer: string, most: object, more: object][] = [
  ['/timeout_s', { timeout_s: 30 }, { timeout_s: 31 }],
  ['/order_patience_s', { order_patience_s: 3 * DAY_S }, { order_patience_s: 3 * DAY_S + 1 }],
  ['/in_flight_max', { in_flight_max: 32 }, { in_flight_max: 33 }],
  ['/rate_per_s', { rate_per_s: 10_000 }, { rate_per_s: 10_001 }],
  ['/headers', { headers: headers(20) }, { headers: headers(21) }],
  ['/worth_sending', { worth_sending: rules(20) }, { worth_sending: rules(21) }],
  ['/worth_sending/0/time_to_live_s', { worth_sending: living(30 * DAY_S) }, { worth_sending: living(30 * DAY_S + 1) }],
  ['/start_at', { start_at: inDays(89.9) }, { start_at: inDays(90.1) }],
];

test('the settings of an endpoint are taken up to their limits and refused beyond', async () => {
  const post = (input: object) => house.call('POST', '/v1/endpoints', { url: 'https://shop.example/hooks', ...input });
  for (const [pointer, most, more] of limits) {
    const taken = await post(most);
    assert.equal(taken.status, 201, taken.text);
    const refused = await post(more);
    assert.equal(refused.status, 422, `${pointer}: ${refused.text}`);
    assert.deepEqual(
      refused.body.errors.map((fault: { pointer: string }) => fault.pointer),
      [pointer],
    );
  }
});

test('a rotated secret signs on for a day, or for as long as asked up to a week', async () => {
  const made = await house.call('POST', '/v1/endpoints', { url: 'https://shop.example/hooks' });
  const rotate = async (input: object) => {
    const { status, body } = await house.call('POST', `/v1/endpoints/${made.body.id}/rotate-secret`, input);
    if (status !== 200) return status;
    return Math.round((Date.parse(body.previous_secret_expires_at) - Date.parse(body.updated_at)) / 1_000);
  };
  assert.equal(await rotate({}), DAY_S);
  assert.equal(await rotate({ overlap_s: 7 * DAY_S }), 7 * DAY_S);
  assert.equal(await rotate({ overlap_s: 7 * DAY_S + 1 }), 422);
});
