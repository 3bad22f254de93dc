// The hard date of the log: days go though somebody needs them, who loses what is told, and nobody is held back by it.
// Days pass because the database's clock is set ahead, and because each look is told a time.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { noonOf, type OldDays, startOldDays } from './old-days.ts';
import { orderInput } from './order-input.ts';
import { type Received, type Receiver, startReceiver } from './receiver.ts';
import { until } from './until.ts';

const sequenceOf = ({ headers }: Received) => Number(headers['waypost-sequence']);
const previousOf = ({ headers }: Received) => Number(headers['waypost-previous']);

let days: OldDays;
let receiver: Receiver;
let failing: Receiver;
/** Paused when it had got the job of the first day. */
let paused = '';
/** Asks for what never happens, and is paused too. */
let unconcerned = '';
/** Has dead letters and a message that is tried again. */
let troubled = '';
let replay = '';
let jobId = '';
/** Where the cursor of the paused one stands. */
let stood = 0;
let floor = 0;
let letter = '';

const call: OldDays['call'] = (...asked) => days.call(...asked);
const isActive = async (id: string) => (await call('GET', `/v1/endpoints/${id}`)).body.status === 'active';

async function createEndpoint(url: string, types: string[]): Promise<string> {
  const { id } = (await call('POST', '/v1/endpoints', { url, types, start_at: 'now' })).body;
  await until(() => isActive(id), 'the endpoint');
  return id;
}

before(async () => {
  days = await startOldDays(0);
  receiver = await startReceiver();
  failing = await startReceiver();
  paused = await createEndpoint(`${receiver.url}/paused`, ['job.*']);
  unconcerned = await createEndpoint(`${receiver.url}/unconcerned`, ['vehicle.*']);
  troubled = await createEndpoint(`${failing.url}/troubled`, ['job.*']);
  await call('POST', '/v1/consumers', { name: 'slow', start_at: 'beginning' });
  const aborting = { status: 500, headers: { 'webhook-delivery': 'abort' } };
  failing.answer(({ body }) => (body.includes('job.created') ? aborting : { status: 500 }));
  jobId = (await call('POST', '/v1/jobs', orderInput('first', { channel_id: days.server.tenant.channel_id }))).body.id;
  await until(() => receiver.received.some(({ body }) => body.includes(jobId)), 'the first message');
  letter = (await until(async () => (await call('GET', '/v1/dead-letters')).body.data[0] ?? null, 'the dead letter'))
    .id;
  for (const id of [paused, unconcerned]) await call('POST', `/v1/endpoints/${id}/pause`);
  await call('PATCH', `/v1/jobs/${jobId}`, { priority: 'express' });
  await call('PATCH', `/v1/jobs/${jobId}`, { priority: 'standard' });
  await until(async () => (await call('GET', `/v1/endpoints/${troubled}/health`)).body.retrying === 1, 'the retry');
  replay = (await call('POST', '/v1/replays', { endpoint_id: paused, from_sequence: 1 })).body.id;
  await call('POST', `/v1/endpoints/${troubled}/pause`);
  await days.goTo('1 day');
  const [cursor] = await days.database.sql<{ sequence: number }[]>`
    select sequence from cursors where world_id = ${days.world_id} and endpoint_id = ${paused}`;
  stood = cursor?.sequence ?? 0;
  floor = await days.findSecondDay();
});

test('on its date a day goes, whoever needs it, and what each loses is counted', async () => {
  const { days: gone, expired } = await days.look(0);
  assert.equal(gone.length, 2);
  const [oldest] = (await call('GET', '/v1/events?after=0&limit=1')).body.data;
  assert.equal(oldest.sequence, floor);
  const lost = expired.map(({ endpoint_id, consumer_id, replay_id, ...counted }) => ({
    who: consumer_id !== null ? 'consumer' : (replay_id ?? endpoint_id),
    ...{ from: counted.from, to: counted.to, lost: counted.lost, dead_letters: counted.dead_letters },
  }));
  const found = (who: string) => lost.find((each) => each.who === who);
  assert.deepEqual(found(paused), { who: paused, from: stood + 1, to: floor - 1, lost: 2, dead_letters: 0 });
  assert.deepEqual(found('consumer'), { who: 'consumer', from: 1, to: floor - 1, lost: null, dead_letters: 0 });
  assert.equal(found(troubled)?.to, floor - 1);
  assert.deepEqual(
    [found(troubled)?.lost, found(troubled)?.dead_letters],
    [1, 2],
    'one waited, one failed, one was dead',
  );
  assert.equal(found(replay)?.lost, null);
  assert.equal(found(unconcerned), undefined, 'who was owed nothing has lost nothing');
  assert.equal(lost.length, 4);
});

test('it is told by an event of the log, once, though every start asks for it', async () => {
  const countUntold = async () => {
    const [row] = await days.database.sql<{ untold: number }[]>`
      select count(*)::int as untold from log_expiries where world_id = ${days.world_id} and told_at is null`;
    return row?.untold ?? -1;
  };
  assert.ok((await countUntold()) > 0, 'it is written down with the loss, and told later');
  for (const _ of ['first', 'second']) {
    await days.goTo('1 day');
    await until(async () => (await countUntold()) === 0, 'everything to be told');
  }
  const told = (await call('GET', '/v1/events?types=endpoint.events_expired')).body.data;
  assert.equal(told.length, 3);
  const own = told.find(
    ({ data }: { data: Record<string, unknown> }) => data.data_id === paused && data.replay_id === null,
  );
  const { from, to, lost, dead_letters } = own.data;
  assert.deepEqual([from, to, lost, dead_letters], [stood + 1, floor - 1, 2, 0]);
  const warned = (await call('GET', '/v1/events?types=endpoint.events_expiring')).body.data;
  assert.deepEqual(warned.at(-1).data.expires_at, noonOf(91.5).toISOString());
  const { data } = (await call('GET', '/v1/events?types=endpoint.*&limit=200')).body;
  const last = data.findLast((event: { data: { data_id: string } }) => event.data.data_id === paused);
  assert.deepEqual(last.data.endpoint, (await call('GET', `/v1/endpoints/${paused}`)).body, 'it equals its last event');
});

test('a dead letter whose event is gone says so, and is not sent again', async () => {
  const { data } = (await call('GET', `/v1/dead-letters?endpoint_id=${troubled}&state=expired`)).body;
  assert.deepEqual(
    data.map(({ reason }: { reason: string }) => reason),
    ['expired', 'aborted_by_receiver'],
  );
  const refused = await call('POST', `/v1/dead-letters/${letter}/redrive`);
  assert.deepEqual([refused.status, refused.body.code], [409, 'dead_letter_settled']);
  assert.match(refused.body.detail, /its event has left the log/);
});

test('a consumer is refused with the oldest number, and is not said to lose each further day', async () => {
  const { status, body } = await call('GET', '/v1/events?consumer=slow');
  assert.deepEqual([status, body.code, body.oldest_sequence], [410, 'cursor_expired', floor]);
  assert.deepEqual((await days.look(0)).expired, []);
});

test('a resumed endpoint goes on behind what is gone, and its first message names what is missing as its previous', async () => {
  const before = receiver.received.length;
  await call('POST', `/v1/endpoints/${paused}/resume`);
  await call('PATCH', `/v1/jobs/${jobId}`, { priority: 'express' });
  const news = () => receiver.received.slice(before).filter(({ headers }) => headers['waypost-replay'] === undefined);
  await until(() => news().length > 0, 'the message of the second day');
  const [message] = news();
  assert.ok(message);
  assert.ok(sequenceOf(message) >= floor);
  assert.ok(previousOf(message) > stood && previousOf(message) < floor, 'the last that it was owed, and never got');
  const { body } = await call('GET', `/v1/events?endpoint_id=${paused}&after=${stood}`);
  assert.deepEqual([body.code, body.oldest_sequence], ['cursor_expired', floor]);
  const ended = await until(async () => {
    const shown = (await call('GET', `/v1/replays/${replay}`)).body;
    return shown.ended_at === null ? null : shown;
  }, 'the replay');
  assert.equal(ended.end_reason, 'completed');
});
