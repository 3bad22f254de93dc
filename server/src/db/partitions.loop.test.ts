import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { keepPartitions } from './partitions.loop.ts';
import type { Sql } from './sql.ts';

test('partitions are looked after every hour, and soon after the clock was set or the machine slept', (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.parse('2026-11-21T12:00:00.000Z') });
  t.after(() => mock.timers.reset());
  const looks: string[] = [];
  const end = keepPartitions(
    null as unknown as Sql,
    (error) => assert.fail(error as Error),
    async (_sql, now) => {
      looks.push(now.toISOString());
    },
  );
  mock.timers.tick(59 * 60_000);
  assert.equal(looks.length, 1);
  mock.timers.tick(60_000);
  assert.equal(looks.length, 2);
  // Ten days asleep: timers stand still, the clock does not.
  mock.timers.setTime(Date.parse('2026-12-01T13:00:00.000Z'));
  mock.timers.tick(5_000);
  assert.match(looks.at(-1) ?? '', /^2026-12-01/);
  end();
});
