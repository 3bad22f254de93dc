// The operations on proposals: list, get, accept, decline. One is made by a PATCH of a job (job-edit.routes.ts).

import Type from 'typebox';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Call, JsonText, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkPages } from '../http/paging.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Command } from '../ledger/command.ts';
import { idOf } from '../parties/fields.ts';
import type { JobDesk } from './job.routes.ts';
import { scopeOf } from './job.routes.ts';
import { seesChannel } from './job.ts';
import { editContextOf, jobIn, loadsOfDecision, patchContextOf } from './job-loads.ts';
import { proposalReply, proposalStatuses } from './proposal.schema.ts';
import { findProposal, listProposals, proposalKind } from './proposal.store.ts';
import { acceptProposal, declineProposal, type StoredProposal } from './proposal.ts';
import { makeProposalExample } from './proposal-example.ts';
import { oneOf } from './wire.schema.ts';

const proposalIdPath = Type.Object({ proposal_id: idOf('pro', 'The proposal.') }, { additionalProperties: false });

export function proposalOperations(desk: JobDesk): Operation[] {
  return [listOfProposals(desk), getOperation(desk), decideOperation(desk, 'accept'), decideOperation(desk, 'decline')];
}

const place = defineCursor('proposals', { id: 'text' });

function listOfProposals(desk: JobDesk): Operation {
  return listOperation({
    operation_id: 'list_proposals',
    path: '/v1/proposals',
    tag: 'proposals',
    many: 'proposals',
    summary: 'List proposals',
    description: 'Newest first.',
    scope: 'jobs:read',
    filters: {
      job_id: Type.Optional(idOf('job', 'Only those about this job.')),
      status: Type.Optional(oneOf(proposalStatuses, 'Only those in this status.')),
    },
    item: proposalReply,
    example: makeProposalExample(),
    walk(call) {
      const filter = { job_id: call.query.job_id ?? null, status: call.query.status ?? null };
      return walkPages({
        cursor: place,
        read: (after, limit) => listProposals(desk.reads, scopeOf(call), filter, after?.id ?? null, limit),
        placeOf: (id) => ({ id }),
        show: async (rows) => (await desk.keys.open(desk.reads, rows, call)).map((text) => new JsonText(text)),
      });
    },
  });
}

function getOperation(desk: JobDesk): Operation {
  return operation({
    operation_id: 'get_proposal',
    method: 'GET',
    path: '/v1/proposals/{proposal_id}',
    tag: 'proposals',
    summary: 'Get a proposal',
    scope: 'jobs:read',
    path_params: proposalIdPath,
    replies: { 200: { description: 'The proposal.', schema: proposalReply } },
    errors: [],
    reply_example: makeProposalExample(),
    async run(call) {
      const row = await findProposal(desk.reads, scopeOf(call), call.path.proposal_id);
      if (row === null) throw notFound(call.path.proposal_id);
      const [text = ''] = await desk.keys.open(desk.reads, [row], call);
      return { status: 200, body: new JsonText(text) };
    },
  });
}

function notFound(id: string): WaypostError {
  return new WaypostError('not_found', `There is no proposal with the id ${id}.`);
}

const decisions = {
  accept: {
    summary: 'Accept a proposal',
    description:
      'The owner of the fields takes the change on: it is judged again and written as if the owner had sent it.',
    errors: ['unknown_reference', 'edit_not_allowed', 'customer_erased'],
  },
  decline: {
    summary: 'Decline a proposal',
    description: 'The owner of the fields turns the change down, or the authority that proposed it takes it back.',
    errors: [],
  },
} as const;

function decideOperation(desk: JobDesk, verb: 'accept' | 'decline'): Operation {
  const { summary, description, errors } = decisions[verb];
  return operation({
    operation_id: `${verb}_proposal`,
    method: 'POST',
    path: `/v1/proposals/{proposal_id}/${verb}`,
    tag: 'proposals',
    summary,
    description,
    scope: 'jobs:write',
    path_params: proposalIdPath,
    replies: { 200: { description: 'The proposal, decided.', schema: proposalReply } },
    errors: ['proposal_closed', 'ownership_conflict', ...errors],
    reply_example: makeProposalExample(),
    async run(call) {
      const { proposal_id } = call.path;
      const decide: Command['decide'] = (set, moment) => {
        const kept = requireProposal(set.get(proposalKind, proposal_id), proposal_id, call);
        const stored = jobIn(set, kept.proposal.job_id, call.caller);
        if (verb === 'decline') {
          return declineProposal(kept, stored, editContextOf(set, stored, call.caller, desk.pin_key), moment);
        }
        return acceptProposal(
          kept,
          stored,
          patchContextOf(desk.books, set, stored, call.caller, desk.pin_key, null),
          moment,
        );
      };
      const command = commandOf(call as Call, `proposal.${verb}`, loadsOfDecision(desk.books, proposal_id), decide);
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}

function requireProposal(kept: StoredProposal | undefined, id: string, call: Pick<Call, 'caller'>): StoredProposal {
  if (kept === undefined || !seesChannel(call.caller, kept.proposal.channel_id)) throw notFound(id);
  return kept;
}
