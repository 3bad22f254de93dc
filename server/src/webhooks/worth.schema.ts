// The wire shape of an endpoint's rules about what is worth sending.

import Type from 'typebox';
import { namePatterns } from '../events/filter.schema.ts';
import { closed, nullable } from '../parties/fields.ts';
import { TIME_TO_LIVE_MAX_S, WORTH_RULES_MAX } from './worth.ts';

const types = namePatterns({
  minItems: 1,
  uniqueItems: true,
  description: 'Types of events, or topics: an event goes by its topics only when all of them are named.',
});
const latestWins = Type.Boolean({
  description:
    'Only the newest of what waits about one subject (`data_id`) goes out; older ones of the same type are superseded.',
});
const timeToLiveS = nullable(Type.Integer({ minimum: 1, maximum: TIME_TO_LIVE_MAX_S }), {
  description: 'What was not delivered within so many seconds of its recording has expired and is not sent any more.',
});
const rules = {
  maxItems: WORTH_RULES_MAX,
  description:
    'What is worth sending, by type: the first rule that fits an event decides, for events read from now on. What is left out stays in the log and is shown among the messages.',
  examples: [[{ types: ['driver.updated'], latest_wins: true, time_to_live_s: 600 }]],
};

export const WorthSendingInput = Type.Array(
  closed({ types, latest_wins: Type.Optional(latestWins), time_to_live_s: Type.Optional(timeToLiveS) }),
  rules,
);
export const WorthSending = Type.Array(closed({ types, latest_wins: latestWins, time_to_live_s: timeToLiveS }), rules);
