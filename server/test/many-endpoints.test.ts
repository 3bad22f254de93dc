// One sender for many endpoints of many tenants: those that are idle are asked about by nobody, and who has a long backlog
// does not stand before the others. Counted in statements and messages, not in time, so that a slow machine changes nothing.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import diagnosticsChannel from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { insertTenant } from '../src/access/tenant.store.ts';
import type { Command } from '../src/ledger/command.ts';
import { mintId } from '../src/ledger/id.ts';
import { createEndpoint, loadForCreate } from '../src/webhooks/endpoint.ts';
import { sealSecret, secretKeyId } from '../src/webhooks/sealed-secret.ts';
import { writeSecret } from '../src/webhooks/signing.ts';
import { type SenderKit, startKit } from './sender-kit.ts';
import { until } from './until.ts';

const TENANTS = 100;
const ENDPOINTS_PER_TENANT = 10;
/** Looks for news during which the statements of a sender with nothing to do are counted. */
const LOOKS = 40;
const BACKLOG_EVENTS = 3_000;
const BACKLOG_ENDPOINTS = 5;

/** Counts the messages that come, by path; tests of endpoints are answered and not counted. */
async function openCounter(t: TestContext) {
  const counts = new Map<string, number>();
  const hanging: ServerResponse[] = [];
  let hangs = (_path: string) => false;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const isMessage = request.headers['waypost-sequence'] !== undefined;
    if (isMessage) counts.set(path, (counts.get(path) ?? 0) + 1);
    request.resume().on('end', () => {
      if (isMessage && hangs(path)) hanging.push(response);
      else response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (path: string) => `http://127.0.0.1:${port}${path}`,
    countOf: (path: string) => counts.get(path) ?? 0,
    /** Messages that are not answered. */
    hanging,
    /** Messages to these paths hang from now on, until all are answered. */
    hangAt(which: (path: string) => boolean) {
      hangs = which;
    },
    answerAll() {
      hangs = () => false;
      for (const response of hanging.splice(0)) response.writeHead(204).end();
    },
  };
}

async function makeWorlds(kit: SenderKit, count: number): Promise<number[]> {
  const [organization] = await kit.db.sql<{ organization_id: string }[]>`select organization_id from organizations`;
  const worlds: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const tenant_id = mintId('ten', Date.now());
    const made = await insertTenant(kit.db.sql, {
      tenant_id,
      organization_id: organization?.organization_id ?? '',
      name: `Tenant ${n}`,
    });
    worlds.push(made.test_world_id);
  }
  return worlds;
}

function commandIn(world_id: number, name: string, load: Command['load'], decide: Command['decide']): Command {
  const actor = { type: 'system', id: 'test' } as const;
  return { name, world_id, actor, cause: 'api', correlation_id: 'many', idempotency: null, load, decide };
}

function endpointIn(kit: SenderKit, world_id: number, url: string): Command {
  const id = mintId('whe', Date.now());
  const secret_text = writeSecret(randomBytes(32));
  const sealed = sealSecret(kit.secretKey, { world_id, endpoint_id: id }, secret_text);
  const secret = { key_id: secretKeyId(kit.secretKey), sealed };
  const input = { url, types: ['job.*'] };
  const made = { id, input, start: null, secret, secret_text, headers: null, signing_key: null, credentials: null };
  return commandIn(world_id, 'endpoint.create', loadForCreate(), (set, moment) =>
    createEndpoint(set, moment, made, { channel_ids: null, may_read_contacts: true }),
  );
}

function eventIn(world_id: number, job: string): Command {
  const draft = {
    ...{ type: 'job.updated', topics: [], data_id: job, job_id: job, job_sequence: 1, channel_id: null },
    ...{ document: null, changes: {}, occurred_at: null, effective_at: null, implied: false, applied: true },
    causation_id: null,
  };
  const reply = { status: 200, body: null, version: null, location: null };
  return commandIn(world_id, 'test.emit', [], () => ({ events: [draft], puts: [], reply }));
}

async function commitAll(kit: SenderKit, commands: readonly Command[]): Promise<void> {
  for (let at = 0; at < commands.length; at += 500)
    await Promise.all(commands.slice(at, at + 500).map((command) => kit.ledger.commit(command)));
}

const allActive = (kit: SenderKit, count: number) =>
  until(async () => {
    const [row] = await kit.db.sql<{ active: number }[]>`
      select count(*)::int as active from endpoints where status = 'active'`;
    return row?.active === count;
  }, `${count} active endpoints`);

test('a thousand idle endpoints of a hundred tenants cost a sender no statement of their own', async (t) => {
  const sent: { pool: string; text: string }[] = [];
  const note = (message: unknown) => void sent.push(message as { pool: string; text: string });
  diagnosticsChannel.subscribe('waypost:statement', note);
  t.after(() => void diagnosticsChannel.unsubscribe('waypost:statement', note));
  const kit = await startKit(t);
  const counter = await openCounter(t);
  const worlds = await makeWorlds(kit, TENANTS);
  await commitAll(
    kit,
    Array.from({ length: TENANTS * ENDPOINTS_PER_TENANT }, (_none, n) =>
      endpointIn(kit, worlds[n % TENANTS] ?? 0, counter.urlOf(`/${n}`)),
    ),
  );
  const sender = await kit.sender();
  await allActive(kit, TENANTS * ENDPOINTS_PER_TENANT);
  const isLook = ({ text }: { text: string }) => /select world_id, sequence, config_version from heads/.test(text);
  // Once what the beginnings left is read and written down: a sender that asks for each endpoint never comes to that.
  await until(async () => {
    const own = sent.filter(({ pool }) => pool.startsWith('waypost sender'));
    const from = own.flatMap((statement, at) => (isLook(statement) ? [at] : [])).at(-LOOKS);
    return from !== undefined && own.slice(from).length < 2 * LOOKS;
  }, `${LOOKS} looks with fewer other statements between them`);
  assert.equal(sender.state().endpoints.closed, TENANTS * ENDPOINTS_PER_TENANT);
  // And an event of one of them is still found at once.
  await commitAll(kit, [eventIn(worlds[7] ?? 0, mintId('job', Date.now()))]);
  await until(async () => counter.countOf('/7') === 1, 'the event of one idle endpoint');
});

test('a tenant with a long backlog does not stand before the single event of another', async (t) => {
  const kit = await startKit(t);
  const counter = await openCounter(t);
  const [busy = 0, quiet = 0] = await makeWorlds(kit, 2);
  const paths = Array.from({ length: BACKLOG_ENDPOINTS }, (_none, n) => `/busy/${n}`);
  await commitAll(kit, [
    ...paths.map((path) => endpointIn(kit, busy, counter.urlOf(path))),
    endpointIn(kit, quiet, counter.urlOf('/quiet')),
  ]);
  const first = await kit.sender();
  await allActive(kit, BACKLOG_ENDPOINTS + 1);
  await first.stop();
  await commitAll(
    kit,
    Array.from({ length: BACKLOG_EVENTS }, () => eventIn(busy, mintId('job', Date.now()))),
  );
  await kit.sender();
  const countBusy = () => paths.reduce((sum, path) => sum + counter.countOf(path), 0);
  // Our receiver takes one new connection in each turn of this process: those of the backlog must be open by then.
  await until(async () => countBusy() > 3_000, 'the backlog to be on its way');
  const before = countBusy();
  await commitAll(kit, [eventIn(quiet, mintId('job', Date.now()))]);
  let after = 0;
  await until(async () => {
    after = countBusy();
    return counter.countOf('/quiet') === 1;
  }, 'the single event');
  // What was on its way already, and a few blocks of what follows: nothing like the backlog.
  const all = BACKLOG_EVENTS * BACKLOG_ENDPOINTS;
  assert.ok(before < all / 2, `the backlog was on its way: ${before} of ${all}`);
  assert.ok(after - before < all / 10, `${after - before} of ${all} messages went before the single one`);
});

test('receivers that hang hold half of what may be in flight, and the event of another tenant goes out beside them', async (t) => {
  const IN_FLIGHT_MAX = 60;
  const ENDPOINTS = 10;
  const EVENTS = 20;
  const kit = await startKit(t);
  const counter = await openCounter(t);
  const [hanging = 0, quiet = 0] = await makeWorlds(kit, 2);
  const paths = Array.from({ length: ENDPOINTS }, (_none, n) => `/hanging/${n}`);
  await commitAll(kit, [
    ...paths.map((path) => endpointIn(kit, hanging, counter.urlOf(path))),
    endpointIn(kit, quiet, counter.urlOf('/quiet')),
  ]);
  const sender = await kit.sender({ inFlightMax: IN_FLIGHT_MAX });
  await allActive(kit, ENDPOINTS + 1);
  counter.hangAt((path) => path !== '/quiet');
  await commitAll(
    kit,
    Array.from({ length: EVENTS }, () => eventIn(hanging, mintId('job', Date.now()))),
  );
  await until(() => sender.state().held === ENDPOINTS, 'all endpoints of the tenant to wait for room');
  const { in_flight } = sender.state();
  assert.ok(in_flight > IN_FLIGHT_MAX / 3 && in_flight <= IN_FLIGHT_MAX / 2, `${in_flight} in flight`);
  await commitAll(kit, [eventIn(quiet, mintId('job', Date.now()))]);
  await until(() => counter.countOf('/quiet') === 1, 'the event of the other tenant');
  assert.equal(sender.state().held, ENDPOINTS, 'nothing of the first was answered meanwhile');
  await until(() => counter.hanging.length === in_flight, 'what is in flight to hang');
  counter.answerAll();
  const sum = () => paths.reduce((total, path) => total + counter.countOf(path), 0);
  await until(() => sum() === ENDPOINTS * EVENTS, 'everything that waited');
  await until(() => sender.state().in_flight === 0, 'all to be answered');
  assert.equal(sender.state().held, 0);
});
