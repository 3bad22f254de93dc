// The operation by which a queue is emptied: many transitions of many jobs in one request, each as if it had come alone.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { type ItemCall, itemsReply, nameByPlace, replyWithItems, requireItem, runItems } from '../http/items.ts';
import { type Call, type Caller, type Operation, operation } from '../http/operation.ts';
import { compileValidator } from '../http/validator.ts';
import type { Command } from '../ledger/command.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { referenceKey, seesChannel } from './job.ts';
import { findJobIds } from './job-list.store.ts';
import { channelIdOf, impliedChannel } from './order-loads.ts';
import { invalid } from './refusal.ts';
import { makeTransitionExample, reportExample, SENT_AT_EXAMPLE } from './transition.routes.ts';
import {
  TRANSITIONS_MAX,
  type TransitionItem,
  transitionItem,
  transitionReply,
  transitionsInput,
} from './transition.schema.ts';
import { type ExecutionDesk, transitionCommand } from './transition-command.ts';

/** 8 KiB for each of five hundred: a report with a few proofs takes 1 to 2. */
export const TRANSITIONS_BODY_BYTES_MAX = 4 * 1_048_576;

const PATH = '/v1/transitions';

export interface TransitionBatchDesk extends ExecutionDesk {
  reads: Sql;
  ledger: Pick<Ledger, 'commitAll'>;
}

export function transitionBatchOperations(desk: TransitionBatchDesk): Operation[] {
  const validate = compileValidator(transitionItem, '');
  return [
    operation({
      operation_id: 'transition_jobs',
      method: 'POST',
      path: PATH,
      tag: 'jobs',
      summary: 'Send a queue of transitions',
      description: `Up to ${TRANSITIONS_MAX} requests and reports about any jobs (${TRANSITIONS_BODY_BYTES_MAX / 1_048_576} MiB), as a device keeps them while it has no signal. Each names its job by \`job_id\`, or by \`reference\` and \`channel_id\`, and is applied, kept or refused for itself, as POST /v1/jobs/{job_id}/transitions would; those of one job keep their order. \`sent_at\` holds for all: by it the clock of the device is put right. Item number i runs under the key \`K#i\` when the request has the Idempotency-Key \`K\`; a \`client_event_id\` protects it in any case. If the database fails on the way, the items behind are answered 503 and not tried: send the whole queue again.`,
      scope: 'jobs:read',
      body: transitionsInput(transitionItem),
      envelope: transitionsInput(Type.Unknown()),
      body_bytes_max: TRANSITIONS_BODY_BYTES_MAX,
      items: ({ transitions }) => transitions.length,
      replies: {
        200: { description: 'What became of each.', schema: itemsReply('result', transitionReply, TRANSITIONS_MAX) },
      },
      errors: [],
      body_example: {
        sent_at: SENT_AT_EXAMPLE,
        transitions: [{ job_id: makeTransitionExample().job.id, ...reportExample }],
      },
      reply_example: {
        accepted: 1,
        refused: 0,
        data: [{ index: 0, status: 200, result: makeTransitionExample(), problem: null }],
      },
      async run(call) {
        const { sent_at, transitions } = call.body as { sent_at?: string; transitions: unknown[] };
        const jobIds = await findNamed(desk.reads, call.caller, transitions);
        const answers = await runItems(desk.ledger, call as Call, PATH, nameByPlace(transitions), (item) => {
          requireItem(validate, item.body);
          return commandOfItem(desk, item, sent_at, jobIds);
        });
        return replyWithItems(call, 'result', answers);
      },
    }),
  ];
}

function commandOfItem(
  desk: ExecutionDesk,
  item: ItemCall,
  sent_at: string | undefined,
  jobIds: ReadonlyMap<string, string>,
): Command {
  const { job_id, channel_id, reference, ...said } = item.body as TransitionItem;
  const jobId = job_id ?? jobIdOf(item.caller, { channel_id, reference }, jobIds);
  if (job_id !== undefined && (channel_id !== undefined || reference !== undefined))
    throw invalid('/job_id', 'job_id_or_reference', 'State either job_id or reference with its channel_id.');
  return transitionCommand(desk, item, jobId, sent_at === undefined ? said : { ...said, sent_at });
}

type Name = Record<'channel_id' | 'reference', string | undefined>;

/** The job that is named by its reference. */
function jobIdOf(caller: Caller, { channel_id, reference }: Name, jobIds: ReadonlyMap<string, string>): string {
  if (reference === undefined)
    throw invalid('/job_id', 'job_id_or_reference', 'State the job: job_id, or reference with its channel_id.');
  const channelId = channelIdOf(caller, channel_id);
  const found = jobIds.get(referenceKey(channelId, reference));
  if (found === undefined)
    throw new WaypostError('not_found', `No job of the channel ${channelId} has the reference ${reference}.`);
  return found;
}

/** What the references lead to now. Items that are no transitions at all are refused later, each for itself. */
function findNamed(reads: Sql, caller: Caller, items: readonly unknown[]): Promise<Map<string, string>> {
  const names = items.flatMap((item) => {
    const { reference, channel_id = impliedChannel(caller) } = (item ?? {}) as Record<keyof Name, unknown>;
    const isName = typeof reference === 'string' && typeof channel_id === 'string' && seesChannel(caller, channel_id);
    return isName ? [{ channel_id, reference }] : [];
  });
  return names.length === 0 ? Promise.resolve(new Map()) : findJobIds(reads, caller.world_id, names);
}
