// The dry run of an order: everything that stands against it, and what it would be answered; nothing is written.

import Type from 'typebox';
import { type Fault, WaypostError } from '../errors.ts';
import { answerRefused, dryRunFields } from '../http/dry-run.ts';
import { type Call, JsonText, type Operation, operation, type Reply } from '../http/operation.ts';
import { commandOf } from '../http/resource.routes.ts';
import { refuseBody } from '../http/route.ts';
import { compileValidator } from '../http/validator.ts';
import { createJob, findAllObstacles } from './create-job.ts';
import { contextOf, type JobDesk } from './job.routes.ts';
import { type JobInput, jobInput, jobReply } from './job.schema.ts';
import { makeJobExample, orderExample } from './job-example.ts';
import { channelIdOf, comparableOrder, loadsOfOrder, orderFingerprint } from './order-loads.ts';
import { nullable } from './wire.schema.ts';

const NO_JOB = { job: null };

const validation = Type.Object(
  { ...dryRunFields('POST /v1/jobs'), job: nullable(jobReply, 'it would be refused') },
  { additionalProperties: false },
);

export function jobValidateOperations(desk: JobDesk): Operation[] {
  const validate = compileValidator(jobInput, '');
  return [
    operation({
      operation_id: 'validate_job',
      method: 'POST',
      path: '/v1/jobs/validate',
      tag: 'jobs',
      summary: 'Try an order without sending it',
      description:
        'Answers 200 with what POST /v1/jobs would answer now, and with every fault at once: of the form, of the order, names that lead nowhere, a reference that is taken. Once the form is right, `job` shows the job as it would be, with its hub and the pickup there; ids of what would be made are placeholders (`job_00000000000000000000000001`). Nothing is written or counted, and nothing is reserved.',
      scope: 'jobs:write',
      body: jobInput,
      envelope: Type.Object({}),
      replies: { 200: { description: 'What the order would be answered.', schema: validation } },
      errors: [],
      body_example: orderExample,
      reply_example: { valid: true, status: 201, job: makeJobExample(), problem: null, faults: [] },
      async run(call) {
        const faults = validate(call.body);
        if (faults !== null) return answerRefused(call, refuseBody(faults), faults, NO_JOB);
        return rehearseOrder(desk, call, call.body);
      },
    }),
  ];
}

type Asked = Pick<
  Call,
  'caller' | 'correlation_id' | 'body_bytes' | 'rendering' | 'shown' | 'problemOf' | 'fingerprintOf'
>;

async function rehearseOrder(desk: JobDesk, call: Asked, order: JobInput): Promise<Reply> {
  const { caller, correlation_id, body_bytes } = call;
  let obstacles: readonly Fault[] = [];
  try {
    const channelId = channelIdOf(caller, order.channel_id);
    const comparable = comparableOrder(order, desk.pin_key);
    const fingerprint = orderFingerprint(call, comparable);
    const asking = { caller, correlation_id, body_bytes, idempotency: null };
    const command = commandOf(asking, 'job.validate', loadsOfOrder(desk.books, order, channelId), (set, moment) => {
      const context = contextOf(set, desk, call, order, channelId, fingerprint);
      obstacles = findAllObstacles({ order, comparable }, context);
      return createJob({ order, comparable }, context, moment);
    });
    const outcome = await desk.ledger.rehearse(command);
    const job = outcome.render(call.rendering);
    noteParties(call, outcome.status === 200 ? [idOf(job)] : namedIn(order));
    const text = `{"valid":true,"status":${outcome.status},"job":${job},"problem":null,"faults":[]}`;
    return { status: 200, body: new JsonText(text) };
  } catch (error) {
    if (!(error instanceof WaypostError)) throw error;
    return answerRefused(call, error, obstacles, NO_JOB);
  }
}

/** A dry run changes nothing, so it is a reading: of the job that exists, or of whom and what the order names. */
function noteParties({ rendering, shown }: Asked, ids: readonly string[]): void {
  if (rendering === 'personal') for (const id of ids) shown.add(id);
}

function idOf(job: string): string {
  return (JSON.parse(job) as { id: string }).id;
}

function namedIn({ pickups = [], deliveries }: JobInput): string[] {
  return [...pickups, ...deliveries].flatMap(({ customer_id, address_id }) =>
    [customer_id, address_id].filter((id) => id !== undefined),
  );
}
