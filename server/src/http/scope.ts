// What a caller may do: one table of scopes, and the check that names the missing one. Keys are given scopes in the
// access room; a line belongs here if it is about what a scope is.

import { WaypostError } from '../errors.ts';

/** Scope → what it allows. Part of the contract: the OpenAPI document lists them. */
export const scopes = {
  'jobs:read': 'Read jobs, their tasks, visits and history.',
  'jobs:write': 'Create, change, cancel and delete jobs.',
  'execution:write': 'Report what happens on the road: transitions of tasks, proof, visits.',
  'dispatch:write': 'Assign jobs to drivers and take them away.',
  'contacts:read': 'See phone numbers and e-mail addresses in full.',
  'customers:read': 'Read customers and addresses.',
  'customers:write': 'Create, change and erase customers and addresses.',
  'fleet:read': 'Read drivers, vehicles and hubs.',
  'fleet:write': 'Create, change and delete drivers, vehicles and hubs.',
  'proofs:read': 'Read proof of what happened at the door.',
  'exceptions:read': 'Read exceptions.',
  'exceptions:write': 'Acknowledge and resolve exceptions.',
  'events:read': 'Read the log of events.',
  'consumers:write': 'Make, read as, acknowledge for and delete named consumers of the log.',
  'webhooks:read': 'Read endpoints, messages and attempts.',
  'webhooks:admin': 'Create, change and delete endpoints, rotate their secrets, redrive dead letters, replay events.',
  'channels:read': 'Read channels and their settings.',
  'channels:admin': 'Create and change channels and their settings.',
  'audit:read': 'Read who did what, who was refused, and to whom personal values were shown.',
  'keys:admin': 'Create, change, rotate and revoke API keys.',
  'authorities:grant': "Give API keys another authority than one's own; only without being bound to channels.",
} as const satisfies Record<string, string>;

export type Scope = keyof typeof scopes;

export function isScope(text: string): text is Scope {
  return Object.hasOwn(scopes, text);
}

/** Refuses a caller whose key lacks the scope, naming it. */
export function requireScope(caller: { scopes: ReadonlySet<string> }, scope: Scope): void {
  if (caller.scopes.has(scope)) return;
  throw new WaypostError('forbidden', `This needs the scope ${scope}, which the API key does not have.`, {
    extra: { missing_scope: scope },
  });
}
