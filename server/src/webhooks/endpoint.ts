// Endpoints: what they are, how they change, and when they may be sent to. Pure rules; the ledger calls them.

import { channelKind } from '../channels/channel.store.ts';
import { HTTP, namesOfCredentials } from '../destinations/destination-settings.ts';
import { WaypostError } from '../errors.ts';
import { patternFaults } from '../events/event-types.ts';
import type { Accepted, Document, EventDraft, Instant, Moment, WorkingSet } from '../ledger/command.ts';
import { SPREAD } from '../ledger/command.ts';
import { type Loads, refTo } from '../ledger/resource.ts';
import { diffDocuments } from '../ledger/resource-document.ts';
import { type CustomHeaders, headerFaults } from './custom-headers.ts';
import { defaults, ENDPOINTS_MAX, type Endpoint, type EndpointInput, type EndpointPatch } from './endpoint.schema.ts';
import { endpointCountKind, endpointKind } from './endpoint.store.ts';
import { isSamePlace, type Place, requireDestination } from './endpoint-place.ts';
import { isSameRevision, schemaVersions } from './message-format.ts';
import type { SealedKeys } from './sealed-secret.ts';
import { OVERLAP_DEFAULT_S } from './signing.ts';
import { transformFault } from './transform.ts';
import type { WorthRule } from './worth.ts';

/** A place in the log; `null` where it is that of the endpoint's own first event. */
export interface StartPlace {
  sequence: number;
  recorded_at: Instant;
}

/** A secret sealed under the server's key. */
export interface SealedSecret {
  key_id: string;
  sealed: Buffer;
}

/** A new Ed25519 key, sealed, with its public half. */
export interface NewSigningKey {
  sealed: Buffer;
  public_key: string;
}

/** An endpoint as it is loaded and written. */
export interface StoredEndpoint extends Pick<SealedKeys, 'previous_secret' | 'signing_key' | 'previous_signing_key'> {
  endpoint: Endpoint;
  deleted_at: Instant | null;
  /** Null: just after the event that made it. */
  start: StartPlace | null;
  secret: SealedSecret;
  /** Sealed; null: none. */
  headers: Buffer | null;
  /** What its destination wants to know, sealed; null: nothing. */
  credentials: Buffer | null;
  event_id: string | null;
  hash: string | null;
}

/** Who asks: what its key may do with endpoints. */
export interface Asker {
  channel_ids: readonly string[] | null;
  may_read_contacts: boolean;
}

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

function requireChannels(set: WorkingSet, channel_ids: readonly string[] | null | undefined): void {
  const faults = (channel_ids ?? []).flatMap((id, index) =>
    set.get(channelKind, id) === undefined
      ? [{ pointer: `/channel_ids/${index}`, code: 'unknown_channel', message: `There is no channel ${id}.` }]
      : [],
  );
  if (faults.length > 0)
    throw new WaypostError('unknown_reference', 'The request names a channel that does not exist.', { faults });
}

/** A misspelt name would never be sent anything, and nobody would be told; a rule that rules nothing is a slip. */
function requireKnownPatterns(input: Pick<EndpointPatch, 'types' | 'topics' | 'worth_sending'>): void {
  const faults = [
    ...(input.worth_sending ?? []).flatMap(worthFaults),
    ...patternFaults(input.types, (index) => `/types/${index}`),
    ...patternFaults(input.topics, (index) => `/topics/${index}`),
  ];
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The endpoint asks for events that do not exist.', { faults });
}

/** What is pinned must be there: nobody can be sent events in a form that was never written. */
function requireSchemaVersion(version: string | null | undefined): void {
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

function worthFaults({ types, latest_wins, time_to_live_s }: WorthInput[number], index: number) {
  const pointer = `/worth_sending/${index}`;
  const faults = patternFaults(types, (at) => `${pointer}/types/${at}`);
  if (latest_wins !== true && time_to_live_s == null)
    faults.push({
      pointer,
      code: 'empty',
      message: 'Say latest_wins: true, or a time_to_live_s, or leave the rule out.',
    });
  return faults;
}

const worthOf = (rules: WorthInput | undefined): (WorthRule & { types: string[] })[] =>
  (rules ?? []).map(({ types, latest_wins = false, time_to_live_s = null }) => ({
    types,
    latest_wins,
    time_to_live_s,
  }));

const namesOf = (headers: CustomHeaders | undefined) => Object.keys(headers ?? {}).map((name) => name.toLowerCase());

function requireHeaders(headers: CustomHeaders | undefined): void {
  const faults = headerFaults(headers);
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The endpoint has headers that cannot be sent.', { faults });
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
  const hasFilter = input.types !== undefined || input.topics !== undefined;
  const endpoint: Endpoint = {
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
    status_since: moment.now,
    paused_reason: null,
    verified_at: null,
    previous_secret_expires_at: null,
    revision: 1,
    version: 1,
    created_at: moment.now,
    updated_at: moment.now,
  };
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
  const accepted = accept(stored, 'endpoint.created', {}, 201);
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

/** A key that is bound to channels sees the endpoints that send events of these only. */
export function isVisible(endpoint: Pick<Endpoint, 'channel_ids'>, bound: readonly string[] | null): boolean {
  if (bound === null) return true;
  return endpoint.channel_ids?.every((channel) => bound.includes(channel)) ?? false;
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
  return change(kept, after, moment, 'endpoint.updated', headers !== undefined || credentials !== undefined);
}

export function pauseEndpoint(
  stored: StoredEndpoint,
  moment: Moment,
  reason: NonNullable<Endpoint['paused_reason']>,
): Accepted {
  if (stored.endpoint.status === 'paused') return unchanged(stored);
  const after = { ...stored.endpoint };
  setStatus(after, 'paused', reason, moment.now);
  return change(stored, after, moment, 'endpoint.paused');
}

/** Goes on where it stood; one that never answered a test is verified first. */
export function resumeEndpoint(stored: StoredEndpoint, moment: Moment): Accepted {
  if (stored.endpoint.status !== 'paused') return unchanged(stored);
  const after = { ...stored.endpoint };
  setStatus(after, after.verified_at === null ? 'unverified' : 'active', null, moment.now);
  return change(stored, after, moment, 'endpoint.resumed');
}

/** An endpoint.test was taken where `tested` has its messages go. One that is paused stays so, verified. */
export function verifyEndpoint(stored: StoredEndpoint, moment: Moment, tested: Place): Accepted {
  const before = stored.endpoint;
  if (!isSamePlace(before, tested) || before.verified_at !== null) return unchanged(stored);
  const after: Endpoint = { ...before, verified_at: moment.now };
  if (before.status === 'unverified') setStatus(after, 'active', null, moment.now);
  return change(stored, after, moment, 'endpoint.verified');
}

export function rotateSecret(
  stored: StoredEndpoint,
  moment: Moment,
  secret: SealedSecret,
  secret_text: string,
  overlap_s: number = OVERLAP_DEFAULT_S,
): Accepted {
  const expires_at = new Date(Date.parse(moment.now) + overlap_s * 1_000).toISOString();
  const after: Endpoint = { ...stored.endpoint, previous_secret_expires_at: overlap_s === 0 ? null : expires_at };
  const rotated = { ...stored, secret, previous_secret: overlap_s === 0 ? null : stored.secret.sealed };
  const accepted = change(rotated, after, moment, 'endpoint.secret_rotated', true);
  return {
    ...accepted,
    reply: { ...accepted.reply, body: { [SPREAD]: 0, secret: null }, secret: { secret: secret_text } },
  };
}

/** The key before goes on signing for the overlap. Where there was none yet, it can be handed out before it signs. */
export function rotateSigningKey(
  stored: StoredEndpoint,
  moment: Moment,
  { sealed, public_key }: NewSigningKey,
  overlap_s: number = OVERLAP_DEFAULT_S,
): Accepted {
  const [before] = stored.endpoint.public_keys;
  const expires_at = new Date(Date.parse(moment.now) + overlap_s * 1_000).toISOString();
  const old = before === undefined || overlap_s === 0 ? [] : [{ key: before.key, expires_at }];
  const after: Endpoint = { ...stored.endpoint, public_keys: [{ key: public_key, expires_at: null }, ...old] };
  const previous_signing_key = old.length === 0 ? null : stored.signing_key;
  return change({ ...stored, signing_key: sealed, previous_signing_key }, after, moment, 'endpoint.key_rotated', true);
}

export function deleteEndpoint(set: WorkingSet, stored: StoredEndpoint, moment: Moment): Accepted {
  const count = set.get(endpointCountKind, ENDPOINT_COUNT) ?? 1;
  const accepted = change(
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

function setStatus(
  endpoint: Endpoint,
  status: Endpoint['status'],
  reason: Endpoint['paused_reason'],
  now: Instant,
): void {
  endpoint.status = status;
  endpoint.status_since = now;
  endpoint.paused_reason = reason;
}

function channelsFor(asked: readonly string[] | null | undefined, asker: Asker): string[] | null {
  if (asked == null) return asker.channel_ids === null ? null : [...asker.channel_ids];
  return [...asked];
}

/** What a key may not give to an endpoint that it does not have itself, and filters that let nothing through. */
function requireUsable(after: Endpoint, asker: Asker, before?: Endpoint): void {
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

function change(stored: StoredEndpoint, after: Endpoint, moment: Moment, type: string, always = false): Accepted {
  const changes = diffDocuments(stored.endpoint, after);
  if (!always && Object.keys(changes).length === 0) return unchanged(stored);
  const endpoint = { ...after, version: stored.endpoint.version + 1, updated_at: moment.now };
  return accept({ ...stored, endpoint }, type, changes, 200);
}

function accept(stored: StoredEndpoint, type: string, changes: EventDraft['changes'], status: number): Accepted {
  const { endpoint } = stored;
  return {
    events: [
      {
        type,
        topics: [],
        data_id: endpoint.id,
        job_id: null,
        job_sequence: null,
        channel_id: null,
        document: documentOf(endpoint),
        changes,
        occurred_at: null,
        effective_at: null,
        implied: false,
        applied: true,
        causation_id: null,
        previous_hash: stored.hash,
      },
    ],
    puts: [{ kind: endpointKind as never, key: endpoint.id, value: stored, document_of: endpoint.id }],
    reply: { status, body: { [SPREAD]: 0 }, version: endpoint.version, location: null },
    config_changed: true,
  };
}

function unchanged(stored: StoredEndpoint): Accepted {
  const { endpoint } = stored;
  return {
    events: [],
    puts: [],
    reply: {
      status: 200,
      body: { [SPREAD]: 0 },
      version: endpoint.version,
      location: null,
      document: documentOf(endpoint),
      ...(stored.event_id !== null && { event_id: stored.event_id }),
    },
  };
}

/** Nothing in an endpoint is personal. */
function documentOf(endpoint: Endpoint): Document<Endpoint> {
  return { name: 'endpoint', value: endpoint, cut: (value) => value, cutChange: () => null };
}
