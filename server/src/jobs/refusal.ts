// The ways in which a transition is refused. A request is answered with them; a report is never refused: the same
// words then say in its case which rule it met (report.ts).

import { WaypostError } from '../errors.ts';
import type { Job } from './job.schema.ts';
import { allowedTransitions, type RequestedTransition } from './state-machine.ts';
import type { Task } from './task.schema.ts';

/** 409: the machine does not go there from here. `rule` says in one word why not. */
export function illegal(
  job: Job,
  task: Task | null,
  to: RequestedTransition,
  rule: string,
  detail: string,
): WaypostError {
  return new WaypostError('illegal_transition', detail, {
    extra: {
      rule,
      from: task?.status ?? job.status,
      to,
      task_id: task?.id ?? null,
      allowed_transitions: allowedTransitions(job),
    },
  });
}

/** 409: a task that must end first is still open. */
export function dependencyOpen(task: Task, open: readonly Task[]): WaypostError {
  const named = open.map((one) => one.id);
  return new WaypostError('dependency_open', `The ${task.kind} ${task.id} waits for ${named.join(', ')}.`, {
    extra: { task_id: task.id, depends_on: named },
  });
}

/** 422 about one member of the input. */
export function invalid(pointer: string, code: string, message: string): WaypostError {
  return new WaypostError('invalid_request', message, { faults: [{ pointer, code, message }] });
}

/** 422: something named does not exist. */
export function unknownReference(pointer: string, message: string): WaypostError {
  return new WaypostError('unknown_reference', message, { faults: [{ pointer, code: 'unknown_reference', message }] });
}
