// The state machine, as one table: transition → where from, where to, who may, what must be stated. Everything that
// must know what may follow what derives from it: the rules, `allowed_transitions`, GET /v1/state-machine and its
// drawing, the SDK's types and the dashboard's buttons. What a transition does is in transition.ts and its siblings.

import type { Job, JobStatus } from './job.schema.ts';
import { goodsOnBoard, isFinalJob, isFinalTask, tasksOf } from './status.ts';
import type { Task, TaskStatus } from './task.schema.ts';

/** The fields that a transition writes, as the channel's ownership table names them. Null: `who` alone decides. */
export type TransitionGroup = 'assignment' | 'execution' | 'completion';

/** What a caller may have to state for a transition beside `to`. */
export type TransitionMember = 'driver_id' | 'outcome' | 'reason_code' | 'note';

interface Facts<Status extends string> {
  /** States from which it is the next step. */
  from: readonly Status[];
  /** States from which it is a jump over the steps between, which are then implied. */
  jumps_from: readonly Status[];
  to: readonly Status[];
  /** Authorities that may, unless the channel's ownership table names others for `group`. */
  who: readonly string[];
  group: TransitionGroup | null;
  requires: readonly TransitionMember[];
  /** `resolution`: happens only by resolving an exception, never by asking for it. */
  through: 'transition' | 'resolution';
  /** One sentence for people. */
  means: string;
}
export interface JobTransition extends Facts<JobStatus> {
  of: 'job';
}
export interface TaskTransition extends Facts<TaskStatus> {
  of: 'task';
}

const openJob = ['created', 'accepted', 'assigned', 'en_route', 'arrived', 'exception'] as const;
const stepping = { jumps_from: [], through: 'transition' } as const;
const execution = { group: 'execution', who: ['driver', 'dispatch', 'system'] } as const;
const completion = { group: 'completion', who: ['driver', 'dispatch', 'system'] } as const;
const assignment = { group: 'assignment', who: ['dispatch', 'system'] } as const;

export const transitions = {
  accepted: {
    of: 'job',
    ...stepping,
    ...assignment,
    from: ['created'],
    to: ['accepted'],
    requires: [],
    means: 'Dispatch takes the promise on.',
  },
  assigned: {
    of: 'job',
    ...stepping,
    ...assignment,
    from: openJob,
    to: ['assigned', 'en_route', 'exception'],
    requires: ['driver_id'],
    means: 'A driver gets every task that has not ended. A visit under way ends with the reason_code given.',
  },
  unassigned: {
    of: 'job',
    ...stepping,
    ...assignment,
    from: ['assigned', 'en_route', 'arrived', 'exception'],
    to: ['created', 'accepted', 'exception'],
    requires: [],
    means: 'The driver is taken off, while no goods are on board. A visit under way ends with the reason_code given.',
  },
  cancelled: {
    of: 'job',
    ...stepping,
    group: null,
    who: ['source', 'dispatch', 'system'],
    from: openJob,
    to: ['cancelled'],
    requires: ['reason_code'],
    means: 'The promise is taken back, until goods are on board.',
  },
  returned: {
    of: 'job',
    ...stepping,
    group: null,
    who: ['source', 'dispatch', 'system'],
    from: ['assigned', 'en_route', 'arrived', 'exception'],
    to: ['en_route', 'arrived', 'exception'],
    requires: ['reason_code'],
    means: 'Goods on board go back: open deliveries fail, and a delivery that returns their goods follows.',
  },
  en_route: {
    of: 'task',
    ...stepping,
    ...execution,
    from: ['pending'],
    to: ['en_route'],
    requires: [],
    means: 'The driver sets out. Leaving the hub completes the implicit pickup there.',
  },
  arrived: {
    of: 'task',
    ...stepping,
    ...execution,
    from: ['en_route'],
    jumps_from: ['pending'],
    to: ['arrived'],
    requires: [],
    means: 'The driver is at the place.',
  },
  completed: {
    of: 'task',
    ...stepping,
    ...completion,
    from: ['arrived'],
    jumps_from: ['pending', 'en_route'],
    to: ['completed', 'pending'],
    requires: ['outcome'],
    means: 'The visit went well. With a remainder to be tried again the task goes back to pending.',
  },
  failed: {
    of: 'task',
    ...stepping,
    ...completion,
    from: ['en_route', 'arrived'],
    jumps_from: ['pending'],
    to: ['exception', 'failed'],
    requires: ['reason_code'],
    means: 'The visit failed: a blocking exception opens, or the task ends if its visits are used up.',
  },
  exception: {
    of: 'task',
    ...stepping,
    ...execution,
    from: ['pending', 'en_route', 'arrived', 'exception'],
    to: ['exception', 'pending', 'en_route', 'arrived'],
    requires: ['reason_code'],
    means: 'A problem is reported. Only a blocking one changes where the task stands.',
  },
  reopened: {
    of: 'task',
    ...stepping,
    ...completion,
    from: ['completed'],
    to: ['arrived'],
    requires: [],
    means: "A completion is undone, within the channel's grace and while nothing was built on it.",
  },
  corrected: {
    of: 'task',
    ...stepping,
    group: 'completion',
    who: ['dispatch', 'system'],
    from: ['completed', 'failed'],
    to: ['completed', 'failed'],
    requires: ['outcome', 'note'],
    means: 'How a task ended was recorded wrongly: a success code or a reason code takes its place.',
  },
  resumed: {
    of: 'task',
    group: null,
    who: ['dispatch', 'system'],
    from: ['exception'],
    jumps_from: [],
    to: ['pending', 'en_route', 'arrived'],
    requires: [],
    through: 'resolution',
    means: 'The last blocking exception is resolved: the task goes on, after a failed visit with the next one.',
  },
  given_up: {
    of: 'task',
    group: null,
    who: ['dispatch', 'system'],
    from: ['exception'],
    jumps_from: [],
    to: ['failed', 'cancelled'],
    requires: [],
    through: 'resolution',
    means: 'The exception is resolved by return, cancel or fail.',
  },
  adopted: {
    of: 'task',
    group: null,
    who: ['dispatch', 'system'],
    from: ['pending', 'en_route', 'arrived', 'exception', 'completed', 'failed', 'cancelled'],
    jumps_from: [],
    to: ['en_route', 'arrived', 'exception', 'completed', 'failed', 'pending'],
    requires: [],
    through: 'resolution',
    means: 'A report that clashed with the record is taken to be true.',
  },
} as const satisfies Record<string, JobTransition | TaskTransition>;

export type TransitionName = keyof typeof transitions;
export type RequestedTransition = {
  [Name in TransitionName]: (typeof transitions)[Name]['through'] extends 'transition' ? Name : never;
}[TransitionName];

export const transitionNames = Object.keys(transitions) as readonly TransitionName[];
/** What `to` may say. */
export const requestedTransitions = transitionNames.filter(
  (name): name is RequestedTransition => transitions[name].through === 'transition',
);

/** The facts of a transition, with the type that all of them share. */
export function factsOfTransition(name: TransitionName): JobTransition | TaskTransition {
  return transitions[name];
}

/** The order in which a task gets on within a visit; what lies between is implied by a jump. */
export const visitOrder = ['pending', 'en_route', 'arrived', 'completed'] as const satisfies readonly TaskStatus[];

/** Steps that a jump passes over: those between where the task stands and where it is said to be. */
export function stepsBetween(from: TaskStatus, to: TaskStatus): ('en_route' | 'arrived')[] {
  const order: readonly TaskStatus[] = visitOrder;
  const start = order.indexOf(from);
  // A visit can fail on the way: only having set out is certain.
  const end = to === 'failed' ? 2 : order.indexOf(to);
  return (['en_route', 'arrived'] as const).filter((status) => {
    const place = visitOrder.indexOf(status);
    return place > start && place < end;
  });
}

export type AllowedOptions = { strict_transitions: boolean; undo: boolean };

/** Whether the table lets this task go there from where it stands, apart from what other tasks say. */
export function isStepAllowed(name: RequestedTransition, task: Task, strict: boolean): boolean {
  const facts = factsOfTransition(name);
  if (facts.of !== 'task') return false;
  if (facts.from.includes(task.status)) return true;
  if (!facts.jumps_from.includes(task.status)) return false;
  // Nobody drives to the pickup at the hub: the load check there is the first step, not a jump.
  return !strict || (task.implicit && name === 'completed');
}

/** The open tasks for which a task still has to wait. The implicit pickup is completed by departure, so it holds nobody up. */
export function openDependencies(job: Pick<Job, 'pickups' | 'deliveries'>, task: Task): Task[] {
  return tasksOf(job).filter(
    (other) => task.depends_on.includes(other.id) && !isFinalTask(other.status) && !isReadyAtHub(other),
  );
}

/** An implicit pickup that departure completes: nothing blocks it. */
export function isReadyAtHub(task: Task): boolean {
  return task.implicit && task.status !== 'exception' && !isFinalTask(task.status);
}

/** A case that keeps a job from being taken on: its address is not known yet. */
export function isUnplaced(job: Job): boolean {
  return tasksOf(job).some((task) => task.address.precision === 'unlocated' && !isFinalTask(task.status));
}

/** What the machine allows next for this job, whoever asks. */
export function allowedTransitions(
  job: Job,
  options: AllowedOptions = { strict_transitions: false, undo: false },
): RequestedTransition[] {
  if (job.deleted_at !== null) return [];
  return requestedTransitions.filter((name) => {
    const facts = factsOfTransition(name);
    if (facts.of === 'job') return facts.from.includes(job.status) && isJobStepAllowed(name, job);
    if (name === 'reopened' && !options.undo) return false;
    return tasksOf(job).some((task) => isTaskTransitionAllowed(name, job, task, options.strict_transitions));
  });
}

/** Whether a task-level transition may be asked for this task now. */
export function isTaskTransitionAllowed(name: RequestedTransition, job: Job, task: Task, strict: boolean): boolean {
  if (!isStepAllowed(name, task, strict)) return false;
  if (name === 'reopened' || name === 'corrected') return true;
  if (name === 'exception') return !isFinalJob(job.status);
  return task.driver_id !== null && openDependencies(job, task).length === 0;
}

/** Conditions of job-level transitions that lie in the tasks. */
export function isJobStepAllowed(name: TransitionName, job: Job): boolean {
  const open = tasksOf(job).filter((task) => !isFinalTask(task.status));
  if (name === 'accepted') return !isUnplaced(job);
  if (name === 'assigned') return open.length > 0 && !isUnplaced(job);
  if (name === 'unassigned') return !goodsOnBoard(job) && open.some((task) => task.driver_id !== null);
  if (name === 'cancelled') return !goodsOnBoard(job);
  if (name === 'returned')
    return goodsOnBoard(job) && open.some((task) => task.kind === 'delivery' && task.returns === null);
  return true;
}

/**
 * Which job status may follow which, as consumers of events see them: a job's status is derived from its tasks, so
 * these are consequences of the table above, not rules beside it. Tests hold every pair of events against it.
 */
export const jobStatusFollows = {
  created: ['accepted', 'assigned', 'en_route', 'exception', 'failed', 'cancelled'],
  accepted: ['assigned', 'en_route', 'exception', 'failed', 'cancelled'],
  assigned: ['created', 'accepted', 'en_route', 'arrived', 'exception', 'cancelled', 'failed'],
  en_route: [
    'created',
    'accepted',
    'assigned',
    'arrived',
    'exception',
    'completed',
    'partially_completed',
    'failed',
    'cancelled',
  ],
  arrived: [
    'created',
    'accepted',
    'assigned',
    'en_route',
    'exception',
    'completed',
    'partially_completed',
    'failed',
    'cancelled',
  ],
  exception: [
    'created',
    'accepted',
    'assigned',
    'en_route',
    'arrived',
    'completed',
    'partially_completed',
    'failed',
    'cancelled',
  ],
  completed: ['en_route', 'arrived', 'exception', 'partially_completed', 'failed', 'cancelled'],
  partially_completed: ['en_route', 'arrived', 'exception', 'completed', 'failed', 'cancelled'],
  failed: ['en_route', 'arrived', 'exception', 'completed', 'partially_completed', 'cancelled'],
  cancelled: ['assigned', 'en_route', 'arrived', 'exception', 'completed', 'partially_completed', 'failed'],
} as const satisfies Record<JobStatus, readonly JobStatus[]>;

/** The two machines as Mermaid state diagrams. */
export function drawMachine(): string {
  const lines = ['stateDiagram-v2', '  state "Task" as task {'];
  for (const name of transitionNames) {
    const facts = factsOfTransition(name);
    if (facts.of !== 'task') continue;
    for (const from of [...facts.from, ...facts.jumps_from])
      for (const to of facts.to) if (from !== to) lines.push(`    t_${from} --> t_${to}: ${name}`);
  }
  lines.push('  }', '  state "Job" as job {');
  for (const name of transitionNames) {
    const facts = factsOfTransition(name);
    if (facts.of !== 'job') continue;
    for (const from of facts.from)
      for (const to of facts.to) if (from !== to) lines.push(`    j_${from} --> j_${to}: ${name}`);
  }
  lines.push('  }');
  return `${lines.join('\n')}\n`;
}
