// Transitions as commands of the ledger: what is loaded for them, how the rules see
// it, and what is written and answered.

import type { Channel } from '../channels/channel.schema.ts';
import { channelKind } from '../channels/channel.store.ts';
import { WaypostError } from '../errors.ts';
import { driverKind } from '../fleet/driver.store.ts';
import { addressOfHub, DEFAULT_HUB, type HubBook } from '../fleet/hub.ts';
import type { Call } from '../http/operation.ts';
import { commandOf } from '../http/resource.routes.ts';
import { requireScope, type Scope } from '../http/scope.ts';
import type { Command, Decision, Moment, Put, WorkingSet } from '../ledger/command.ts';
import { EVENT_IDS, SPREAD } from '../ledger/command.ts';
import { type Fingerprint, sameRequest } from '../ledger/fingerprint.ts';
import { type Loads, type Refs, refTo } from '../ledger/resource.ts';
import { NotLoadedError } from '../ledger/working-set.ts';
import { clientEventKey, clientEventKind, type StoredClientEvent } from './client-event.store.ts';
import { optionsOf } from './create-job.ts';
import type { Exception } from './exception.schema.ts';
import { exceptionKind } from './exception.store.ts';
import type { Job } from './job.schema.ts';
import { jobKind, pinKind } from './job.store.ts';
import { requireJob, requireJobVersion, type StoredJob } from './job.ts';
import { jobDocument } from './job-personal.ts';
import { liveOf } from './job-reply.ts';
import { hashPin } from './pin.ts';
import type { TransitionContext } from './progress.ts';
import { factsOfTransition, type RequestedTransition } from './state-machine.ts';
import { tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';
import type { TransitionInput } from './transition.schema.ts';
import { transitionJob } from './transition.ts';

/** What commands of execution need of the house. */
export interface ExecutionDesk {
  books: { hubs: HubBook };
  /** Key of the HMAC under which PINs are kept. */
  pin_key: Uint8Array;
}

export type Asking = Pick<
  Call,
  'caller' | 'correlation_id' | 'idempotency' | 'if_match' | 'body_bytes' | 'fingerprintOf'
>;

/** Which scope a transition needs: what dispatch decides, what the road reports, and taking the order back. */
export function scopeOfTransition(to: RequestedTransition): Scope {
  if (to === 'cancelled' || to === 'returned') return 'jobs:write';
  return factsOfTransition(to).group === 'assignment' ? 'dispatch:write' : 'execution:write';
}

/** One request or report about one job. */
export function transitionCommand(desk: ExecutionDesk, call: Asking, jobId: string, input: TransitionInput): Command {
  requireScope(call.caller, scopeOfTransition(input.to));
  const { caller } = call;
  // A queue on a device sends again with another sent_at: that makes it no other event.
  const { sent_at, ...said } = hidePins(input, desk.pin_key, jobId);
  const fingerprint = call.fingerprintOf('transition', jobId, said);
  const clientKey = input.client_event_id === undefined ? null : clientEventKey(caller.actor, input.client_event_id);
  const loads: Loads = [
    () => [
      refTo(jobKind, jobId),
      ...(clientKey === null ? [] : [refTo(clientEventKind, clientKey)]),
      ...driverRefs(input.driver_id, caller.actor.type === 'driver' ? caller.actor.id : undefined),
    ],
    (set) => besideJob(desk, set, jobId),
    (set) => hubRefs(desk, set, jobId),
  ];
  const command = commandOf(call, 'job.transition', loads, (set, moment) => {
    const stored = requireJob(set.get(jobKind, jobId), jobId, caller);
    const context = contextOf(desk, call, set, stored.job, moment);
    const first = clientKey === null ? undefined : set.get(clientEventKind, clientKey);
    if (first !== undefined) return answerAgain(first, fingerprint, stored, context.channel, clientKey ?? '');
    if (input.report !== true) requireJobVersion(stored.job, call.if_match);
    return decideTransition(stored, input, context, clientKey, fingerprint);
  });
  const idempotency = call.idempotency === null ? null : { ...call.idempotency, fingerprint, body: said };
  return { ...command, idempotency, queue: jobId };
}

function decideTransition(
  stored: StoredJob,
  input: TransitionInput,
  context: TransitionContext,
  clientKey: string | null,
  fingerprint: Fingerprint,
): Decision {
  const result = transitionJob(stored, input, context);
  const pins = [...result.pins].map(([taskId, pin]): Put => ({ ...refTo(pinKind, taskId), value: pin }));
  if ('refusal' in result) return { refusal: result.refusal, record: pins };
  const { job, events, cases, applied, reason } = result;
  const remembered: StoredClientEvent = {
    fingerprint: fingerprint.bytes,
    job_id: job.id,
    applied,
    reason,
    event_ids: null,
  };
  return {
    events,
    puts: [
      putStored(stored, job),
      ...cases.map(putCase),
      ...pins,
      ...(clientKey === null ? [] : [{ ...refTo(clientEventKind, clientKey), value: remembered, document_of: job.id }]),
    ],
    reply: {
      status: 200,
      body: { applied, reason, job: { [SPREAD]: 0, live: liveOf(job, optionsOf(context.channel)) }, events: EVENT_IDS },
      version: job.version,
      location: null,
    },
  };
}

/** The event that the row knew is no longer the last one. */
export function putStored(stored: StoredJob, job: Job): Put {
  return { ...refTo(jobKind, job.id), value: { ...stored, job, event_id: null }, document_of: job.id };
}

export function putCase(one: Exception): Put {
  return { ...refTo(exceptionKind, one.id), value: one };
}

/** The second time is answered like the first; the job is shown as it stands by now. */
function answerAgain(
  first: StoredClientEvent,
  fingerprint: Fingerprint,
  stored: StoredJob,
  channel: Channel,
  clientKey: string,
): Decision {
  const { job } = stored;
  if (first.job_id !== job.id || !sameRequest(first.fingerprint, fingerprint)) {
    throw new WaypostError('client_event_mismatch', 'This client_event_id was used for another event.', {
      extra: { job_id: first.job_id },
    });
  }
  const { applied, reason, event_ids } = first;
  // Both came in one batch: once the first is written, the next batch reads which events it made.
  if (event_ids === null) throw new NotLoadedError(clientEventKind.name, clientKey);
  const last = event_ids.at(-1);
  return {
    events: [],
    puts: [],
    reply: {
      status: 200,
      body: { applied, reason, job: { [SPREAD]: 0, live: liveOf(job, optionsOf(channel)) }, events: event_ids },
      version: job.version,
      location: null,
      document: jobDocument(job),
      ...(last !== undefined && { event_id: last }),
    },
  };
}

/** Four digits could be guessed from what is kept of a body: a fingerprint sees only their hash. */
function hidePins(input: TransitionInput, pinKey: Uint8Array, jobId: string): TransitionInput {
  if (input.proof === undefined) return input;
  const proof = input.proof.map((one) => {
    if (one.kind !== 'pin' || one.code === undefined) return one;
    return { ...one, code: { ...one.code, value: hashPin(pinKey, jobId, one.code.value).toString('base64url') } };
  });
  return { ...input, proof };
}

export function driverRefs(...ids: readonly (string | null | undefined)[]): Refs {
  return ids.flatMap((id) => (id == null ? [] : [refTo(driverKind, id)]));
}

/** Second round: what the job leads to. */
export function besideJob(desk: ExecutionDesk, set: WorkingSet, jobId: string | undefined): Refs {
  const job = jobId === undefined ? undefined : set.get(jobKind, jobId)?.job;
  if (job === undefined) return [];
  return [
    refTo(channelKind, job.channel_id),
    ...job.exceptions.map(({ id }) => refTo(exceptionKind, id)),
    ...tasksOf(job).flatMap((task) => (asksForPin(task) ? [refTo(pinKind, task.id)] : [])),
    ...(holdsAtHub(job) ? [refTo(desk.books.hubs.defaultHubKind, DEFAULT_HUB)] : []),
  ];
}

function asksForPin({ proof_requirements }: Task): boolean {
  return proof_requirements.on_completion.pin !== undefined || proof_requirements.on_failure.pin !== undefined;
}

/** Whether goods that cannot be delivered would be held at the hub. */
function holdsAtHub(job: Job): boolean {
  return job.deliveries.some((task) => task.handover?.on_failure === 'hold_at_hub');
}

/** Third round: the hub, if goods could have to go there. */
export function hubRefs(desk: ExecutionDesk, set: WorkingSet, jobId: string | undefined): Refs {
  const hubId = hubIdOf(desk, set, jobId);
  return hubId === null ? [] : [refTo(desk.books.hubs.hubs.kind, hubId)];
}

function hubIdOf(desk: ExecutionDesk, set: WorkingSet, jobId: string | undefined): string | null {
  const job = jobId === undefined ? undefined : set.get(jobKind, jobId)?.job;
  if (job === undefined || !holdsAtHub(job)) return null;
  const own = job.hub_id ?? set.get(channelKind, job.channel_id)?.channel.hub_id ?? null;
  return own ?? set.get(desk.books.hubs.defaultHubKind, DEFAULT_HUB) ?? null;
}

/** Everything that was loaded, as the rules want it. */
export function contextOf(
  desk: ExecutionDesk,
  call: Asking,
  set: WorkingSet,
  job: Job,
  moment: Moment,
): TransitionContext {
  const channel = set.get(channelKind, job.channel_id)?.channel;
  if (channel === undefined) throw new Error(`the job ${job.id} has lost its channel ${job.channel_id}`);
  return {
    ...moment,
    actor: call.caller.actor,
    authority: call.caller.authority,
    channel,
    pin_key: desk.pin_key,
    // Only tasks that ask for a PIN have one, and only theirs were loaded.
    pinOf: (taskId) =>
      tasksOf(job).some((task) => task.id === taskId && asksForPin(task)) ? set.get(pinKind, taskId) : undefined,
    driverOf: (driverId) => set.get(driverKind, driverId) ?? null,
    exceptionOf: (id) => {
      const one = set.get(exceptionKind, id);
      if (one === undefined) throw new Error(`the job ${job.id} lists the exception ${id}, which does not exist`);
      return one;
    },
    hubAddress: () => {
      const hubId = hubIdOf(desk, set, job.id);
      const hub = hubId === null ? undefined : set.get(desk.books.hubs.hubs.kind, hubId);
      return hub === undefined ? null : addressOfHub(hub.document);
    },
  };
}
