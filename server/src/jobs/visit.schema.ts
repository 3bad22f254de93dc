// Wire shape of a visit: one try at the door. Its outcome is immutable.

import type { Static } from 'typebox';
import Type from 'typebox';
import { id, instant, nullable, oneOf, text } from './wire.schema.ts';

export const actorTypes = ['api_key', 'user', 'driver', 'recipient', 'system', 'simulator'] as const;
export const visitSteps = ['en_route_at', 'arrived_at', 'service_started_at', 'departed_at'] as const;

export const visit = Type.Object(
  {
    number: Type.Integer({ minimum: 1, description: 'Counts the visits of the task.' }),
    driver_id: nullable(id, 'no driver was assigned'),
    route_id: nullable(id, 'not on a route'),
    en_route_at: nullable(instant, 'not yet'),
    arrived_at: nullable(instant, 'not yet'),
    service_started_at: nullable(instant, 'not reported'),
    departed_at: nullable(instant, 'not yet'),
    implied: Type.Array(oneOf(visitSteps, 'A step.'), {
      description: 'Steps whose time was inferred from a later one; a real, earlier report replaces it.',
    }),
    outcome: nullable(Type.String({ description: 'Success or reason code with which the visit ended.' }), 'still open'),
    reason_code: nullable(Type.String({ description: 'Why it failed.' }), 'it did not fail'),
    note: nullable(text, 'none, or erased'),
    proof_ids: Type.Array(id),
  },
  { $id: 'Visit', additionalProperties: false, description: 'One try at the door.' },
);
export type Visit = Static<typeof visit>;
