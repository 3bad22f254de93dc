// The wire form of an event's proof: what of it the chain goes over.

import Type from 'typebox';
import { eventExample } from './event.schema.ts';

const Hash = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description });

export const ProofSchema = Type.Object(
  {
    sequence: Type.Integer({ description: 'Of the event.' }),
    event_id: Type.String(),
    log_epoch: Type.Integer(),
    hash: Hash('SHA-256 over the event as it is stored: its body and its sealed values.'),
    chain: Hash('SHA-256(chain of the event before, hash). At the end of a day it is the root of log.sealed.'),
    has_personal: Type.Boolean({
      description:
        'False: the event as it was sent, followed by one byte 1, has this hash. True: its stored form has, in which personal values are cut out.',
    }),
    stored: Type.Unsafe<{ body: string; sealed: string } | null>({
      type: ['object', 'null'],
      description:
        'The stored form of an event with personal values; null for others, and where the key may not see the event.',
      properties: {
        body: Type.String({
          description: 'The event with a hole in the place of each personal value: a string that begins with U+0001.',
        }),
        sealed: Type.String({
          description: 'The personal values, encrypted; base64. The hash goes over them as they are.',
        }),
      },
      required: ['body', 'sealed'],
      additionalProperties: false,
    }),
  },
  { $id: 'EventProof', additionalProperties: false },
);

export const ProofPage = Type.Object(
  {
    data: Type.Array(ProofSchema),
    has_more: Type.Boolean({ description: 'True when more events follow now.' }),
    next: Type.String({ description: 'Send it as `after` to go on.' }),
  },
  { additionalProperties: false },
);

export const proofExample = {
  sequence: eventExample.sequence,
  event_id: eventExample.id,
  log_epoch: eventExample.log_epoch,
  hash: '5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
  chain: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  has_personal: false,
  stored: null,
};
