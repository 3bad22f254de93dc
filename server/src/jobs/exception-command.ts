// Acknowledging and resolving exceptions as commands of the ledger.

import { channelKind } from '../channels/channel.store.ts';
import { WaypostError } from '../errors.ts';
import { DEFAULT_HUB } from '../fleet/hub.ts';
import type { Call } from '../http/operation.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Command, Decision, Moment, WorkingSet } from '../ledger/command.ts';
import { EVENT_IDS, SPREAD } from '../ledger/command.ts';
import { refTo } from '../ledger/resource.ts';
import { optionsOf } from './create-job.ts';
import type { AcknowledgeInput, Exception, Resolution, ResolveInput } from './exception.schema.ts';
import { exceptionKind } from './exception.store.ts';
import { jobKind } from './job.store.ts';
import { requireJob, requireJobVersion, type StoredJob } from './job.ts';
import { jobDocument } from './job-personal.ts';
import { liveOf } from './job-reply.ts';
import { ownershipConflict } from './ownership.ts';
import type { TransitionContext } from './progress.ts';
import { acknowledgeException, type CaseChange, resolveException } from './resolution.ts';
import { factsOfTransition } from './state-machine.ts';
import {
  type Asking,
  besideJob,
  contextOf,
  driverRefs,
  type ExecutionDesk,
  hubRefs,
  putCase,
  putStored,
} from './transition-command.ts';

export function acknowledgeCommand(
  desk: ExecutionDesk,
  call: Asking,
  exceptionId: string,
  input: AcknowledgeInput,
): Command {
  return caseCommand(desk, call, 'exception.acknowledge', exceptionId, null, (stored, one, context) =>
    acknowledgeException(stored, one, input, context),
  );
}

export function resolveCommand(desk: ExecutionDesk, call: Asking, exceptionId: string, input: ResolveInput): Command {
  return caseCommand(desk, call, 'exception.resolve', exceptionId, input.driver_id ?? null, (stored, one, context) => {
    requireResolver(context.authority, input.resolution);
    return resolveException(stored, one, input, context);
  });
}

/** Whoever may resolve: the machine's table says it for what a resolution does to the task. */
function requireResolver(authority: string, resolution: Resolution): void {
  const isClash = resolution === 'adopt' || resolution === 'keep';
  const givesUp = resolution === 'return' || resolution === 'cancel' || resolution === 'fail';
  const { who } = factsOfTransition(isClash ? 'adopted' : givesUp ? 'given_up' : 'resumed');
  if (!who.includes(authority)) throw ownershipConflict(authority, { [resolution]: who }, []);
}

type Act = (stored: StoredJob, one: Exception, context: TransitionContext) => CaseChange;

function caseCommand(
  desk: ExecutionDesk,
  call: Asking,
  name: string,
  id: string,
  driverId: string | null,
  act: Act,
): Command {
  const jobIdIn = (set: WorkingSet) => set.get(exceptionKind, id)?.job_id;
  return commandOf(
    call as Call,
    name,
    [
      () => [refTo(exceptionKind, id), ...driverRefs(driverId)],
      (set) => {
        const one = set.get(exceptionKind, id);
        if (one === undefined) return [];
        return [
          refTo(jobKind, one.job_id),
          refTo(channelKind, one.channel_id),
          refTo(desk.books.hubs.defaultHubKind, DEFAULT_HUB),
          ...driverRefs(one.clash?.reported.driver_id, one.clash?.reported.actor.id),
        ];
      },
      (set) => [...besideJob(desk, set, jobIdIn(set)), ...hubRefs(desk, set, jobIdIn(set))],
    ],
    (set, moment) => decideCase(desk, call, set, moment, id, act),
  );
}

function decideCase(
  desk: ExecutionDesk,
  call: Asking,
  set: WorkingSet,
  moment: Moment,
  id: string,
  act: Act,
): Decision {
  const one = set.get(exceptionKind, id);
  if (one === undefined) throw new WaypostError('not_found', `There is no exception with the id ${id}.`);
  const stored = requireCaseJob(set, one, call);
  requireJobVersion(stored.job, call.if_match);
  const context = contextOf(desk, call, set, stored.job, moment);
  const { job, events, cases, exception } = act(stored, one, context);
  const body = { exception, job: { [SPREAD]: 0, live: liveOf(job, optionsOf(context.channel)) } };
  if (events.length === 0) {
    const reply = {
      status: 200,
      body: { ...body, events: [] },
      version: job.version,
      location: null,
      document: jobDocument(job),
    };
    return { events, puts: [], reply: stored.event_id === null ? reply : { ...reply, event_id: stored.event_id } };
  }
  return {
    events,
    puts: [putStored(stored, job), ...cases.map(putCase)],
    reply: { status: 200, body: { ...body, events: EVENT_IDS }, version: job.version, location: null },
  };
}

/** A case of a job that this caller does not see does not exist for it either. */
function requireCaseJob(set: WorkingSet, one: Exception, call: Asking): StoredJob {
  try {
    return requireJob(set.get(jobKind, one.job_id), one.job_id, call.caller);
  } catch (error) {
    if (error instanceof WaypostError)
      throw new WaypostError('not_found', `There is no exception with the id ${one.id}.`);
    throw error;
  }
}
