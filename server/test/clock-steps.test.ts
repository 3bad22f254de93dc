// The clock is set by ten minutes, ahead and back: that of the database, that of the server, or both as when they share
// a machine. What is simulated: the functions clock_timestamp() and now() as the server's statements find them, and Date
// in the server's process. PostgreSQL's own timers and the process's monotonic clock run on, as they do when a clock is set.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { verifyWebhook } from '../../sdk/src/webhooks.ts';
import { createDatabase, type TestDatabase } from './harness.ts';
import { checkWorldLog } from './log-check.ts';
import { orderInput } from './order-input.ts';
import { type Received, type Receiver, startReceiver } from './receiver.ts';
import { startServer, type TestServer } from './server.ts';
import { until } from './until.ts';

const STEP_MS = 600_000;
/** What a retry after five seconds takes at most while the sender's clock waits for that of the database. */
const RETRY_WAIT_MS = 25_000;
const RealDate = Date;

let database: TestDatabase;
let server: TestServer;
let receiver: Receiver;
let secret = '';
let processStepMs = 0;

class SteppedDate extends RealDate {
  constructor(...given: []) {
    if (given.length === 0) super(RealDate.now() + processStepMs);
    else super(...given);
  }
  static override now(): number {
    return RealDate.now() + processStepMs;
  }
}

before(async () => {
  database = await createDatabase();
  // Found before PostgreSQL's own by every statement that does not name a schema.
  await database.sql.unsafe(`
    create schema stepped;
    create table stepped.step (by interval not null);
    insert into stepped.step values ('0');
    create function stepped.clock_timestamp() returns timestamptz language sql volatile
      as 'select pg_catalog.clock_timestamp() + (select by from stepped.step)';
    create function stepped.now() returns timestamptz language sql volatile
      as 'select pg_catalog.now() + (select by from stepped.step)';
    grant usage on schema stepped to public;
    grant select on stepped.step to public;
    alter database ${database.name} set search_path = stepped, pg_catalog, public;`);
  globalThis.Date = SteppedDate as DateConstructor;
  server = await startServer({ database });
  receiver = await startReceiver();
  const { body } = await call('POST', '/v1/endpoints', {
    url: `${receiver.url}/hook`,
    types: ['job.*'],
    start_at: 'now',
  });
  secret = body.secret;
  await until(async () => (await call('GET', `/v1/endpoints/${body.id}`)).body.status === 'active', 'the endpoint');
});

after(() => {
  globalThis.Date = RealDate;
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const reply = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${server.tenant.test_key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await reply.text();
  return { status: reply.status, headers: reply.headers, body: text === '' ? null : JSON.parse(text) };
}

const create = (reference: string, headers: Record<string, string> = {}) =>
  call('POST', '/v1/jobs', orderInput(reference, { channel_id: server.tenant.channel_id }), headers);

async function setClocks(byMs: number, which: readonly string[]): Promise<void> {
  if (which.includes('database')) await database.sql`update stepped.step set by = ${`${byMs} ms`}::interval`;
  if (which.includes('server')) processStepMs = byMs;
}

function messageOf(jobId: string): Promise<Received> {
  return until(
    () => receiver.received.find(({ body }) => JSON.parse(body).data.job?.id === jobId) ?? null,
    'the message',
    RETRY_WAIT_MS,
  );
}

/** The time of the database as its clock is set. */
const databaseNow = (byMs: number, which: readonly string[]) =>
  RealDate.now() + (which.includes('database') ? byMs : 0);

for (const which of [['database', 'server'], ['database'], ['server']]) {
  for (const byMs of [STEP_MS, -STEP_MS]) {
    const name = `${which.join('-and-')}-${byMs > 0 ? 'ahead' : 'back'}`;

    test(`${name.replaceAll('-', ' ')}: writes, repeats, order and signatures go on`, async (t) => {
      t.after(() => setClocks(0, which));
      const first = await create(`${name}-before`, { 'idempotency-key': name });
      assert.equal(first.status, 201);
      await setClocks(byMs, which);
      const again = await create(`${name}-before`, { 'idempotency-key': name });
      assert.deepEqual([again.status, again.headers.get('idempotent-replayed')], [201, 'true']);
      assert.equal(again.body.id, first.body.id);
      const job = await create(`${name}-after`);
      assert.equal(job.status, 201, JSON.stringify(job.body));
      const cancelled = { to: 'cancelled', reason_code: 'cancelled_by_shipper' };
      assert.equal((await call('POST', `/v1/jobs/${job.body.id}/transitions`, cancelled)).status, 200);
      await messageOf(job.body.id);
      // The sender compares its clock with the database's once a second: a receiver may refuse what it signs until then.
      let n = 0;
      await until(async () => {
        const message = await messageOf((await create(`${name}-signed-${n++}`)).body.id);
        const nowMs = databaseNow(byMs, which);
        return verifyWebhook({ body: message.body, headers: message.headers, secret, nowMs }).then(
          () => true,
          (error: unknown) => {
            assert.equal((error as { mistake?: string }).mistake, byMs > 0 ? 'timestamp_old' : 'timestamp_ahead');
            return false;
          },
        );
      }, 'a message that a receiver with the right clock accepts');
    });
  }
}

test('a retry that waits when the clock is set back waits at most twice as long', async (t) => {
  t.after(() => setClocks(0, ['database', 'server']));
  receiver.answer([{ status: 500 }, { status: 204 }]);
  const job = await create('retried');
  const isOf = ({ body }: Received) => JSON.parse(body).data.job?.id === job.body.id;
  await until(() => receiver.received.some(isOf), 'the first attempt');
  await setClocks(-STEP_MS, ['database', 'server']);
  await until(() => receiver.received.filter(isOf).length >= 2, 'the second attempt', RETRY_WAIT_MS);
});

test('who died before the clock was set back holds nothing for long', async (t) => {
  t.after(() => setClocks(0, ['database']));
  // As a process leaves it that is killed: its leases renewed a moment ago.
  await database.sql`
    insert into senders (sender, seen_at) values ('dead', clock_timestamp())`;
  await database.sql`
    update sender_leases set holder = 'dead', epoch = epoch + 1, expires_at = clock_timestamp() + interval '5 seconds'
    where share < 8`;
  await setClocks(-STEP_MS, ['database']);
  await until(
    async () => {
      const [row] = await database.sql<{ held: number }[]>`
      select count(*)::int as held from sender_leases where holder is null or holder = 'dead'`;
      return row?.held === 0;
    },
    'the leases of the dead',
    RETRY_WAIT_MS,
  );
  const { body: consumer } = await call('POST', '/v1/consumers', { name: 'board', start_at: 'beginning' });
  const pull = (reader: string) => call('GET', `/v1/events?consumer=board&reader=${reader}&limit=1`);
  await setClocks(0, ['database']);
  assert.equal((await pull('one-that-dies')).status, 200, JSON.stringify(consumer));
  assert.equal((await pull('another')).status, 409);
  await setClocks(-STEP_MS, ['database']);
  assert.equal((await pull('another')).status, 200);
});

test('after all of that the log is gapless, its time never goes back, and its chain verifies', async () => {
  const worlds = await database.sql<{ world_id: number }[]>`select world_id from worlds`;
  for (const { world_id } of worlds) await checkWorldLog(database.sql, world_id);
});
