import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Act, OK, type Receiver, type SenderKit, startKit } from './sender-kit.ts';

const DAY_MS = 86_400_000;

interface Scene {
  kit: SenderKit;
  receiver: Receiver;
  id: string;
}
async function scene(
  t: Parameters<typeof startKit>[0],
  input: Partial<Parameters<SenderKit['endpoint']>[0]> = {},
): Promise<Scene> {
  const kit = await startKit(t);
  const receiver = await kit.receiver();
  await kit.sender();
  const { id } = await kit.endpoint({ url: receiver.url, types: ['job.*'], ...input });
  await kit.active(id);
  return { kit, receiver, id };
}

const parked = ({ kit, id }: Scene) =>
  kit.db.sql<{ sequence: number; state: string; attempts: number; redrive: string }[]>`
    select sequence, state, attempts, redrive from parked_messages where endpoint_id = ${id} order by sequence`;
const attempts = ({ kit, id }: Scene) =>
  kit.db.sql<
    { sequence: number; outcome: string; status: number | null; error: string | null; reply: string | null }[]
  >`
    select sequence, outcome, status, error, reply from attempts where endpoint_id = ${id} and sequence > 0 order by started_at, attempt`;
const dead = ({ kit, id }: Scene) =>
  kit.db.sql<
    {
      dead_letter_id: string;
      sequence: number;
      state: string;
      reason: string;
      attempts: number;
      last_status: number | null;
    }[]
  >`
    select dead_letter_id, sequence, state, reason, attempts, last_status from dead_letters where endpoint_id = ${id} order by sequence`;
const untilParked = (it: Scene, count: number) => it.kit.eventually(async () => (await parked(it)).length === count);

/** The failing message has its row, after so many attempts. What waits behind it may have got one, too. */
const untilTried = (it: Scene, tries: number) =>
  it.kit.eventually(async () =>
    (await parked(it)).some(({ state, attempts }) => state === 'retry' && attempts === tries),
  );

/** Fails what `isBad` says, with the act, and takes the rest. */
function failing(
  receiver: Receiver,
  isBad: (job: string, count: number) => boolean,
  act: Act = { status: 500, body: 'no' },
): void {
  const seen = new Map<string, number>();
  receiver.script = ({ job_id }) => {
    const count = (seen.get(job_id) ?? 0) + 1;
    seen.set(job_id, count);
    return isBad(job_id, count) ? act : OK;
  };
}

test('a message that fails is tried again after five seconds; its job waits, others do not', async (t) => {
  const it = await scene(t);
  failing(it.receiver, (job, count) => job === 'a' && count === 1);
  await it.kit.emit(['a', 'b', 'a', 'b']);
  await it.receiver.until(({ messages }) => messages.length === 3);
  await untilTried(it, 1);
  assert.deepEqual(it.receiver.messages.map(({ job_id }) => job_id).sort(), ['a', 'b', 'b']);
  it.kit.clock.advance(4_000);
  await untilParked(it, 2);
  assert.equal(it.receiver.messages.length, 3, 'too early, and what waits behind it has a row by now');
  it.kit.clock.advance(1_100);
  await it.receiver.until(({ messages }) => messages.length === 5);
  const ofA = it.receiver.messages.filter(({ job_id }) => job_id === 'a');
  assert.deepEqual(
    ofA.map(({ headers }) => headers['waypost-attempt']),
    ['1', '2', '1'],
  );
  assert.equal(ofA[0]?.body, ofA[1]?.body, 'the same bytes');
  assert.equal(ofA[0]?.headers['webhook-id'], ofA[1]?.headers['webhook-id']);
  assert.equal(ofA[0]?.headers['waypost-previous'], ofA[1]?.headers['waypost-previous']);
  await untilParked(it, 0);
  await it.kit.settled(it.id);
  const [first] = await attempts(it);
  assert.deepEqual(
    { ...first },
    { sequence: first?.sequence, outcome: 'refused', status: 500, error: 'answered with status 500', reply: 'no' },
  );
});

const brokenAnswers: Record<string, { act: Act; outcome: string; error: RegExp; status?: number }> = {
  'a redirect': {
    act: { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
    outcome: 'refused',
    error: /redirects are not followed/,
    status: 302,
  },
  'a reset': {
    act: { socket: (socket) => socket.resetAndDestroy() },
    outcome: 'failed',
    error: /closed before an answer/,
  },
  'a silent close': { act: { socket: (socket) => socket.end() }, outcome: 'failed', error: /closed before an answer/ },
  garbage: { act: { socket: (socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n') }, outcome: 'failed', error: /not HTTP/ },
  'a close in mid-body': {
    act: {
      socket: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.destroy()),
    },
    outcome: 'failed',
    error: /cut off/,
    status: 200,
  },
  'a close in the headers': {
    act: { socket: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le') },
    outcome: 'failed',
    error: /./,
  },
  'a status that does not exist': {
    act: { socket: (socket) => socket.end('HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n') },
    outcome: 'refused',
    error: /999/,
    status: 999,
  },
};
for (const [name, { act, outcome, error, status }] of Object.entries(brokenAnswers)) {
  test(`${name} is a failure, told in words, and tried again`, async (t) => {
    const it = await scene(t);
    failing(it.receiver, (_job, count) => count === 1, act);
    await it.kit.emit(['a']);
    await untilParked(it, 1);
    const [attempt] = await attempts(it);
    assert.equal(attempt?.outcome, outcome);
    assert.match(attempt?.error ?? '', error);
    assert.equal(attempt?.status ?? null, status ?? null);
    it.kit.clock.advance(5_000);
    await untilParked(it, 0);
    assert.equal(it.receiver.messages.length, 2);
  });
}

test('no answer within the time is a failure', async (t) => {
  const it = await scene(t, { timeout_s: 3 });
  failing(it.receiver, (_job, count) => count === 1, { hold: true });
  await it.kit.emit(['a']);
  await it.receiver.until(({ messages }) => messages.length === 1);
  it.kit.clock.advance(3_000);
  await it.kit.eventually(async () => (await parked(it))[0]?.state === 'retry');
  const [attempt] = await attempts(it);
  assert.equal(attempt?.outcome, 'timed_out');
  assert.match(attempt?.error ?? '', /no answer within 3 s/);
});

test('a slow answer does not hold the cursor: after a second the message has a row, and the answer counts', async (t) => {
  const it = await scene(t);
  failing(it.receiver, (job) => job === 'slow', { hold: true });
  await it.kit.emit(['slow', 'b', 'c', 'slow']);
  await it.receiver.until(({ messages }) => messages.length === 3);
  it.kit.clock.advance(1_200);
  await untilParked(it, 2);
  assert.deepEqual(
    (await parked(it)).map(({ state }) => state),
    ['in_flight', 'behind'],
  );
  await it.kit.settled(it.id);
  it.receiver.script = () => OK;
  it.receiver.release();
  await untilParked(it, 0);
  assert.deepEqual(
    it.receiver.messages.map(({ job_id }) => job_id),
    ['slow', 'b', 'c', 'slow'],
  );
});

test('nobody listening is a failure that does not count as sent', async (t) => {
  const it = await scene(t);
  await it.receiver.close();
  await it.kit.emit(['a']);
  await untilParked(it, 1);
  const [attempt] = await attempts(it);
  assert.match(attempt?.error ?? '', /connection refused/);
});

test('410 pauses the endpoint at once; resumed, it goes on where it stood', async (t) => {
  // One at a time: nothing else is on its way when the pause calls off what is.
  const it = await scene(t, { in_flight_max: 1 });
  it.receiver.script = () => ({ status: 410 });
  await it.kit.emit(['a', 'a', 'b']);
  await it.kit.eventually(async () => (await it.kit.status(it.id)).status === 'paused');
  assert.equal((await it.kit.status(it.id)).paused_reason, 'gone');
  assert.deepEqual([...(await parked(it))], [], 'nothing is copied');
  it.receiver.script = () => OK;
  const { resumeEndpoint } = await import('../src/webhooks/endpoint.ts');
  const before = it.receiver.messages.length;
  await it.kit.change(it.id, resumeEndpoint);
  await it.receiver.until(({ messages }) => messages.length === before + 3);
  assert.deepEqual(
    it.receiver.messages
      .slice(before)
      .map(({ job_id }) => job_id)
      .sort(),
    ['a', 'a', 'b'],
  );
});

test('Retry-After in seconds postpones the retry, and 429 slows the endpoint down', async (t) => {
  const it = await scene(t);
  failing(it.receiver, (job, count) => job === 'a' && count === 1, { status: 429, headers: { 'retry-after': '40' } });
  await it.kit.emit(['a']);
  await untilParked(it, 1);
  await it.kit.emit(['b']);
  it.kit.clock.advance(30_000);
  await untilParked(it, 1);
  assert.equal(it.receiver.messages.length, 1, 'the whole endpoint is held back');
  it.kit.clock.advance(10_500);
  await it.receiver.until(({ messages }) => messages.length === 3);
  await untilParked(it, 0);
});

test('Retry-After as a date is kept too', async (t) => {
  const it = await scene(t);
  const at = new Date(Date.now() + 3_600_000);
  failing(it.receiver, (_job, count) => count === 1, { status: 503, headers: { 'retry-after': at.toUTCString() } });
  await it.kit.emit(['a']);
  await untilParked(it, 1);
  const [row] = await it.kit.db.sql<
    { due_at: Date }[]
  >`select due_at from parked_messages where endpoint_id = ${it.id}`;
  assert.ok(Math.abs((row?.due_at.getTime() ?? 0) - at.getTime()) < 2_000, `${row?.due_at.toISOString()}`);
});

test('after the patience later events flow and say which one is missing', async (t) => {
  const it = await scene(t, { order_patience_s: 60 });
  failing(it.receiver, (job, count) => job === 'a' && count <= 3);
  await it.kit.emit(['a', 'a']);
  for (const [index, pause] of [5_100, 30_100].entries()) {
    await untilTried(it, index + 1);
    it.kit.clock.advance(pause);
    const expected = it.receiver.messages.length + 1;
    await it.receiver.until(({ messages }) => messages.length === expected);
  }
  await untilTried(it, 3);
  it.kit.clock.advance(25_000);
  await it.receiver.until(({ messages }) => messages.length === 4);
  const [first, , , second] = it.receiver.messages;
  assert.equal(second?.headers['waypost-missing'], String(first?.sequence));
  assert.equal(second?.headers['waypost-previous'], String(first?.sequence));
  it.kit.clock.advance(120_000);
  await untilParked(it, 0);
  assert.equal(it.receiver.messages.at(-1)?.sequence, first?.sequence);
  assert.equal(it.receiver.messages.at(-1)?.headers['waypost-missing'], undefined);
});

test('thirteen tries make a dead letter; the next one of the job goes at once; a redrive brings it back', async (t) => {
  const it = await scene(t);
  let isFixed = false;
  const poison = new Set<number>();
  it.receiver.script = ({ sequence, job_id }) => {
    if (job_id === 'a' && poison.size === 0) poison.add(sequence ?? 0);
    return !isFixed && poison.has(sequence ?? 0) ? { status: 500 } : OK;
  };
  await it.kit.emit(['a']);
  await untilParked(it, 1);
  await it.kit.emit(['b']);
  for (let tries = 1; tries < 13; tries++) {
    it.kit.clock.advance(DAY_MS + 1_000);
    await it.kit.eventually(
      async () =>
        (await attempts(it)).filter(({ outcome }) => outcome === 'refused').length > tries ||
        (await dead(it)).length > 0,
    );
    if ((await dead(it)).length > 0) break;
  }
  const [letter] = await dead(it);
  assert.equal(letter?.state, 'dead');
  assert.equal(letter?.reason, 'tries_used');
  assert.equal(letter?.last_status, 500);
  assert.deepEqual([...(await parked(it))], []);
  isFixed = true;
  await it.kit.redrive([letter?.dead_letter_id ?? '']);
  await it.kit.eventually(async () => (await dead(it))[0]?.state === 'delivered');
  const last = it.receiver.messages.at(-1);
  assert.equal(last?.sequence, letter?.sequence);
  assert.equal(last?.headers['waypost-redrive'], letter?.dead_letter_id);
  assert.deepEqual([...(await parked(it))], []);
});

test('the ladder gives thirteen tries when nobody waits longer than it says', async (t) => {
  const it = await scene(t);
  it.receiver.script = () => ({ status: 500 });
  await it.kit.emit(['a']);
  const pauses = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 73_100];
  for (const [index, pause] of pauses.entries()) {
    await it.kit.eventually(
      async () => (await parked(it))[0]?.attempts === index + 1 && (await parked(it))[0]?.state === 'retry',
    );
    it.kit.clock.advance(pause * 1_000);
  }
  await it.kit.eventually(async () => (await dead(it)).length === 1);
  assert.equal((await dead(it))[0]?.attempts, 13);
  assert.equal(it.receiver.messages.length, 13);
});

test('a receiver can abort a message, and pause its endpoint, by a header', async (t) => {
  const it = await scene(t);
  it.receiver.script = ({ job_id }) =>
    job_id === 'a'
      ? { status: 400, headers: { 'webhook-delivery': 'abort' } }
      : job_id === 'p'
        ? { status: 200, headers: { 'webhook-delivery': 'pause' } }
        : OK;
  await it.kit.emit(['a']);
  await it.kit.eventually(async () => (await dead(it)).length === 1);
  assert.equal((await dead(it))[0]?.reason, 'aborted_by_receiver');
  await it.kit.emit(['p', 'b']);
  await it.kit.eventually(async () => (await it.kit.status(it.id)).paused_reason === 'receiver');
  await it.kit.eventually(async () => (await attempts(it)).some(({ outcome }) => outcome === 'delivered'));
});

test('a broken endpoint stops its cursor and costs no rows; healthy again, it catches up in order', async (t) => {
  const it = await scene(t);
  const healthy = await it.kit.receiver();
  const other = await it.kit.endpoint({ url: healthy.url, types: ['job.*'] });
  await it.kit.active(other.id);
  it.receiver.isTestPassed = false;
  it.receiver.script = () => ({ status: 500 });
  const jobs = Array.from({ length: 1_000 }, (_, index) => `job_${index % 100}`);
  await it.kit.emit(jobs);
  await healthy.until(({ messages }) => messages.length === 1_000);
  await it.kit.settled(other.id);
  const broken = async () =>
    (
      await it.kit.db.sql<
        { broken_since: Date | null; probes: number }[]
      >`select broken_since, probes from cursors where endpoint_id = ${it.id}`
    )[0];
  await it.kit.eventually(async () => (await broken())?.broken_since != null);
  const rows = (await parked(it)).length;
  assert.ok(rows <= 10, `${rows} rows`);
  const before = it.receiver.messages.length;
  assert.ok(before <= 45, `${before} were sent`);
  it.kit.clock.advance(5_000);
  await it.kit.eventually(async () => ((await broken())?.probes ?? 0) === 1);
  assert.equal(it.receiver.received.length - before <= 2, true, 'one probe');
  assert.equal((await parked(it)).length, rows, 'still as many rows');
  it.receiver.isTestPassed = true;
  it.receiver.script = () => OK;
  const failed = it.receiver.received.length;
  it.kit.clock.advance(10_000);
  await it.kit.settled(it.id);
  await untilParked(it, 0);
  const after = it.receiver.received.slice(failed).filter(({ sequence }) => sequence !== null);
  assert.equal(new Set(after.map(({ sequence }) => sequence)).size, 1_000);
  const last = new Map<string, number>();
  for (const { job_id, sequence } of after) {
    assert.ok((last.get(job_id) ?? 0) < (sequence ?? 0), `${job_id} in order`);
    last.set(job_id, sequence ?? 0);
  }
  await it.kit.eventually(async () => (await broken())?.broken_since === null);
});

test('an endpoint that stays broken for three days is paused', async (t) => {
  const it = await scene(t);
  it.receiver.isTestPassed = false;
  it.receiver.script = () => ({ status: 500 });
  await it.kit.emit(Array.from({ length: 20 }, (_, index) => `job_${index}`));
  const broken = async () =>
    (await it.kit.db.sql`select 1 from cursors where endpoint_id = ${it.id} and broken_since is not null`).length === 1;
  await it.kit.eventually(broken);
  it.kit.clock.advance(3 * DAY_MS);
  await it.kit.eventually(async () => (await it.kit.status(it.id)).status === 'paused');
  assert.equal((await it.kit.status(it.id)).paused_reason, 'broken');
});

test('a poison message dies while others of its endpoint pass, without breaking the circuit', async (t) => {
  const it = await scene(t);
  failing(it.receiver, (job) => job === 'poison');
  await it.kit.emit(['poison', 'a', 'poison', 'b']);
  for (let round = 0; (await dead(it)).length < 2; round++) {
    assert.ok(round < 40, 'it dies');
    const before = it.receiver.messages.length;
    it.kit.clock.advance(DAY_MS / 2);
    await it.kit.emit([`good_${round}`]);
    await it.receiver.until(
      ({ messages }) => messages.length > before && messages.some(({ job_id }) => job_id === `good_${round}`),
    );
  }
  assert.deepEqual((await dead(it)).map(({ sequence }) => sequence).length, 2);
  assert.equal((await it.kit.status(it.id)).status, 'active');
});
