// The dry run of a request: what it would be answered, with every fault at once; nothing is written. A line belongs here if
// the dry runs of several rooms say it.

import Type from 'typebox';
import type { Fault, WaypostError } from '../errors.ts';
import type { Call, Reply } from './operation.ts';
import { FaultSchema, ProblemSchema } from './problem.ts';

/** What the reply has beside the document as it would be. `of`: the operation that is tried, `POST /v1/jobs`. */
export function dryRunFields(of: string) {
  return {
    valid: Type.Boolean({ description: `Whether ${of} would accept it now.` }),
    status: Type.Integer({
      description: `What ${of} would answer: 201, 200 when the same was made before, or the refusal.`,
    }),
    problem: Type.Unsafe<object | null>({
      anyOf: [ProblemSchema, { type: 'null' }],
      description: 'Null: it would be accepted.',
    }),
    faults: Type.Array(FaultSchema, {
      description: 'Everything that stands against it, also what `problem` does not come to; empty when it is valid.',
    }),
  };
}

/**
 * The reply for what would be refused. `found`: further faults; `missing`: the document that there would not be. A refusal
 * that is about no member, such as that of an owner, is told as a fault of the whole.
 */
export function answerRefused(
  call: Pick<Call, 'problemOf'>,
  error: WaypostError,
  found: readonly Fault[],
  missing: Readonly<Record<string, null>>,
): Reply {
  const whole = { pointer: '', code: error.code, message: error.message };
  const own = error.faults.length > 0 ? error.faults : [whole];
  const isTold = (fault: Fault) =>
    found.some(({ pointer, code }) => code === fault.code && ['', pointer].includes(fault.pointer));
  const faults = [...own.filter((fault) => !isTold(fault)), ...found];
  return {
    status: 200,
    body: { valid: false, status: error.status, problem: call.problemOf(error), faults, ...missing },
  };
}
