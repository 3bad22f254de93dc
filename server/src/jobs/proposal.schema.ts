// Wire shape of a proposal: a change that somebody may not write but may propose.

import type { Static } from 'typebox';
import Type from 'typebox';
import { fieldGroups } from '../channels/channel.schema.ts';
import { type JobPatch, jobPatch } from './edit.schema.ts';
import { actorTypes } from './visit.schema.ts';
import { id, instant, nullable, oneOf } from './wire.schema.ts';

export const proposalStatuses = ['open', 'accepted', 'declined'] as const;

const actor = Type.Object(
  { type: oneOf(actorTypes, 'Who.'), id: Type.String() },
  { additionalProperties: false, description: 'Who did it.' },
);

const change = Type.Object(
  {
    pointer: Type.String({
      description: 'Where in the job, as in `changes` of its events: a JSON pointer without its leading slash.',
    }),
    before: Type.Unknown({ description: 'As it stood when it was proposed.' }),
    after: Type.Unknown({ description: 'As it would stand.' }),
  },
  { additionalProperties: false },
);

export const proposal = Type.Object(
  {
    id,
    job_id: id,
    channel_id: id,
    status: oneOf(proposalStatuses, 'Whether it waits for a decision.'),
    authority: Type.String({ description: 'The authority that proposes.' }),
    actor,
    groups: Type.Array(oneOf(fieldGroups, 'A group of fields.'), {
      description: 'Groups of fields that it touches; their owners decide.',
    }),
    patch: Type.Unsafe<JobPatch>({
      ...jobPatch,
      description: 'The change as it was sent, with instants in UTC. Erased parts read null.',
    }),
    changes: Type.Array(change, { description: 'What would change.' }),
    route_effect: Type.Unsafe<null>({ type: 'null', description: 'Null: the job is on no route.' }),
    job_version: Type.Integer({ minimum: 1, description: 'Version of the job when it was proposed.' }),
    created_at: instant,
    decided_at: nullable(instant, 'it is open'),
    decided_by: nullable(actor, 'it is open'),
  },
  { additionalProperties: false, description: 'A change that waits for the owner of the fields.' },
);
export type Proposal = Static<typeof proposal>;

/** Replies may show less of the patch than a request must hold: erased tasks read null. */
export const proposalReply = Type.Object(
  {
    ...proposal.properties,
    patch: Type.Unsafe<unknown>({
      type: 'object',
      description: 'The change as it was sent, with instants in UTC. Erased parts read null.',
    }),
  },
  { additionalProperties: false, description: 'A change that waits for the owner of the fields.' },
);
