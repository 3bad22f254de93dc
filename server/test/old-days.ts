// A house whose log has old days: days pass because the database's clock is set ahead between two runs of the server, and
// because each look of the retention is told a time.

import assert from 'node:assert/strict';
import { type Dropped, type Kept, turnRetention } from '../src/webhooks/retention.loop.ts';
import { createDatabase, type TestDatabase } from './harness.ts';
import { type Answer, send } from './house.ts';
import { startServer, type TestServer } from './server.ts';
import { shiftClock } from './shifted-clock.ts';
import { until } from './until.ts';

const DAY_MS = 86_400_000;
const LOG_DAYS = 90;
const noonOfToday = new Date(`${new Date().toISOString().slice(0, 10)}T12:00:00.000Z`).getTime();

/** Noon so many days after the first day of the test. */
export const noonOf = (day: number) => new Date(noonOfToday + day * DAY_MS);
export const dayOf = (day: number) => noonOf(day).toISOString().slice(0, 10);

export interface OldDays {
  database: TestDatabase;
  /** The one that runs now. */
  readonly server: TestServer;
  world_id: number;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Stops the server and starts it again when the database's clock is so far ahead: `1 day`. */
  goTo(shift: string, roles?: readonly ('api' | 'sender')[]): Promise<void>;
  /** The first sequence of the second day, once something was written on it. */
  findSecondDay(): Promise<number>;
  kept: Kept;
  /** A look of the retention on the day on which the given one (0: the first) has been over for 90 days. */
  look(day: number): Promise<Dropped>;
}

/** `holdDays`: how long a day that somebody needs is waited for. `warn`: told what operators are warned of. */
export async function startOldDays(holdDays: number, warn: (facts: object) => void = () => {}): Promise<OldDays> {
  const database = await createDatabase();
  const clock = await shiftClock(database);
  let server = await startServer({ database });
  const { tenant } = server;
  const [world] = await database.sql<{ world_id: number }[]>`
    select world_id from worlds where tenant_id = ${tenant.tenant_id} and world = 'test'`;
  const world_id = world?.world_id ?? 0;
  const kept = { log_days: LOG_DAYS, hold_days: holdDays, attempt_days: 30, history_days: 400 };
  return {
    database,
    world_id,
    kept,
    get server() {
      return server;
    },
    call: (method, path, body, headers = {}) => send(server.url, tenant.test_key, { method, path, body, headers }),
    async goTo(shift, roles = ['api', 'sender']) {
      await server.stop();
      await clock.set(shift);
      server = await startServer({ database, tenant, roles });
    },
    async findSecondDay() {
      const mark = await until(async () => {
        const [found] = await database.sql<{ first_sequence: number }[]>`
          select first_sequence from event_marks where world_id = ${world_id} order by day offset 1 limit 1`;
        return found ?? null;
      }, 'the first event of the second day');
      return mark.first_sequence;
    },
    async look(day) {
      const log = { info: () => {}, warn } as never;
      const dropped = await turnRetention({ sql: database.sql, kept, log }, noonOf(day + 1 + LOG_DAYS));
      assert.ok(dropped);
      return dropped;
    },
  };
}
