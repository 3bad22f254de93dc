// The words with which the API's document introduces each group of operations.

/** What each group of operations is about, in the order in which a newcomer meets them. */
export const tags: Readonly<Record<string, string>> = {
  jobs: `Promises to move goods: orders as they are kept, carried out and told.

A job has pickups and deliveries, which are *tasks*; each try at a door is a *visit*. An order needs no more than a
reference and one delivery. Its reference is unique in its channel, so that an order may be sent again without harm.
What happens on the road comes as *transitions*: as requests, which may be refused, or as a driver's reports, which never
are. \`allowed_transitions\` of each job says what may come next.`,
  proposals: 'Changes that wait for the owner of the fields.',
  exceptions: 'Problems that someone must resolve.',
  events: `The canonical log: every change, in order, without gaps.

Whoever keeps the last sequence that was read, and asks for what comes after it, misses nothing.`,
  endpoints: `Where events are sent to, signed and in order.

Signatures are those of [Standard Webhooks](https://www.standardwebhooks.com); \`waypost-previous\` names the event before,
by which a receiver can prove that nothing is missing. An endpoint that is down catches up in order when it answers again.`,
  consumers: 'Readers of the log whose places are kept here.',
  replays: 'Events of the log sent once more, in order, beside what is sent live.',
  'dead letters': 'Messages that were tried for days without success: kept, and sent again when asked for.',
  customers: 'People and firms known to you: found by their number, erased for good.',
  addresses: 'Places that jobs copy.',
  drivers: 'Who carries out jobs.',
  vehicles: 'What drivers drive.',
  hubs: 'Where drivers start and goods wait.',
  channels: 'Order sources, with their settings in each world.',
  keys: 'API keys of this world.',
  audit: 'Who did what, from where; who was refused, and what was shown.',
  reference: 'The state machine and the codes that everything is built on.',
  system: 'The process itself: is it alive, is it ready, what does it serve. No key is needed.',
  webhooks:
    'What is sent to endpoints: every type of event, signed as Standard Webhooks. The same as AsyncAPI 3: [asyncapi.json](asyncapi.json).',
};
