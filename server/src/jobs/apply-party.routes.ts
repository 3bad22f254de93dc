// The operations by which a changed customer or address reaches the jobs that are still open.

import Type, { type TObject } from 'typebox';
import { type ErrorCode, WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { type ItemAnswer, runItems } from '../http/items.ts';
import type { Call, Operation, Reply } from '../http/operation.ts';
import { ProblemSchema } from '../http/problem.ts';
import { commandOf, idPath, pathId } from '../http/resource.routes.ts';
import type { Command } from '../ledger/command.ts';
import { findResource, type ResourceStore } from '../ledger/resource.store.ts';
import type { Base } from '../ledger/resource.ts';
import { Customer } from '../parties/customer.schema.ts';
import { customerStore } from '../parties/customer.store.ts';
import { SavedAddress } from '../parties/saved-address.schema.ts';
import { addressStore } from '../parties/saved-address.store.ts';
import { type Applied, applyParty, type Party } from './apply-party.ts';
import { type Asking, type JobDesk, scopeOf } from './job.routes.ts';
import { listOpenJobsOf } from './job-list.store.ts';
import { jobIn, loadsOfPatch, patchContextOf } from './job-loads.ts';
import { id, nullable, oneOf } from './wire.schema.ts';

const JOBS_DEFAULT = 200;
export const APPLIED_JOBS_MAX = 1_000;

const results = ['changed', 'unchanged', 'proposed', 'refused'] as const;

const appliedReply = Type.Object(
  {
    changed: Type.Integer({ minimum: 0, description: 'How many jobs changed; each has an event that tells what.' }),
    unchanged: Type.Integer({ minimum: 0, description: 'How many had it like this already.' }),
    proposed: Type.Integer({ minimum: 0, description: 'How many wait for the owner of the fields.' }),
    refused: Type.Integer({ minimum: 0, description: 'How many may not change any more, or not by this key.' }),
    data: Type.Array(
      Type.Object(
        {
          job_id: id,
          reference: Type.String({ description: "The source's own number of the job." }),
          result: oneOf(results, 'What became of it.'),
          version: nullable(Type.Integer({ minimum: 1, description: 'The version of the job now.' }), 'refused'),
          proposal_id: nullable(id, 'nothing was proposed'),
          problem: nullable(ProblemSchema, 'it was not refused'),
        },
        { additionalProperties: false },
      ),
      { maxItems: APPLIED_JOBS_MAX, description: 'One for each open job that has it.' },
    ),
    has_more: Type.Boolean({ description: 'Whether more open jobs have it: send the request again with `next`.' }),
    next: nullable(Type.String({ description: 'Goes into `after`.' }), 'these were all'),
  },
  { additionalProperties: false },
);

const query = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: APPLIED_JOBS_MAX,
        description: `How many jobs at most; ${JOBS_DEFAULT} when absent.`,
      }),
    ),
    after: Type.Optional(
      Type.String({ minLength: 1, maxLength: 512, description: '`next` of the reply before; absent: from the first.' }),
    ),
  },
  { additionalProperties: false },
);

const place = defineCursor('open jobs', { id: 'text' });

interface Kind {
  noun: Party['kind'];
  many: string;
  id: TObject['properties'][string];
  copied: string;
  errors: readonly ErrorCode[];
}

export function applyPartyOperations(desk: JobDesk): Operation[] {
  return [
    applyOperation(desk, customerStore, {
      noun: 'customer',
      many: 'customers',
      id: Customer.properties.id,
      copied:
        'the contact becomes a copy of the customer, with the contact policy of the customer if it states one. Of a customer whom a contact in an order made nothing is known to copy',
      errors: ['customer_erased'],
    }),
    applyOperation(desk, addressStore, {
      noun: 'address',
      many: 'addresses',
      id: SavedAddress.properties.id,
      copied: 'the address becomes a copy of the saved one',
      errors: [],
    }),
  ];
}

function applyOperation<D extends Base>(desk: JobDesk, store: ResourceStore<D>, kind: Kind): Operation {
  const { noun, many } = kind;
  const path = `/v1/${many}/{${noun}_id}/apply-to-open-jobs`;
  return {
    operation_id: `apply_${noun}_to_open_jobs`,
    method: 'POST',
    path,
    tag: many,
    summary: `Bring a changed ${noun} to the jobs that are open`,
    description: `Jobs keep a copy of what they were made with; changing the ${noun} changes none of them. This does: at every task that has not ended and has this ${noun}, ${kind.copied}. Each job is changed or refused as by a PATCH of its own: the table of edits and the ownership of its channel decide, and an event tells. The answer lists every job with what became of it and why. Up to ${APPLIED_JOBS_MAX} jobs; \`next\` goes on with the rest. Under an Idempotency-Key a repeat changes no job twice.`,
    scope: 'jobs:write',
    names_one: false,
    path_params: idPath(noun, kind.id),
    query,
    replies: { 200: { description: 'What became of each open job.', schema: appliedReply } },
    errors: kind.errors,
    reply_example: {
      changed: 1,
      unchanged: 0,
      proposed: 0,
      refused: 0,
      data: [
        {
          job_id: 'job_01kaj2w0d4f8tb3h5gk9mzq7xe',
          reference: 'ORD-10293',
          result: 'changed',
          version: 2,
          proposal_id: null,
          problem: null,
        },
      ],
      has_more: false,
      next: null,
    },
    async run(call) {
      const party: Party = { kind: noun, id: pathId(call, noun) };
      await requireParty(desk, store, call, party);
      const { limit = JOBS_DEFAULT, after } = call.query as { limit?: number; after?: string };
      const from = after === undefined ? null : place.decode(after).id;
      const found = await listOpenJobsOf(desk.reads, scopeOf(call), party, from, limit + 1);
      const jobs = found.slice(0, limit);
      const items = jobs.map(({ job_id }) => ({ part: job_id, body: job_id }));
      const answers = await runItems(desk.ledger, call, path, items, (item) =>
        applyCommand(desk, item, String(item.body), party),
      );
      const last = jobs.at(-1);
      const has_more = found.length > limit && last !== undefined;
      return replyWith(call, jobs, answers, has_more ? place.encode({ id: last.job_id }) : null);
    },
  };
}

async function requireParty<D extends Base>(
  desk: JobDesk,
  store: ResourceStore<D>,
  { caller }: Pick<Call, 'caller'>,
  { kind, id: partyId }: Party,
): Promise<void> {
  const found = await findResource({ ...desk, store, view: 'plain' }, caller.world_id, partyId);
  if (found === null) throw new WaypostError('not_found', `There is no ${kind} with the id ${partyId}.`);
  const { erased_at = null } = JSON.parse(found.text) as { erased_at?: string | null };
  if (erased_at !== null)
    throw new WaypostError('customer_erased', 'The customer was erased: nothing is left that jobs could copy.');
}

function applyCommand(desk: JobDesk, item: Asking, jobId: string, party: Party): Command {
  const named = party.kind === 'customer' ? { customer_id: party.id } : { address_id: party.id };
  const loads = loadsOfPatch(desk.books, jobId, { deliveries: [{ id: '', ...named }] });
  return commandOf(item, `${party.kind}.apply`, loads, (set, moment) => {
    const stored = jobIn(set, jobId, item.caller);
    return applyParty(stored, party, patchContextOf(desk.books, set, stored, item.caller, desk.pin_key, null), moment);
  });
}

function replyWith(
  call: Pick<Call, 'problemOf'>,
  jobs: readonly { job_id: string; reference: string }[],
  answers: readonly ItemAnswer[],
  next: string | null,
): Reply {
  const data = jobs.map(({ job_id, reference }, index) => {
    const { body = null, error = null } = answers[index] ?? {};
    if (body !== null) return { ...(JSON.parse(body) as { result: Applied }), problem: null };
    const problem = error === null ? null : call.problemOf(error);
    return { job_id, reference, result: 'refused' as const, version: null, proposal_id: null, problem };
  });
  const count = (wanted: (typeof results)[number]) => data.filter(({ result }) => result === wanted).length;
  const counts = Object.fromEntries(results.map((result) => [result, count(result)]));
  return { status: 200, body: { ...counts, data, has_more: next !== null, next } };
}
