// Replays through the API: what can be asked for, what is answered, and that any choice sends what the log says.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { startHouse } from './house.ts';
import { orderInput } from './order-input.ts';
import { type Received, type Receiver, startReceiver } from './receiver.ts';
import { until } from './until.ts';

const house = await startHouse({ roles: ['api', 'sender'] });

interface Shown {
  id: string;
  state: string;
  total: number | null;
  until_sequence: number;
  progress: { delivered: number; closed: number };
}
interface Logged {
  sequence: number;
  type: string;
  topics: string[];
  recorded_at: string;
  job_id: string | null;
}

let receiver: Receiver;
let endpoint = '';
/** What was sent live. */
let logged: Logged[] = [];
const bodies = new Map<number, Received>();

before(async () => {
  receiver = await startReceiver();
  const made = await house.call('POST', '/v1/endpoints', {
    url: `${receiver.url}/hooks`,
    types: ['job.*', 'delivery.*', 'exception.*', 'pickup.*'],
  });
  endpoint = made.body.id;
  const jobs: string[] = [];
  for (let number = 0; number < 12; number++)
    jobs.push(
      (await house.call('POST', '/v1/jobs', orderInput(`R-${number}`, { channel_id: house.channel_id }))).body.id,
    );
  for (const [index, job] of jobs.entries()) {
    await house.call('PATCH', `/v1/jobs/${job}`, { priority: index % 2 === 0 ? 'urgent' : 'low' });
    if (index % 3 === 0) await house.call('PATCH', `/v1/jobs/${job}`, { metadata: { again: 'yes' } });
  }
  const page = await house.call('GET', '/v1/events?types=job.*&limit=200');
  logged = page.body.data.map((event: Logged & { data: { job: { id: string } } }) => ({
    ...event,
    job_id: event.data.job.id,
  }));
  await until(() => (messages().length >= logged.length ? true : null), 'the live messages');
  for (const message of messages()) bodies.set(Number(message.headers['waypost-sequence']), message);
});

const messages = () => receiver.received.filter(({ headers }) => headers['waypost-sequence'] !== undefined);
const replayed = (id: string) => messages().filter(({ headers }) => headers['waypost-replay'] === id);
const sequencesOf = (some: readonly Received[]) => some.map(({ headers }) => Number(headers['waypost-sequence']));

async function run(choice: object): Promise<Shown> {
  const asked = await house.call('POST', '/v1/replays', { endpoint_id: endpoint, ...choice });
  assert.equal(asked.status, 202, JSON.stringify(asked.body));
  assert.equal(asked.headers.get('location'), `/v1/replays/${asked.body.id}`);
  return until(async () => {
    const { body } = await house.call('GET', `/v1/replays/${asked.body.id}`);
    return body.state === 'completed' ? (body as Shown) : null;
  }, 'the end of the replay');
}

test('any choice of range, time, jobs and types sends exactly what the log holds of it, and then each job ends right', async () => {
  const jobs = [...new Set(logged.map(({ job_id }) => job_id))];
  const sequence = fc.integer({ min: 1, max: (logged.at(-1)?.sequence ?? 1) - 1 });
  const time = fc.constantFrom(...logged.map(({ recorded_at }) => recorded_at));
  const option = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const choice = fc
    .record({
      from_sequence: sequence,
      until_sequence: option(sequence),
      since: option(time),
      until: option(time),
      job_ids: option(fc.uniqueArray(fc.constantFrom(...jobs), { minLength: 1, maxLength: 4 })),
      types: option(fc.subarray(['job.created', 'job.updated', 'exception.*', 'job.pickup.*'], { minLength: 1 })),
    })
    .filter(
      ({ from_sequence, until_sequence, since, until }) =>
        (until_sequence ?? Infinity) >= from_sequence && (until ?? '9') >= (since ?? '0'),
    );
  await fc.assert(
    fc.asyncProperty(choice, async (chosen) => {
      const given = JSON.parse(JSON.stringify(chosen));
      const { id, until_sequence, total, progress } = await run(given);
      const fits = ({ type, topics }: Logged) =>
        chosen.types === undefined ||
        [type, ...topics].some((name) =>
          chosen.types?.some((each) => each === name || (each.endsWith('.*') && name.startsWith(each.slice(0, -1)))),
        );
      const wanted = logged.filter(
        (event) =>
          event.sequence >= chosen.from_sequence &&
          event.sequence <= Math.min(chosen.until_sequence ?? Infinity, until_sequence) &&
          event.recorded_at >= (chosen.since ?? '0') &&
          event.recorded_at < (chosen.until ?? '9') &&
          (chosen.job_ids?.includes(event.job_id) ?? true) &&
          fits(event),
      );
      const got = replayed(id);
      assert.equal(total, wanted.length);
      assert.deepEqual(
        new Set(sequencesOf(got).slice(0, wanted.length)),
        new Set(wanted.map((event) => event.sequence)),
      );
      assert.equal(got.length, wanted.length + progress.closed);
      const last = new Map<string | null, number>();
      for (const message of got) {
        const number = Number(message.headers['waypost-sequence']);
        const job = logged.find((event) => event.sequence === number)?.job_id ?? null;
        assert.ok((last.get(job) ?? 0) < number, 'in order');
        last.set(job, number);
        const first = bodies.get(number);
        assert.equal(message.body, first?.body);
        for (const name of ['webhook-id', 'waypost-previous'])
          assert.equal(message.headers[name], first?.headers[name]);
      }
      for (const [job, number] of last)
        assert.equal(number, logged.findLast((event) => event.job_id === job)?.sequence, 'the newest comes last');
    }),
    { numRuns: 15 },
  );
});

test('dead letters alone may be asked for where there are none, and that is over at once', async () => {
  for (const choice of [{}, { types: ['job.*'], rate_per_s: 4 }]) {
    const { total, progress } = await run({ dead_letters: true, ...choice });
    assert.deepEqual([total, progress.delivered], [0, 0]);
  }
});

test('what cannot be replayed is refused in words, each with its place', async () => {
  const post = (body: object) => house.call('POST', '/v1/replays', { endpoint_id: endpoint, ...body });
  const nothing = await post({});
  assert.deepEqual([nothing.status, nothing.body.errors[0].code], [422, 'nothing_chosen']);
  assert.match(nothing.body.detail, /from_sequence 1 is everything/);
  const early = await post({ from_sequence: 1_000_000 });
  assert.deepEqual([early.status, early.body.errors[0].pointer], [422, '/from_sequence']);
  const reversed = await post({ from_sequence: 9, until_sequence: 2 });
  assert.deepEqual([reversed.status, reversed.body.errors[0].pointer], [422, '/until_sequence']);
  const misspelt = await post({ types: ['jobs.*'] });
  assert.equal(misspelt.status, 422);
  const nowhere = await post({ from_sequence: 1, to: 'whe_01m7yhqmb4f0pankpv0n1w71v1' });
  assert.equal(nowhere.status, 404);
});

test('an endpoint has a bounded number of replays at a time; a cancelled one makes room and stays in the list', async () => {
  const open: string[] = [];
  await house.call('POST', `/v1/endpoints/${endpoint}/pause`);
  const ask = () => house.call('POST', '/v1/replays', { endpoint_id: endpoint, from_sequence: 1 });
  for (let count = 0; count < 2; count++) open.push((await ask()).body.id);
  const asked = await Promise.all(Array.from({ length: 8 }, ask));
  const taken = asked.filter(({ status }) => status === 202).map(({ body }) => body.id);
  assert.equal(taken.length, 2, 'however many ask at the same moment');
  open.push(...taken.sort());
  const full = await ask();
  assert.deepEqual([full.status, full.body.code, full.body.limit], [409, 'limit_reached', 4]);
  const shown = await house.call('GET', `/v1/replays/${open[0]}`);
  assert.deepEqual([shown.body.state, shown.body.waiting_for], ['waiting', 'endpoint_paused']);
  const cancelled = await house.call('POST', `/v1/replays/${open[0]}/cancel`);
  assert.deepEqual([cancelled.body.state, cancelled.body.end_reason], ['cancelled', 'cancelled']);
  assert.deepEqual((await house.call('POST', `/v1/replays/${open[0]}/cancel`)).body, cancelled.body);
  assert.equal((await house.call('POST', '/v1/replays', { endpoint_id: endpoint, from_sequence: 1 })).status, 202);
  const list = await house.call('GET', `/v1/replays?endpoint_id=${endpoint}&limit=5`);
  assert.deepEqual(
    list.body.data
      .slice(1)
      .map((one: Shown) => one.id)
      .reverse(),
    open,
  );
  await house.call('POST', `/v1/endpoints/${endpoint}/resume`);
  await until(async () => {
    const { body } = await house.call('GET', `/v1/replays?limit=5`);
    return body.data.every(({ state }: Shown) => state !== 'running' && state !== 'waiting') ? true : null;
  }, 'the end of all');
});

test('a replay is in the audit, and its events say what was asked for and what came of it', async () => {
  const { id } = await run({ types: ['job.created'] });
  const audit = await house.call('GET', '/v1/audit?limit=50');
  assert.ok(JSON.stringify(audit.body.data).includes('replay.create'));
  const page = await house.call('GET', '/v1/events?types=endpoint.*&limit=200');
  const own = page.body.data.filter((event: { data: { data_id: string } }) => event.data.data_id === id);
  assert.deepEqual(
    own.map((event: { type: string }) => event.type),
    ['endpoint.replay_requested', 'endpoint.replay_completed'],
  );
  assert.deepEqual(own[0].data.replay.types, ['job.created']);
  assert.equal(own[1].data.replay.result.delivered, 12);
});
