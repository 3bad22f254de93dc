// What tests of broker destinations share: events that go out while the broker is killed, and what has to be there after.

import assert from 'node:assert/strict';
import type { BrokerProcess } from './broker-process.ts';
import type { SenderKit } from './sender-kit.ts';
import { until } from './until.ts';

const RETRY_STEP_MS = 60_000;
const LOOKS_A_STEP = 15;
const BEFORE = 300;
const WHILE = 300;
const AFTER = 100;
export const EVENTS = BEFORE + WHILE + AFTER;

/** A message as a broker holds it. */
export interface Held {
  id: string;
  sequence: number | null;
  job_id: string;
}

const jobs = (count: number) => Array.from({ length: count }, (_, index) => `job_${(index * 7) % 20}`);

/** Emits events before, while and after a broker is killed that others stand in for; returns once all are settled. */
export async function givenEventsAcrossTheEndOf(kit: SenderKit, id: string, broker: BrokerProcess): Promise<void> {
  await kit.emit(jobs(BEFORE));
  const isSentWhileKilled = kit.emit(jobs(WHILE));
  await broker.kill();
  await isSentWhileKilled;
  await kit.emit(jobs(AFTER));
  await settleByRetries(kit, id, await kit.head());
}

/** Emits events before, while and after the broker is killed; returns once all are settled with the broker back. */
export async function givenEventsAcrossAKill(kit: SenderKit, id: string, broker: BrokerProcess): Promise<void> {
  await kit.emit(jobs(BEFORE));
  const isSentWhileKilled = kit.emit(jobs(WHILE));
  await broker.kill();
  await isSentWhileKilled;
  await kit.emit(jobs(AFTER));
  assert.match(await failureOf(kit, id, 'failed'), /the connection to the broker was closed|connection refused/);
  await broker.start();
  await settleByRetries(kit, id, await kit.head());
}

/** The same around a broker that stops answering and keeps its connections, until it answers again. */
export async function givenEventsAcrossAFreeze(kit: SenderKit, id: string, broker: BrokerProcess): Promise<void> {
  await kit.emit(jobs(BEFORE));
  await settleByRetries(kit, id, await kit.head());
  broker.freeze();
  await kit.emit(jobs(WHILE));
  // What was on its way is given up; what comes later may wait for a connection in vain, by the true clock.
  const givenUp = /^(the broker confirmed nothing within 15 s|no connection came about within 10 s)$/;
  const failures = () => kit.db.sql<{ error: string }[]>`
    select error from attempts where endpoint_id = ${id} and outcome in ('timed_out', 'failed') order by started_at limit 1`;
  const failure = await until(async () => {
    kit.clock.advance(RETRY_STEP_MS);
    return (await failures())[0]?.error ?? null;
  }, 'an attempt that was given up');
  assert.match(failure, givenUp);
  broker.thaw();
  await kit.emit(jobs(AFTER));
  await settleByRetries(kit, id, await kit.head());
}

export function requireEachOnceInOrder(held: readonly Held[]): void {
  assert.equal(held.length, EVENTS);
  assert.equal(new Set(held.map((each) => each.id)).size, EVENTS);
  requireOrder(held);
}

/** The first time that each is there counts: a receiver drops what it has. */
export function requireOrder(held: readonly Held[]): void {
  const last = new Map<string, number>();
  for (const { job_id, sequence } of held) {
    assert.ok((last.get(job_id) ?? 0) < (sequence ?? 0), `${job_id}: ${sequence} after ${last.get(job_id)}`);
    last.set(job_id, sequence ?? 0);
  }
}

/** Waits until the endpoint was verified. */
export async function becomeActive(kit: SenderKit, id: string): Promise<void> {
  await until(async () => (await kit.status(id)).status === 'active', 'the endpoint to become active');
}

/** The words of an attempt to this endpoint that came to nothing, once there is one. */
export async function failureOf(
  kit: SenderKit,
  id: string,
  outcome: 'failed' | 'refused' | 'timed_out',
): Promise<string> {
  const find = () =>
    kit.db.sql<{ error: string }[]>`
      select error from attempts where endpoint_id = ${id} and outcome = ${outcome} order by started_at limit 1`;
  await until(async () => (await find()).length > 0, `an attempt that ${outcome}`);
  return (await find())[0]?.error ?? '';
}

/**
 * Moves the clock along the ladder of retries until everything is settled: a step whenever nothing has happened for some
 * looks, since a broker answers by the true clock, and a step is longer than the time that it is given.
 */
export async function settleByRetries(kit: SenderKit, id: string, end: number): Promise<void> {
  let seen = '';
  let looks = 0;
  await until(async () => {
    const [row] = await kit.db.sql<{ sequence: number; parked: number; attempts: number }[]>`
      select sequence, (select count(*)::int from parked_messages p
        where p.world_id = c.world_id and p.endpoint_id = c.endpoint_id) as parked,
        (select count(*)::int from attempts a where a.world_id = c.world_id and a.endpoint_id = c.endpoint_id) as attempts
      from cursors c where world_id = ${kit.world_id} and endpoint_id = ${id}`;
    const now = JSON.stringify(row);
    looks = now === seen ? looks + 1 : 0;
    seen = now;
    if (looks % LOOKS_A_STEP === LOOKS_A_STEP - 1) kit.clock.advance(RETRY_STEP_MS);
    return row !== undefined && row.sequence >= end && row.parked === 0;
  }, 'the cursor to reach the end of the log');
}
