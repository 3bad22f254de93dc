// What a message is called in a broker. Pure.

import type { Subject } from './destination.ts';

/** Of each tenant, world and type of event, so that brokers can give each to whom it is for: `waypost.ten_….live.job.created`. */
export function subjectOf({ tenant_id, type }: Subject, world: 'live' | 'test'): string {
  return `waypost.${tenant_id}.${world}.${type}`;
}
