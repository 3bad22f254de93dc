// Every name that an event can go by: its type, and the topics that say what happened. A name belongs here as soon as
// something writes it to the log; a filter that fits none of them would wait for ever and is refused.

import { nearestWord } from '../http/suggestion.ts';
import { compilePatterns } from './filter.ts';

export const eventTypes = [
  'address.created',
  'address.deleted',
  'address.updated',
  'channel.created',
  'channel.updated',
  'consumer.created',
  'consumer.deleted',
  'customer.created',
  'customer.erased',
  'customer.updated',
  'driver.created',
  'driver.deleted',
  'driver.updated',
  'endpoint.created',
  'endpoint.deleted',
  'endpoint.events_expired',
  'endpoint.events_expiring',
  'endpoint.key_rotated',
  'endpoint.paused',
  'endpoint.redrive_cancelled',
  'endpoint.redrive_requested',
  'endpoint.replay_cancelled',
  'endpoint.replay_completed',
  'endpoint.replay_requested',
  'endpoint.resumed',
  'endpoint.secret_rotated',
  // Sent to one endpoint on request, whatever its filter; in no log.
  'endpoint.test',
  'endpoint.updated',
  'endpoint.verified',
  'hub.created',
  'hub.deleted',
  'hub.updated',
  'job.created',
  'job.deleted',
  'job.delivery.updated',
  'job.pickup.updated',
  'job.updated',
  'key.created',
  'key.revoked',
  'key.rotated',
  'key.updated',
  // Owed to every endpoint and every key, whatever its filter and its channels.
  'log.restored',
  'log.sealed',
  'proposal.accepted',
  'proposal.created',
  'proposal.declined',
  'vehicle.created',
  'vehicle.deleted',
  'vehicle.updated',
] as const;

export type EventType = (typeof eventTypes)[number];

export const eventTopics = [
  'delivery.arrived',
  'delivery.cancelled',
  'delivery.completed',
  'delivery.en_route',
  'delivery.failed',
  'exception.acknowledged',
  'exception.opened',
  'exception.resolved',
  'job.accepted',
  'job.assigned',
  'job.cancelled',
  'job.completed',
  'job.corrected',
  'job.failed',
  'job.partially_completed',
  'job.picked_up',
  'job.reopened',
  'job.rescheduled',
  'job.returned',
  'job.unassigned',
  'pickup.arrived',
  'pickup.cancelled',
  'pickup.completed',
  'pickup.en_route',
  'pickup.failed',
  'proof.captured',
  'proof.superseded',
] as const;

export interface UnknownPattern {
  /** Where it stands in the list that was asked about. */
  index: number;
  pattern: string;
  /** The pattern that was most likely meant; null when none is near. */
  suggestion: string | null;
}

const names: readonly string[] = [...eventTypes, ...eventTopics];
const beginnings: readonly string[] = [...new Set(names.flatMap(beginningsOf))];

/** The patterns that fit no type and no topic. */
export function findUnknownPatterns(patterns: readonly string[]): UnknownPattern[] {
  return patterns.flatMap((pattern, index) => {
    if (names.some(compilePatterns([pattern]))) return [];
    const candidates = pattern.endsWith('.*') ? beginnings : [...names, ...beginnings];
    return [{ index, pattern, suggestion: nearestWord(pattern, candidates) }];
  });
}

/** What a caller is told about each of them; `pointerOf` says where it stands in the request. */
export function patternFaults(patterns: readonly string[] | undefined, pointerOf: (index: number) => string) {
  return findUnknownPatterns(patterns ?? []).map(({ index, pattern, suggestion }) => ({
    pointer: pointerOf(index),
    code: 'unknown_event',
    message: `No event is called "${pattern}"${suggestion === null ? '' : `; did you mean "${suggestion}"?`}`,
  }));
}

/** `job.pickup.updated` → `job.*`, `job.pickup.*`. */
function beginningsOf(name: string): string[] {
  const parts = name.split('.');
  return parts.slice(1).map((_, index) => `${parts.slice(0, index + 1).join('.')}.*`);
}
