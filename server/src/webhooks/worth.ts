// Which messages are worth sending: of some types only the newest about a subject, or only within a time. A line belongs
// here if it decides that from the endpoint's rules and the event; the present time is an argument.

import { compilePatterns } from '../events/filter.ts';

export const WORTH_RULES_MAX = 20;
export const TIME_TO_LIVE_MAX_S = 30 * 86_400;

export interface WorthRule {
  types: readonly string[];
  latest_wins: boolean;
  time_to_live_s: number | null;
}

/** What of an event decides. */
export interface Weighed {
  type: string;
  topics: readonly string[];
  data_id: string;
  recorded_at: string;
}

export interface Worth {
  /** A newer message with the same subject makes this one outdated; null: nothing does. */
  subject: string | null;
  /** In milliseconds; null: never. */
  expires_at: number | null;
}

export const WORTH_FOR_EVER: Worth = { subject: null, expires_at: null };

/**
 * Compiles rules once for many events. The first that names an event decides: by its type, or by its topics when all of
 * them are named, so that nothing else that it says is lost.
 */
export function compileWorth(rules: readonly WorthRule[]): (event: Weighed) => Worth {
  if (rules.length === 0) return isWorthItForEver;
  const compiled = rules.map((rule) => ({ ...rule, fits: compilePatterns(rule.types) }));
  return (event) => {
    for (const { fits, latest_wins, time_to_live_s } of compiled) {
      const isByType = fits(event.type);
      if (!isByType && (event.topics.length === 0 || !event.topics.every(fits))) continue;
      const said = isByType ? '' : event.topics.join(' ');
      return {
        subject: latest_wins ? `${event.data_id} ${event.type} ${said}`.trimEnd() : null,
        expires_at: time_to_live_s === null ? null : Date.parse(event.recorded_at) + time_to_live_s * 1_000,
      };
    }
    return WORTH_FOR_EVER;
  };
}

export type LeftOutReason = 'superseded' | 'expired';

const isWorthItForEver = () => WORTH_FOR_EVER;

/** Why a message is not sent at a time, or null. What is sent again on request is always worth it. */
export function reasonToLeaveOut(
  message: { expires_at: number | null; superseded_by: number | null },
  at: number,
): LeftOutReason | null {
  if (message.superseded_by !== null) return 'superseded';
  return message.expires_at !== null && at >= message.expires_at ? 'expired' : null;
}
