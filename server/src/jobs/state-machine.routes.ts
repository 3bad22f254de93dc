// What the API says about itself: the machine and the reason codes, from the tables that the rules go by.

import Type from 'typebox';
import { type Operation, operation } from '../http/operation.ts';
import { jobStatuses } from './job.schema.ts';
import { factsOf, reasonCodeNames } from './reason-codes.ts';
import { drawMachine, factsOfTransition, jobStatusFollows, transitionNames } from './state-machine.ts';
import { taskKinds, taskStatuses } from './task.schema.ts';
import { nullable, oneOf } from './wire.schema.ts';

const words = (description: string) => Type.Array(Type.String(), { description });

const transitionFacts = Type.Object(
  {
    name: Type.String({ description: 'What `to` says, or the name of what a resolution does.' }),
    of: oneOf(['job', 'task'], 'Of which machine it is.'),
    from: words('States from which it is the next step.'),
    jumps_from: words(
      'States from which it passes over steps, which are then implied; requests of strict channels may not.',
    ),
    to: words('States to which it can lead.'),
    who: words('Authorities that may, unless the channel names others for `group`.'),
    group: nullable(
      Type.String({ description: 'Group of fields that it writes.' }),
      'who may does not depend on the channel',
    ),
    requires: words('Members that must be stated with it.'),
    through: oneOf(['transition', 'resolution'], 'Asked for by a transition, or by resolving an exception.'),
    means: Type.String({ description: 'What it means.' }),
  },
  { additionalProperties: false },
);

const machine = Type.Object(
  {
    job_statuses: words('States of a job.'),
    task_statuses: words('States of a task.'),
    transitions: Type.Array(transitionFacts),
    job_status_follows: Type.Record(Type.String(), Type.Array(Type.String()), {
      description: "Which job status can follow which: consequences of the tasks' transitions.",
    }),
    mermaid: Type.String({ description: 'Both machines as a Mermaid state diagram.' }),
  },
  { additionalProperties: false },
);

const reasonCode = Type.Object(
  {
    code: Type.String(),
    group: Type.String({ description: 'Group; `success` for the results of a visit that went well.' }),
    applies_to: Type.Array(oneOf(taskKinds, 'Kind of task.')),
    blocking: Type.Boolean({ description: 'Whether an exception of this code keeps the task until it is resolved.' }),
    retryable: Type.Boolean({ description: 'Whether another visit can succeed without a change.' }),
    answerable: oneOf(['shipper', 'recipient', 'carrier', 'external'], 'Who can say what it takes to go on.'),
    requires: Type.Array(oneOf(['photo', 'note'], 'What must be stated with it.')),
    next_step: Type.String({ description: 'What is usually done next.' }),
    x12_214: nullable(
      Type.Object(
        { status: nullable(Type.String(), 'none'), reason: nullable(Type.String(), 'none') },
        { additionalProperties: false, description: 'ANSI X12 214: elements 1650 and 1651.' },
      ),
      'no sure equivalent',
    ),
    gs1_cbv: nullable(Type.String({ description: 'GS1 CBV disposition.' }), 'no sure equivalent'),
  },
  { additionalProperties: false },
);

/** The machine as the API tells it. */
export function describeMachine() {
  return {
    job_statuses: jobStatuses,
    task_statuses: taskStatuses,
    transitions: transitionNames.map((name) => ({ name, ...factsOfTransition(name) })),
    job_status_follows: jobStatusFollows,
    mermaid: drawMachine(),
  };
}

export function describeReasonCodes() {
  return { data: reasonCodeNames.map((code) => ({ code, ...factsOf(code) })) };
}

export function stateMachineOperations(): Operation[] {
  return [
    operation({
      operation_id: 'get_state_machine',
      method: 'GET',
      path: '/v1/state-machine',
      tag: 'reference',
      summary: 'Get the state machine',
      description: 'The table that the rules go by: which transition leads where, who may, what must be stated.',
      scope: 'jobs:read',
      replies: { 200: { description: 'The machine.', schema: machine } },
      errors: [],
      reply_example: describeMachine(),
      run: async () => ({ status: 200, body: describeMachine() }),
    }),
    operation({
      operation_id: 'list_reason_codes',
      method: 'GET',
      path: '/v1/reason-codes',
      tag: 'reference',
      summary: 'List the reason codes',
      description: 'The closed set. Codes of your own are mapped onto it in the channel (`reason_aliases`).',
      scope: 'jobs:read',
      replies: {
        200: {
          description: 'All codes.',
          schema: Type.Object({ data: Type.Array(reasonCode) }, { additionalProperties: false }),
        },
      },
      errors: [],
      reply_example: { data: describeReasonCodes().data.slice(0, 2) },
      run: async () => ({ status: 200, body: describeReasonCodes() }),
    }),
  ];
}
