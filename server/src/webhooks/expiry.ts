// Telling an endpoint's owners that events which it was owed are gone, or will be. A line belongs here if it says what is
// told; who loses what is found in expiry.loop.ts.

import type { Accepted, Actor, Command, Moment, WorkingSet } from '../ledger/command.ts';
import { draftPlainEvent, plainDocument } from '../ledger/plain-event.ts';
import { refTo } from '../ledger/resource.ts';
import { endpointKind } from './endpoint.store.ts';
import { expiryKind } from './expiry.store.ts';

const actor: Actor = { type: 'system', id: 'waypost' };

/** Tells one note; does nothing when somebody has, so that any number of processes may ask for it. */
export function tellExpiryCommand(world_id: number, expiry_id: string, correlation_id: string): Command {
  return {
    name: 'endpoint.tell_expiry',
    world_id,
    actor,
    cause: 'rule',
    correlation_id,
    idempotency: null,
    load: [
      () => [refTo(expiryKind, expiry_id)],
      (set) => {
        const found = set.get(expiryKind, expiry_id);
        return found === undefined ? [] : [refTo(endpointKind, found.endpoint_id)];
      },
    ],
    decide: (set, moment) => tellExpiry(set, moment, expiry_id),
  };
}

function tellExpiry(set: WorkingSet, moment: Moment, expiry_id: string): Accepted {
  const reply = { status: 200, body: null, version: null, location: null };
  const found = set.get(expiryKind, expiry_id);
  if (found === undefined || found.is_told) return { events: [], puts: [], reply };
  const told = { kind: expiryKind as never, key: expiry_id, value: { ...found, is_told: true } };
  const stored = set.get(endpointKind, found.endpoint_id);
  if (stored === undefined || stored.deleted_at !== null) return { events: [], puts: [told], reply };
  const { replay_id, expires_at, from, to, lost, dead_letters } = found;
  const endpoint = { ...stored.endpoint, version: stored.endpoint.version + 1, updated_at: moment.now };
  const event = draftPlainEvent({
    type: expires_at === null ? 'endpoint.events_expired' : 'endpoint.events_expiring',
    document: plainDocument('endpoint', endpoint),
    details: expires_at === null ? { from, to, lost, dead_letters, replay_id } : { from, expires_at },
    previous_hash: stored.hash,
  });
  const kept = {
    kind: endpointKind as never,
    key: endpoint.id,
    value: { ...stored, endpoint },
    document_of: endpoint.id,
  };
  // Its sender begins again from where the cursor was moved to when the configuration changes.
  return { events: [event], puts: [told, kept], reply, config_changed: true };
}
