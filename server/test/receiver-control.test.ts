// What a receiver can say beside its status, and how whoever looks afterwards sees it.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type House, startHouse } from './house.ts';
import { orderOf } from './order-input.ts';
import { type Answer, type Receiver, startReceiver } from './receiver.ts';
import { until } from './until.ts';

let house: House;
before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
});

let orders = 0;
/** An endpoint whose receiver gives this answer to each message, and its first attempt at one. */
async function firstAttempt(answer: Answer) {
  const receiver: Receiver = await startReceiver();
  receiver.answer(({ body }) => (body.includes('"endpoint.test"') ? { status: 204 } : answer));
  const made = await house.call('POST', '/v1/endpoints', { url: receiver.url, types: ['job.created'] });
  const path = `/v1/endpoints/${made.body.id}`;
  await until(async () => (await house.call('GET', path)).body.status === 'active');
  await house.call('POST', '/v1/jobs', orderOf(`CTL-${++orders}`, house.channel_id));
  const attempt = await until(
    async () =>
      (await house.call('GET', `${path}/attempts`)).body.data.find(
        ({ type }: { type: string }) => type !== 'endpoint.test',
      ) ?? null,
  );
  return { path, attempt };
}

test('`webhook-delivery` and `Retry-After` are shown with the attempt that they were answered to', async () => {
  const aborted = await firstAttempt({ status: 400, headers: { 'webhook-delivery': 'abort' } });
  assert.deepEqual([aborted.attempt.control, aborted.attempt.retry_after_s], ['abort', null]);
  const slowed = await firstAttempt({ status: 429, headers: { 'retry-after': '90' } });
  assert.deepEqual([slowed.attempt.control, slowed.attempt.retry_after_s], [null, 90]);
  const [message] = (await house.call('GET', `${slowed.path}/messages`)).body.data;
  const waits = Date.parse(message.next_attempt_at) - Date.parse(slowed.attempt.started_at);
  assert.ok(waits >= 90_000 && waits < 100_000, `${waits} ms`);
  const health = await until(async () => {
    const { body } = await house.call('GET', `${slowed.path}/health`);
    return body.window?.width < 32 ? body : null;
  });
  assert.equal(health.window.width, 16, 'its rate is lowered');
});

test('a date in `Retry-After` is shown in seconds, and never more than a day', async () => {
  const inTwoHours = new Date(Date.now() + 7_200_000).toUTCString();
  const dated = await firstAttempt({ status: 503, headers: { 'retry-after': inTwoHours } });
  assert.ok(Math.abs(dated.attempt.retry_after_s - 7_200) < 60, `${dated.attempt.retry_after_s}`);
  const far = await firstAttempt({ status: 503, headers: { 'retry-after': '999999' } });
  assert.equal(far.attempt.retry_after_s, 86_400);
});

test('`pause` and 410 pause the endpoint, which says why', async () => {
  const paused = await firstAttempt({ status: 200, headers: { 'webhook-delivery': 'pause' } });
  assert.deepEqual([paused.attempt.control, paused.attempt.outcome], ['pause', 'delivered']);
  const gone = await firstAttempt({ status: 410 });
  for (const [{ path }, reason] of [
    [paused, 'receiver'],
    [gone, 'gone'],
  ] as const) {
    const endpoint = await until(async () => {
      const { body } = await house.call('GET', path);
      return body.status === 'paused' ? body : null;
    });
    assert.equal(endpoint.paused_reason, reason);
  }
});

test('rules about what is worth sending are checked, completed and shown', async () => {
  const url = 'https://shop.example/hooks';
  const post = (worth_sending: object[]) => house.call('POST', '/v1/endpoints', { url, worth_sending });
  const made = await post([{ types: ['driver.*'], latest_wins: true }]);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.worth_sending, [{ types: ['driver.*'], latest_wins: true, time_to_live_s: null }]);
  const faults = async (worth_sending: object[]) => {
    const { status, body } = await post(worth_sending);
    return [status, ...(body.errors ?? []).map(({ pointer }: { pointer: string }) => pointer)];
  };
  assert.deepEqual(await faults([{ types: ['driver.*'] }]), [422, '/worth_sending/0']);
  assert.match((await post([{ types: ['driver.*'] }])).body.detail, /a rule of worth_sending that rules nothing/);
  assert.deepEqual(await faults([{ types: ['driver.upated'], latest_wins: true }]), [422, '/worth_sending/0/types/0']);
  assert.deepEqual(await faults([{ types: ['job.*'], time_to_live_s: 0 }]), [422, '/worth_sending/0/time_to_live_s']);
  const path = `/v1/endpoints/${made.body.id}`;
  const changed = await house.call('PATCH', path, { worth_sending: [{ types: ['job.*'], time_to_live_s: 60 }] });
  assert.deepEqual(changed.body.worth_sending, [{ types: ['job.*'], latest_wins: false, time_to_live_s: 60 }]);
  assert.deepEqual((await house.call('PATCH', path, { worth_sending: [] })).body.worth_sending, []);
});
