// An endpoint as it is stored, and a change of it as the ledger takes it: one event, one row, one reply. Pure.

import { type Accepted, type Document, type EventDraft, type Instant, type Moment, SPREAD } from '../ledger/command.ts';
import { draftPlainEvent, plainDocument } from '../ledger/plain-event.ts';
import { diffDocuments } from '../ledger/resource-document.ts';
import type { Endpoint } from './endpoint.schema.ts';
import { endpointKind } from './endpoint.store.ts';
import type { SealedKeys } from './sealed-secret.ts';

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

/** `always`: also when nothing that is shown has changed. */
export function changeEndpoint(
  stored: StoredEndpoint,
  after: Endpoint,
  moment: Moment,
  type: string,
  always = false,
): Accepted {
  const changes = diffDocuments(stored.endpoint, after);
  if (!always && Object.keys(changes).length === 0) return keepEndpoint(stored);
  const endpoint = { ...after, version: stored.endpoint.version + 1, updated_at: moment.now };
  return acceptEndpoint({ ...stored, endpoint }, type, changes, 200);
}

/** Its new line, its event, and the reply that shows it. */
export function acceptEndpoint(
  stored: StoredEndpoint,
  type: string,
  changes: EventDraft['changes'],
  status: number,
): Accepted {
  const { endpoint } = stored;
  return {
    events: [draftPlainEvent({ type, document: documentOf(endpoint), changes, previous_hash: stored.hash })],
    puts: [{ kind: endpointKind as never, key: endpoint.id, value: stored, document_of: endpoint.id }],
    reply: { status, body: { [SPREAD]: 0 }, version: endpoint.version, location: null },
    config_changed: true,
  };
}

/** Nothing has changed: no event, and the endpoint as it is. */
export function keepEndpoint(stored: StoredEndpoint): Accepted {
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

function documentOf(endpoint: Endpoint): Document<Endpoint> {
  return plainDocument('endpoint', endpoint);
}

export function setStatus(
  endpoint: Endpoint,
  status: Endpoint['status'],
  reason: Endpoint['paused_reason'],
  now: Instant,
): void {
  endpoint.status = status;
  endpoint.status_since = now;
  endpoint.paused_reason = reason;
}
