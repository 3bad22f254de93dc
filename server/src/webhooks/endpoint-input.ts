// What may be asked of an endpoint: what is wrong with an input is said here, each with its pointer. Pure; how an endpoint
// comes about and changes is in endpoint.ts.

import { channelKind } from '../channels/channel.store.ts';
import { type Fault, WaypostError } from '../errors.ts';
import { patternFaults } from '../events/event-types.ts';
import type { WorkingSet } from '../ledger/command.ts';
import { type CustomHeaders, headerFaults } from './custom-headers.ts';
import type { Endpoint, EndpointPatch } from './endpoint.schema.ts';
import { schemaVersions } from './message-format.ts';
import { transformFault } from './transform.ts';
import type { WorthRule } from './worth.ts';

/** Who asks: what its key may do with endpoints. */
export interface Asker {
  channel_ids: readonly string[] | null;
  may_read_contacts: boolean;
}

export function requireChannels(set: WorkingSet, channel_ids: readonly string[] | null | undefined): void {
  const faults = (channel_ids ?? []).flatMap((id, index) =>
    set.get(channelKind, id) === undefined
      ? [{ pointer: `/channel_ids/${index}`, code: 'unknown_channel', message: `There is no channel ${id}.` }]
      : [],
  );
  if (faults.length > 0)
    throw new WaypostError('unknown_reference', 'The request names a channel that does not exist.', { faults });
}

/** A misspelt name would never be sent anything, and nobody would be told; a rule that rules nothing is a slip. */
export function requireKnownPatterns(input: Pick<EndpointPatch, 'types' | 'topics' | 'worth_sending'>): void {
  const idle = (input.worth_sending ?? []).flatMap(idleRuleFaults);
  const unknown = [
    ...(input.worth_sending ?? []).flatMap(({ types }, rule) =>
      patternFaults(types, (index) => `/worth_sending/${rule}/types/${index}`),
    ),
    ...patternFaults(input.types, (index) => `/types/${index}`),
    ...patternFaults(input.topics, (index) => `/topics/${index}`),
  ];
  const words =
    unknown.length > 0
      ? 'The endpoint asks for events that do not exist.'
      : 'The endpoint has a rule of worth_sending that rules nothing.';
  if (idle.length + unknown.length > 0)
    throw new WaypostError('invalid_request', words, { faults: [...unknown, ...idle] });
}

/** What is pinned must be there: nobody can be sent events in a form that was never written. */
export function requireSchemaVersion(version: string | null | undefined): void {
  if (version == null || schemaVersions.includes(version)) return;
  const message = `There is no schema version ${version}; there is ${schemaVersions.join(', ')}.`;
  throw new WaypostError('invalid_request', 'The endpoint pins a schema version that does not exist.', {
    faults: [{ pointer: '/schema_version', code: 'unknown_version', message }],
  });
}

export function requireTransform(transform: string | null | undefined): void {
  const fault = transform == null ? null : transformFault(transform);
  if (fault !== null)
    throw new WaypostError('invalid_request', 'The transform cannot be used.', {
      faults: [{ pointer: '/transform', ...fault }],
    });
}

type WorthInput = NonNullable<EndpointPatch['worth_sending']>;

function idleRuleFaults({ latest_wins, time_to_live_s }: WorthInput[number], index: number): Fault[] {
  if (latest_wins === true || time_to_live_s != null) return [];
  const message = 'Say latest_wins: true, or a time_to_live_s, or leave the rule out.';
  return [{ pointer: `/worth_sending/${index}`, code: 'empty', message }];
}

export const worthOf = (rules: WorthInput | undefined): (WorthRule & { types: string[] })[] =>
  (rules ?? []).map(({ types, latest_wins = false, time_to_live_s = null }) => ({
    types,
    latest_wins,
    time_to_live_s,
  }));

export const namesOf = (headers: CustomHeaders | undefined) =>
  Object.keys(headers ?? {}).map((name) => name.toLowerCase());

export function requireHeaders(headers: CustomHeaders | undefined): void {
  const faults = headerFaults(headers);
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The endpoint has headers that cannot be sent.', { faults });
}

export function channelsFor(asked: readonly string[] | null | undefined, asker: Asker): string[] | null {
  if (asked == null) return asker.channel_ids === null ? null : [...asker.channel_ids];
  return [...asked];
}

/** What a key may not give to an endpoint that it does not have itself, and filters that let nothing through. */
export function requireUsable(after: Endpoint, asker: Asker, before?: Endpoint): void {
  if (after.rendering === 'personal' && before?.rendering !== 'personal' && !asker.may_read_contacts) {
    throw new WaypostError('forbidden', 'The rendering personal needs a key with the scope contacts:read.', {
      extra: { missing_scope: 'contacts:read' },
    });
  }
  if (after.types.length === 0 && after.topics.length === 0) {
    throw new WaypostError('invalid_request', 'An endpoint without types and topics would never be sent anything.', {
      faults: [{ pointer: '/types', code: 'empty', message: 'Name a type or a topic; "*" means every type.' }],
    });
  }
  if (!isVisible(after, asker.channel_ids)) {
    throw new WaypostError('invalid_request', 'The key is bound to channels and cannot ask for events of others.', {
      faults: [
        {
          pointer: '/channel_ids',
          code: 'unknown_channel',
          message: `The key is bound to ${asker.channel_ids?.join(', ')}.`,
        },
      ],
    });
  }
}

/** A key that is bound to channels sees the endpoints that send events of these only. */
export function isVisible(endpoint: Pick<Endpoint, 'channel_ids'>, bound: readonly string[] | null): boolean {
  if (bound === null) return true;
  return endpoint.channel_ids?.every((channel) => bound.includes(channel)) ?? false;
}
