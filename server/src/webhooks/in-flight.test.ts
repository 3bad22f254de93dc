import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InFlight } from './in-flight.ts';

const endpointOf = (tenant_id: string) => ({ config: { tenant_id } });

/** Endpoints whose receivers hang take what they get, going round by tenants, until nobody has room. */
function hangAll(inFlight: InFlight, tenants: number, endpoints: number): number[] {
  const taken = new Array<number>(tenants).fill(0);
  const runs = Array.from({ length: endpoints * tenants }, (_, n) => ({ run: endpointOf(`${n % tenants}`), n }));
  for (let isOpen = true; isOpen; ) {
    isOpen = false;
    for (const { run, n } of runs) {
      if (!inFlight.hasRoom(run)) continue;
      inFlight.add(run);
      taken[n % tenants] = (taken[n % tenants] ?? 0) + 1;
      isOpen = true;
    }
  }
  return taken;
}

for (const tenants of [1, 2, 3, 9, 40])
  for (const endpoints of [1, 4, 500])
    test(`${tenants} tenants with ${endpoints} endpoints that hang have equal parts, and leave one to whoever comes`, () => {
      const inFlight = new InFlight(2_000);
      const taken = hangAll(inFlight, tenants, endpoints);
      const part = 2_000 / (tenants + 1);
      assert.ok(Math.max(...taken) <= part + 1, `${Math.max(...taken)} of ${part}`);
      assert.ok(Math.max(...taken) - Math.min(...taken) <= endpoints && Math.min(...taken) >= part / 2);
      assert.ok(inFlight.hasRoom(endpointOf('new')));
    });

test('of one tenant, an endpoint that has nothing in flight finds room beside those that hang', () => {
  for (const hanging of [1, 10, 300]) {
    const inFlight = new InFlight(2_000);
    const runs = Array.from({ length: hanging }, () => endpointOf('a'));
    for (let n = 0; n < 32; n += 1) for (const run of runs) if (inFlight.hasRoom(run)) inFlight.add(run);
    assert.ok(inFlight.hasRoom(endpointOf('a')), `${hanging} hang, ${inFlight.total} in flight`);
  }
});

test('there are never more than may be', () => {
  const inFlight = new InFlight(100);
  hangAll(inFlight, 1_000, 2);
  assert.equal(inFlight.total, 100);
  assert.equal(inFlight.hasRoom(endpointOf('new')), false);
});

test('what is over leaves its place, and only that is told', () => {
  const inFlight = new InFlight(3);
  const [one, other] = [endpointOf('a'), endpointOf('b')];
  assert.equal(inFlight.set(one, 1), false);
  assert.equal(inFlight.hasRoom(one), false);
  assert.equal(inFlight.set(one, 1), false);
  assert.equal(inFlight.hasRoom(other), true);
  assert.equal(inFlight.set(one, 0), true);
  assert.equal(inFlight.total, 0);
  assert.equal(inFlight.hasRoom(one), true);
});
