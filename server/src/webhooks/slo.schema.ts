// The wire shape of an endpoint's objective and error budget.

import type { Static } from 'typebox';
import Type from 'typebox';
import { closed, Instant, nullable } from '../parties/fields.ts';

export const SLO_DAYS_MAX = 30;

const count = (description: string) => Type.Integer({ minimum: 0, description });

export const EndpointSloSchema = closed(
  {
    endpoint_id: Type.String(),
    objective: Type.Number({ description: 'The share of messages that come in time.' }),
    within_s: Type.Integer({
      description: 'In time: answered with 2xx within so many seconds of the recording of its event.',
    }),
    days: Type.Integer({ minimum: 1, description: 'Of these days, today included.' }),
    since: Instant,
    until: Instant,
    messages: count(
      'Delivered or dead. Not counted: what was recorded before the endpoint became active or was resumed, what it finds not worth sending, tests, and what is sent again on request.',
    ),
    on_time: count('In time.'),
    late: count('Later than that, or dead.'),
    attained: nullable(Type.Number({ minimum: 0, maximum: 1 }), {
      description: 'The share that came in time; null without messages.',
    }),
    is_met: nullable(Type.Boolean(), { description: 'Null without messages.' }),
    budget: closed(
      {
        allowed: count('Messages that may be late under the objective.'),
        spent_by_us: count(
          'Late although nothing of the endpoint was in the way: our sender was down, slow or behind.',
        ),
        spent_by_endpoint: count(
          'Late because the endpoint failed, answered slowly, asked for silence, or takes fewer at a time than there are.',
        ),
        remaining: Type.Integer({ description: 'Below zero: the objective is missed.' }),
      },
      { description: 'The error budget.' },
    ),
    by_day: Type.Array(
      closed({
        day: Type.String({ description: 'By UTC.', examples: ['2026-11-21'] }),
        messages: count('Counted on this day.'),
        on_time: count('In time.'),
        late_by_us: count('Late by us.'),
        late_by_endpoint: count('Late by the endpoint.'),
      }),
      { description: 'Oldest first, days with messages only.' },
    ),
  },
  { $id: 'EndpointSlo' },
);
export type EndpointSlo = Static<typeof EndpointSloSchema>;

export const sloExample: EndpointSlo = {
  endpoint_id: 'whe_01m7yhqmb4f0pankpv0n1w71v1',
  objective: 0.99,
  within_s: 5,
  days: 30,
  since: '2026-10-23T00:00:00.000Z',
  until: '2026-11-21T13:00:05.900Z',
  messages: 3_120,
  on_time: 3_117,
  late: 3,
  attained: 0.999038,
  is_met: true,
  budget: { allowed: 31, spent_by_us: 0, spent_by_endpoint: 3, remaining: 28 },
  by_day: [{ day: '2026-11-21', messages: 3_120, on_time: 3_117, late_by_us: 0, late_by_endpoint: 3 }],
};
