// What tests of the API begin with: drivers, jobs as far on their way as a test needs them, and short words for the
// steps of the road. A line belongs here if several files of this folder start from it.

import assert from 'node:assert/strict';
import type { Driver } from '../../../sdk/src/fleet.ts';
import type { Job, ProofInput, Task, TransitionInput, TransitionReply } from '../../../sdk/src/jobs.ts';
import type { House, Who } from '../house.ts';
import { deliveryOf, orderInput } from '../order-input.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests break orders in every way
export type Order = any;

let counter = 0;

/** A reference that no test has used yet. */
export function freshReference(word = 'ORD'): string {
  return `${word}-${++counter}`;
}

/** An order that asks for nothing at the door; `change` works on it before it is sent. */
export function orderFor(house: House, change: (order: Order) => void = () => {}): Order {
  const order = orderInput(freshReference(), { channel_id: house.channel_id });
  change(order);
  return order;
}

export function givenJob(house: House, change?: (order: Order) => void): Promise<Job> {
  return house.as.source.jobs.create(orderFor(house, change));
}

/** An order with a pickup at a shop instead of the one at the hub. */
export function pickedUpAtShop(order: Order): void {
  const { items: _, ...shop } = deliveryOf();
  order.pickups = [{ ...shop, reference: 'SHOP', proof_requirements: { on_completion: {}, on_failure: {} } }];
}

export function askFor(kinds: Record<string, unknown>): (order: Order) => void {
  return (order) => {
    order.deliveries[0].proof_requirements.on_completion = kinds;
  };
}

export function givenDriver(house: House, input: Record<string, unknown> = {}): Promise<Driver> {
  return house.as.source.drivers.create({ name: `Driver ${++counter}`, ...input });
}

/** A job in the hands of a driver. */
export async function givenAssignedJob(
  house: House,
  change?: (order: Order) => void,
): Promise<{ job: Job; driver: Driver }> {
  const [made, driver] = await Promise.all([givenJob(house, change), givenDriver(house)]);
  const { job } = await house.as.dispatch.jobs.transition(made.id, { to: 'assigned', driver_id: driver.id });
  return { job, driver };
}

/** A transition that must apply. */
export async function go(house: House, jobId: string, input: TransitionInput, who: Who = 'driver'): Promise<Job> {
  const answer = await house.as[who].jobs.transition(jobId, input);
  assert.deepEqual([answer.applied, answer.reason], [true, null], `${input.to} applies`);
  return answer.job as Job;
}

/** What a driver's device says has happened. */
export function report(house: House, jobId: string, input: Omit<TransitionInput, 'report'>): Promise<TransitionReply> {
  return house.as.driver.jobs.transition(jobId, { ...input, report: true });
}

/** The driver at the door: set out and arrived. */
export async function givenJobAtDoor(
  house: House,
  change?: (order: Order) => void,
): Promise<{ job: Job; driver: Driver }> {
  const { job, driver } = await givenAssignedJob(house, change);
  await go(house, job.id, { to: 'en_route' });
  return { job: await go(house, job.id, { to: 'arrived' }), driver };
}

export async function givenCompletedJob(house: House, change?: (order: Order) => void): Promise<Job> {
  const { job } = await givenJobAtDoor(house, change);
  return go(house, job.id, { to: 'completed', outcome: 'delivered_to_recipient' });
}

/** The only delivery, or the one at this place. */
export function deliveryIn(job: Job, index = 0): Task {
  const task = job.deliveries[index];
  assert.ok(task, `the job has a delivery ${index}`);
  return task;
}

export function photo(letter = 'a'): ProofInput {
  return { kind: 'photo', media: [{ sha256: letter.repeat(64), bytes: 1_000, mime: 'image/jpeg' }] };
}

/** The types and topics of a job's events, in order: what a consumer is told. */
export async function storyOf(house: House, jobId: string): Promise<string[]> {
  const told: string[] = [];
  for await (const event of house.as.source.jobs.events(jobId))
    told.push([event.type, ...event.topics, ...(event.implied ? ['(implied)'] : [])].join(' '));
  return told;
}
