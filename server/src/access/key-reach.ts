// How far a key reaches among keys: which ones it sees, and what it may give to those that it makes or changes. A key can
// never make, or get the secret of, a mightier one.

import { WaypostError } from '../errors.ts';
import { liesWithin } from '../http/network.ts';

/** What one key could have more of than another. */
export interface Might {
  readonly scopes: readonly string[];
  readonly authority: string;
  readonly channel_ids: readonly string[] | null;
  readonly ip_ranges: readonly string[] | null;
  readonly rate_limit_per_s: number | null;
}

/** A key that is bound to channels sees those that reach no other channel. */
export function seesKey(channelIds: readonly string[] | null, key: Pick<Might, 'channel_ids'>): boolean {
  if (channelIds === null) return true;
  return key.channel_ids?.every((id) => channelIds.includes(id)) ?? false;
}

/** Throws `forbidden` for what the holder cannot give. */
export function refuseGrowth(holder: Might, wanted: Might): void {
  const beyond = wanted.scopes.filter((scope) => !holder.scopes.includes(scope));
  if (beyond.length > 0)
    throw forbidden(`Your key does not hold ${beyond.join(', ')} and cannot give it away.`, beyond[0]);
  refuseOtherChannels(holder.channel_ids, wanted);
  if (wanted.authority !== holder.authority) refuseOtherAuthority(holder, wanted.authority);
  const { ip_ranges } = holder;
  if (ip_ranges !== null && !(wanted.ip_ranges?.every((range) => liesWithin(range, ip_ranges)) ?? false))
    throw forbidden(
      'Your key opens from some networks only and can only make keys for these: state `ip_ranges` within them.',
    );
  const limit = holder.rate_limit_per_s;
  if (limit !== null && (wanted.rate_limit_per_s === null || wanted.rate_limit_per_s > limit))
    throw forbidden(
      `Your key may make ${limit} requests a second and cannot make one that may make more: state \`rate_limit_per_s\`.`,
    );
}

export function refuseOtherChannels(channelIds: readonly string[] | null, wanted: Pick<Might, 'channel_ids'>): void {
  if (!seesKey(channelIds, wanted)) throw forbidden('Your key is bound to channels and can only make keys for these.');
}

/** Scopes and channels say how much may be written, authority in whose name: that needs a scope of its own. */
function refuseOtherAuthority(holder: Might, authority: string): void {
  if (holder.channel_ids !== null)
    throw forbidden(`Your key is bound to channels and can only make keys of its own authority, ${holder.authority}.`);
  if (!holder.scopes.includes('authorities:grant'))
    throw forbidden(
      `Your key has the authority ${holder.authority}: giving ${authority} needs the scope authorities:grant.`,
      'authorities:grant',
    );
}

function forbidden(detail: string, missingScope?: string): WaypostError {
  return new WaypostError('forbidden', detail, {
    ...(missingScope !== undefined && { extra: { missing_scope: missingScope } }),
  });
}
