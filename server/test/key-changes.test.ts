// What is changed of a key on one process holds on every other within a second: two processes as an operator runs them,
// on one database.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Waypost } from '../../sdk/src/waypost.ts';
import { send } from './house.ts';
import { findFreePort, makeDataDir, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

/** A second, and as much again for a machine that is busy with other things. */
const WITHIN_MS = 2_000;

test('scopes, networks and revocation act on the other process within a second', async () => {
  const dataDir = await makeDataDir();
  const start = async () => startServerProcess({ dataDir, port: await findFreePort(), roles: 'api' });
  const first = await start();
  const { url, first_start } = await first.ready;
  const second = await start();
  const there = (await second.ready).url;
  const admin = new Waypost({ url, key: first_start?.test_key ?? '' });
  const made = await admin.keys.create({ name: 'Shop', scopes: ['jobs:read', 'events:read'], authority: 'source' });
  const ask = (path: string) => send(there, made.secret, { method: 'GET', path });
  assert.equal((await ask('/v1/jobs')).status, 200);

  const actsWithin = async (change: Promise<unknown>, path: string, status: number): Promise<void> => {
    await change;
    const changedAt = performance.now();
    await until(async () => (await ask(path)).status === status || null, `${path} to be ${status}`);
    const tookMs = performance.now() - changedAt;
    assert.ok(tookMs < WITHIN_MS, `${path} was ${status} after ${tookMs} ms`);
  };
  await actsWithin(admin.keys.update(made.id, { scopes: ['events:read'] }), '/v1/jobs', 403);
  assert.equal((await ask('/v1/events')).status, 200);
  await actsWithin(admin.keys.update(made.id, { scopes: ['jobs:read'] }), '/v1/jobs', 200);
  await actsWithin(admin.keys.update(made.id, { ip_ranges: ['192.0.2.1'] }), '/v1/jobs', 403);
  await actsWithin(admin.keys.update(made.id, { ip_ranges: null }), '/v1/jobs', 200);
  await actsWithin(admin.keys.revoke(made.id), '/v1/jobs', 401);
  const rotated = await admin.keys.create({ name: 'Other', scopes: ['jobs:read'], authority: 'source' });
  const twin = await admin.keys.rotate(rotated.id, { overlap_s: 0 });
  assert.equal(
    (await send(there, twin.secret, { method: 'GET', path: '/v1/jobs' })).status,
    200,
    'a new one opens at once',
  );
  await Promise.all([first.stop(), second.stop()]);
});
