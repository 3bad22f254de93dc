import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { resolveBySystem } from './checked-address.ts';
import type { Answer } from './destination.ts';
import { openHttpDestination } from './http-destination.ts';

test('an attempt during which the clock is set ahead by years has a duration that can be written down', async (t) => {
  let ahead = 0;
  const receiver = createServer((_request, response) => {
    ahead = 3 * 365 * 86_400_000;
    response.end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const destination = openHttpDestination({
    egress: { allow: [], loopback_for_test: true },
    resolve: resolveBySystem,
    now: () => Date.now() + ahead,
  });
  t.after(async () => {
    await destination.close();
    receiver.close();
  });
  const origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const answer = await new Promise<Answer>((resolve) => {
    const body = Buffer.from('{}');
    destination.post(
      {
        to: { type: 'http', origin, path: '/' },
        subject: { tenant_id: 'ten_1' },
        world: 'test',
        headers: [],
        body,
        timeout_ms: 15_000,
        maySend: () => true,
        trace: null,
        about: {},
      },
      resolve,
    );
  });
  assert.ok(answer.duration_ms < 2 ** 31, `${answer.duration_ms} ms`);
});
