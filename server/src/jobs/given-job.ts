// What tests of execution begin with: a job made by the rules, and a small world in which commands follow each other
// as they would in the ledger. Only tests import this file.

import type { Channel } from '../channels/channel.schema.ts';
import { newChannel } from '../channels/channel.ts';
import type { EventDraft } from '../ledger/command.ts';
import { openFingerprints } from '../ledger/fingerprint.ts';
import type { Prefix } from '../ledger/id.ts';
import { addressOf } from '../parties/address.ts';
import { createJob } from './create-job.ts';
import type { Exception, ResolveInput } from './exception.schema.ts';
import { exceptionKind } from './exception.store.ts';
import type { Job, JobInput } from './job.schema.ts';
import { jobKind, pinKind, type StoredPin } from './job.store.ts';
import type { StoredJob } from './job.ts';
import type { TransitionContext } from './progress.ts';
import { acknowledgeException, type CaseChange, resolveException } from './resolution.ts';
import type { DeliveryInput, Task } from './task.schema.ts';
import type { TransitionInput } from './transition.schema.ts';
import { type NotTransitioned, type Transitioned, transitionJob } from './transition.ts';

export const PIN_KEY = Buffer.alloc(32, 7);
export const DRIVERS = ['drv_anna', 'drv_bo'] as const;
const START_MS = Date.parse('2026-11-21T09:00:00.000Z');

export interface World {
  stored: StoredJob;
  cases: Map<string, Exception>;
  pins: Map<string, StoredPin>;
  channel: Channel;
  nowMs: number;
  minted: number;
  /** All events since the job was made, in order. */
  events: EventDraft[];
}

export interface Asker {
  authority: string;
  driver_id?: string;
}

export const source: Asker = { authority: 'source' };
export const dispatch: Asker = { authority: 'dispatch' };
export const anna: Asker = { authority: 'driver', driver_id: 'drv_anna' };
export const bo: Asker = { authority: 'driver', driver_id: 'drv_bo' };

export function delivery(more: Partial<DeliveryInput> = {}): DeliveryInput {
  return {
    service_window: { start: '2026-11-21T13:00:00Z', end: '2026-11-21T15:00:00Z' },
    address: {
      line1: 'Storgatan 1',
      country: 'SE',
      location: { lat: 57.7066, lng: 11.9672 },
      precision: 'rooftop',
      access: null,
    },
    contact: { name: 'A. Berg', phone: '+46701234567', contact_policy: { ways: [] } },
    proof_requirements: { on_completion: {}, on_failure: {} },
    items: [{ name: 'Parcel', quantity: 3 }],
    ...more,
  };
}

export function pickup(reference: string): NonNullable<JobInput['pickups']>[number] {
  const { items, ...task } = delivery({ reference });
  return task;
}

const hubPlace = { location: { lat: 57.7, lng: 11.9 }, precision: 'rooftop' as const, access: null, country: 'SE' };
export const hubAddress = addressOf({ ...hubPlace, line1: 'Hamngatan 2' }, null);

/** A job that was just made. By default one delivery from the hub. */
export function givenJob(order: Partial<JobInput> = {}, settings: Partial<Channel> = {}): World {
  const channel = { ...newChannel('chn_shop', 'Shop', null, new Date(START_MS).toISOString()), ...settings };
  const world = { channel, nowMs: START_MS, minted: 0, cases: new Map(), pins: new Map(), events: [] };
  const sent: JobInput = { reference: 'ORD-1', priority: 'standard', deliveries: [delivery()], ...order };
  const decision = createJob(
    { order: sent, comparable: sent },
    {
      channel,
      world: 'test',
      actor: { type: 'api_key', id: 'key_shop' },
      authority: 'source',
      correlation_id: 'c1',
      fingerprint: openFingerprints(new Uint8Array(32))('order', '', null),
      pin_key: PIN_KEY,
      holder: null,
      duplicates: undefined,
      customerOf: () => null,
      addressOf: () => null,
      hub: { id: 'hub_1', address: hubAddress },
      resolveContacts: (contacts) => ({
        customer_ids: contacts.map((_contact, index) => `cus_${String(index).padStart(26, '0')}`),
        puts: [],
        subjects: [],
      }),
      putCase: (one) => ({ kind: exceptionKind, key: one.id, value: one }) as never,
    },
    { now: new Date(START_MS).toISOString(), mint: minterOf(world) },
  );
  if ('refusal' in decision) throw decision.refusal;
  const putsOf = <V>(kind: unknown) => decision.puts.filter((put) => put.kind === kind) as { key: string; value: V }[];
  const [stored] = putsOf<StoredJob>(jobKind);
  if (stored === undefined) throw new Error('no job was made');
  return {
    ...world,
    stored: stored.value,
    cases: new Map(putsOf<Exception>(exceptionKind).map(({ key, value }) => [key, value])),
    pins: new Map(putsOf<StoredPin>(pinKind).map(({ key, value }) => [key, value])),
    events: [...decision.events],
  };
}

/** Identifiers that sort in the order in which they are made. */
function minterOf(world: { minted: number }) {
  return (prefix: Prefix) => `${prefix}_${String(++world.minted).padStart(26, '0')}`;
}

export function contextOf(world: World, asker: Asker): TransitionContext {
  return {
    now: new Date(world.nowMs).toISOString(),
    mint: minterOf(world),
    actor:
      asker.driver_id === undefined
        ? { type: 'api_key', id: `key_${asker.authority}` }
        : { type: 'driver', id: asker.driver_id },
    authority: asker.authority,
    channel: world.channel,
    pin_key: PIN_KEY,
    pinOf: (taskId) => world.pins.get(taskId),
    driverOf: (id) => ((DRIVERS as readonly string[]).includes(id) ? { status: 'active', hub_id: null } : null),
    exceptionOf: (id) => {
      const one = world.cases.get(id);
      if (one === undefined) throw new Error(`the exception ${id} is unknown`);
      return one;
    },
    hubAddress: () => hubAddress,
  };
}

/** Sends a transition a second later and keeps what follows from it. */
export function send(world: World, asker: Asker, input: TransitionInput): Transitioned | NotTransitioned {
  world.nowMs += 1_000;
  const result = transitionJob(world.stored, input, contextOf(world, asker));
  for (const [id, pin] of result.pins) world.pins.set(id, pin);
  if (!('refusal' in result)) keep(world, result);
  return result;
}

/** The same, for one that must not be refused. */
export function apply(world: World, asker: Asker, input: TransitionInput): Transitioned {
  const result = send(world, asker, input);
  if ('refusal' in result) throw result.refusal;
  return result;
}

/** The same, for one that must be refused: the refusal. */
export function refused(world: World, asker: Asker, input: TransitionInput): NotTransitioned['refusal'] {
  const before = world.stored;
  const result = send(world, asker, input);
  if (!('refusal' in result)) throw new Error(`${input.to} was not refused: ${result.job.status}`);
  if (world.stored !== before) throw new Error('a refusal changed the job');
  return result.refusal;
}

export function report(world: World, asker: Asker, input: TransitionInput): Transitioned {
  return apply(world, asker, { ...input, report: true });
}

export function resolve(world: World, exceptionId: string, input: ResolveInput, asker: Asker = dispatch): CaseChange {
  world.nowMs += 1_000;
  const change = resolveException(world.stored, caseOf(world, exceptionId), input, contextOf(world, asker));
  keep(world, change);
  return change;
}

export function acknowledge(world: World, exceptionId: string, note?: string): CaseChange {
  world.nowMs += 1_000;
  const input = note === undefined ? {} : { note };
  const change = acknowledgeException(world.stored, caseOf(world, exceptionId), input, contextOf(world, dispatch));
  keep(world, change);
  return change;
}

function keep(world: World, result: { job: Job; events: readonly EventDraft[]; cases: readonly Exception[] }): void {
  world.stored = { ...world.stored, job: result.job };
  for (const one of result.cases) world.cases.set(one.id, one);
  world.events.push(...result.events);
}

export function caseOf(world: World, exceptionId: string): Exception {
  const one = world.cases.get(exceptionId);
  if (one === undefined) throw new Error(`the exception ${exceptionId} is unknown`);
  return one;
}

/** The only open case of the job. */
export function onlyCase(world: World): Exception {
  const [listed, ...others] = world.stored.job.exceptions;
  if (listed === undefined || others.length > 0)
    throw new Error(`${world.stored.job.exceptions.length} cases are open`);
  return caseOf(world, listed.id);
}

/** The delivery at this place, the first by default. */
export function deliveryOf(world: World, index = 0): Task {
  return at(world.stored.job.deliveries, index);
}
export function pickupOf(world: World, index = 0): Task {
  return at(world.stored.job.pickups, index);
}

function at(tasks: readonly Task[], index: number): Task {
  const task = tasks[index];
  if (task === undefined) throw new Error(`there is no task ${index}`);
  return task;
}

/** An assigned job. */
export function givenAssigned(order: Partial<JobInput> = {}, settings: Partial<Channel> = {}): World {
  const world = givenJob(order, settings);
  apply(world, dispatch, { to: 'assigned', driver_id: 'drv_anna' });
  return world;
}

/** A job whose first delivery has been reached. */
export function givenArrived(order: Partial<JobInput> = {}, settings: Partial<Channel> = {}): World {
  const world = givenAssigned(order, settings);
  report(world, anna, { to: 'arrived', task_id: deliveryOf(world).id });
  return world;
}

/** A job whose first visit at its only delivery failed. */
export function givenFailedVisit(order: Partial<JobInput> = {}, settings: Partial<Channel> = {}): World {
  const world = givenArrived(order, settings);
  report(world, anna, { to: 'failed', task_id: deliveryOf(world).id, reason_code: 'recipient_unavailable' });
  return world;
}
