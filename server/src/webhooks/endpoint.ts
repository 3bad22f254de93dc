// Endpoints: what they are, how they change, and when they may be sent to. Pure rules; the ledger calls them.

import { channelKind } from '../channels/channel.store.ts';
import { HTTP, namesOfCredentials } from '../destinations/destination-settings.ts';
import { WaypostError } from '../errors.ts';
import { type Accepted, type Instant, type Moment, SPREAD, type WorkingSet } from '../ledger/command.ts';
import { type Loads, refTo } from '../ledger/resource.ts';
import { defaults, ENDPOINTS_MAX, type Endpoint, type EndpointInput, type EndpointPatch } from './endpoint.schema.ts';
import { endpointCountKind, endpointKind } from './endpoint.store.ts';
import {
  acceptEndpoint,
  changeEndpoint,
  keepEndpoint,
  type SealedSecret,
  type StartPlace,
  type StoredEndpoint,
  setStatus,
} from './endpoint-change.ts';
import {
  type Asker,
  channelsFor,
  isVisible,
  namesOf,
  requireChannels,
  requireHeaders,
  requireKnownPatterns,
  requireSchemaVersion,
  requireTransform,
  requireUsable,
  worthOf,
} from './endpoint-input.ts';
import type { NewSigningKey } from './endpoint-keys.ts';
import { isSamePlace, type Place, requireDestination } from './endpoint-place.ts';
import { isSameRevision } from './message-format.ts';

const ENDPOINT_COUNT = 'count';

export interface NewEndpoint {
  id: string;
  input: EndpointInput;
  start: StartPlace | null;
  secret: SealedSecret;
  /** Shown once. */
  secret_text: string;
  /** The headers and the credentials of the input, sealed. */
  headers: Buffer | null;
  credentials: Buffer | null;
  /** Null when the input asks for none. */
  signing_key: NewSigningKey | null;
}

/** The channels that are named must exist. */
const channelRefs = (channel_ids: readonly string[] | null | undefined) =>
  (channel_ids ?? []).map((id) => refTo(channelKind, id));

export function loadForCreate(channel_ids: readonly string[] | null = null): Loads {
  return [() => [refTo(endpointCountKind, ENDPOINT_COUNT), ...channelRefs(channel_ids)]];
}

export function loadOne(id: string, channel_ids: readonly string[] | null = null): Loads {
  return [() => [refTo(endpointKind, id), ...channelRefs(channel_ids)]];
}

export function loadForDelete(id: string): Loads {
  return [() => [refTo(endpointKind, id), refTo(endpointCountKind, ENDPOINT_COUNT)]];
}

export function createEndpoint(set: WorkingSet, moment: Moment, made: NewEndpoint, asker: Asker): Accepted {
  const count = set.get(endpointCountKind, ENDPOINT_COUNT) ?? 0;
  if (count >= ENDPOINTS_MAX) {
    throw new WaypostError('limit_reached', `A world has at most ${ENDPOINTS_MAX} endpoints; delete one first.`, {
      extra: { limit: ENDPOINTS_MAX },
    });
  }
  const { input } = made;
  requireKnownPatterns(input);
  requireHeaders(input.headers);
  requireSchemaVersion(input.schema_version);
  requireTransform(input.transform);
  requireChannels(set, input.channel_ids);
  const endpoint = draftEndpoint(made, asker, moment.now);
  requireDestination(endpoint);
  requireUsable(endpoint, asker);
  const stored: StoredEndpoint = {
    endpoint,
    deleted_at: null,
    start: made.start,
    secret: made.secret,
    previous_secret: null,
    signing_key: made.signing_key?.sealed ?? null,
    previous_signing_key: null,
    headers: made.headers,
    credentials: made.credentials,
    event_id: null,
    hash: null,
  };
  const accepted = acceptEndpoint(stored, 'endpoint.created', {}, 201);
  return {
    ...accepted,
    puts: [...accepted.puts, { kind: endpointCountKind as never, key: ENDPOINT_COUNT, value: count + 1 }],
    reply: {
      ...accepted.reply,
      body: { [SPREAD]: 0, secret: null },
      secret: { secret: made.secret_text },
      location: `/v1/endpoints/${made.id}`,
    },
  };
}

/** As it begins: what is not stated is as the defaults say, and it waits for the answer to its test. */
function draftEndpoint(made: NewEndpoint, asker: Asker, now: Instant): Endpoint {
  const { input } = made;
  const hasFilter = input.types !== undefined || input.topics !== undefined;
  return {
    id: made.id,
    url: input.url,
    description: input.description ?? null,
    types: hasFilter ? (input.types ?? []) : defaults.types,
    topics: input.topics ?? [],
    channel_ids: channelsFor(input.channel_ids, asker),
    tags: input.tags ?? null,
    format: input.format ?? defaults.format,
    schema_version: input.schema_version ?? null,
    transform: input.transform ?? null,
    ordering: input.ordering ?? defaults.ordering,
    order_patience_s: input.order_patience_s ?? defaults.order_patience_s,
    rendering: input.rendering ?? defaults.rendering,
    timeout_s: input.timeout_s ?? defaults.timeout_s,
    in_flight_max: input.in_flight_max ?? defaults.in_flight_max,
    rate_per_s: input.rate_per_s ?? null,
    header_names: namesOf(input.headers),
    destination: input.destination ?? HTTP,
    credential_names: namesOfCredentials(input.credentials),
    worth_sending: worthOf(input.worth_sending),
    signing: input.signing ?? defaults.signing,
    public_keys: made.signing_key === null ? [] : [{ key: made.signing_key.public_key, expires_at: null }],
    start_at: input.start_at ?? defaults.start_at,
    status: 'unverified',
    status_since: now,
    paused_reason: null,
    verified_at: null,
    previous_secret_expires_at: null,
    revision: 1,
    version: 1,
    created_at: now,
    updated_at: now,
  };
}

/** The endpoint, or 404: also when it sends events of channels that the key is not bound to. */
export function requireEndpoint(set: WorkingSet, id: string, asker: Asker): StoredEndpoint {
  const stored = set.get(endpointKind, id);
  if (stored === undefined || stored.deleted_at !== null || !isVisible(stored.endpoint, asker.channel_ids))
    throw noEndpoint(id);
  return stored;
}

export function noEndpoint(id: string): WaypostError {
  return new WaypostError('not_found', `There is no endpoint with the id ${id}.`);
}

const NOTHING_MADE = { headers: null, credentials: null, signing_key: null };

/** Changes members. A new URL has to be verified again: nothing is sent to a place that never answered. */
export function editEndpoint(
  set: WorkingSet,
  stored: StoredEndpoint,
  moment: Moment,
  { headers, credentials, worth_sending, ...patch }: EndpointPatch,
  asker: Asker,
  made: Pick<NewEndpoint, 'headers' | 'credentials' | 'signing_key'> = NOTHING_MADE,
): Accepted {
  const before = stored.endpoint;
  requireKnownPatterns({ ...patch, ...(worth_sending !== undefined && { worth_sending }) });
  requireHeaders(headers);
  requireSchemaVersion(patch.schema_version);
  requireTransform(patch.transform);
  requireChannels(set, patch.channel_ids);
  const after: Endpoint = { ...before, ...patch };
  if (headers !== undefined) after.header_names = namesOf(headers);
  if (worth_sending !== undefined) after.worth_sending = worthOf(worth_sending);
  // One that was made before goes on.
  const fresh = stored.signing_key === null ? made.signing_key : null;
  if (fresh !== null) after.public_keys = [{ key: fresh.public_key, expires_at: null }];
  const keyed = fresh === null ? stored : { ...stored, signing_key: fresh.sealed };
  if (credentials !== undefined) after.credential_names = namesOfCredentials(credentials);
  requireDestination(after);
  if (patch.channel_ids !== undefined) after.channel_ids = channelsFor(patch.channel_ids, asker);
  if (!isSameRevision(before, after)) after.revision = before.revision + 1;
  if (!isSamePlace(after, before)) {
    after.verified_at = null;
    if (after.status === 'active') setStatus(after, 'unverified', null, moment.now);
  }
  requireUsable(after, asker, before);
  // What they hold cannot be compared here: given, they are a change.
  const kept = { ...keyed };
  if (headers !== undefined) kept.headers = made.headers;
  if (credentials !== undefined) kept.credentials = made.credentials;
  return changeEndpoint(kept, after, moment, 'endpoint.updated', headers !== undefined || credentials !== undefined);
}

export function pauseEndpoint(
  stored: StoredEndpoint,
  moment: Moment,
  reason: NonNullable<Endpoint['paused_reason']>,
): Accepted {
  if (stored.endpoint.status === 'paused') return keepEndpoint(stored);
  const after = { ...stored.endpoint };
  setStatus(after, 'paused', reason, moment.now);
  return changeEndpoint(stored, after, moment, 'endpoint.paused');
}

/** Goes on where it stood; one that never answered a test is verified first. */
export function resumeEndpoint(stored: StoredEndpoint, moment: Moment): Accepted {
  if (stored.endpoint.status !== 'paused') return keepEndpoint(stored);
  const after = { ...stored.endpoint };
  setStatus(after, after.verified_at === null ? 'unverified' : 'active', null, moment.now);
  return changeEndpoint(stored, after, moment, 'endpoint.resumed');
}

/** An endpoint.test was taken where `tested` has its messages go. One that is paused stays so, verified. */
export function verifyEndpoint(stored: StoredEndpoint, moment: Moment, tested: Place): Accepted {
  const before = stored.endpoint;
  if (!isSamePlace(before, tested) || before.verified_at !== null) return keepEndpoint(stored);
  const after: Endpoint = { ...before, verified_at: moment.now };
  if (before.status === 'unverified') setStatus(after, 'active', null, moment.now);
  return changeEndpoint(stored, after, moment, 'endpoint.verified');
}

export function deleteEndpoint(set: WorkingSet, stored: StoredEndpoint, moment: Moment): Accepted {
  const count = set.get(endpointCountKind, ENDPOINT_COUNT) ?? 1;
  const accepted = changeEndpoint(
    { ...stored, deleted_at: moment.now },
    { ...stored.endpoint },
    moment,
    'endpoint.deleted',
    true,
  );
  return {
    ...accepted,
    puts: [...accepted.puts, { kind: endpointCountKind as never, key: ENDPOINT_COUNT, value: count - 1 }],
    reply: { status: 204, body: null, version: null, location: null },
  };
}

/** The instant before which no event is sent, where an endpoint names one that may have been yet to come; else null. */
export function startOf({ start_at }: Pick<Endpoint, 'start_at'>): Instant | null {
  return typeof start_at === 'string' && start_at.endsWith('Z') ? start_at : null;
}
