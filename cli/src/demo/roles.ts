// The systems that take part in a day, each with a key of its own: what it may do, and as whom it speaks. A line belongs
// here if it says what a role may do or gets a key for it.

import type { Waypost } from '@waypost/sdk';
import type { KeyInput } from '@waypost/sdk/keys';

export type Role = 'source' | 'dispatch' | 'driver';
export type RoleKeys = Record<Role, string>;

/** No more than each needs. */
export const roleScopes = {
  source: ['jobs:read', 'jobs:write'],
  dispatch: [
    'jobs:read',
    'jobs:write',
    'dispatch:write',
    'execution:write',
    'exceptions:read',
    'exceptions:write',
    'contacts:read',
    'fleet:read',
    'fleet:write',
    'events:read',
    'webhooks:read',
    'webhooks:admin',
  ],
  driver: ['jobs:read', 'execution:write'],
} as const satisfies Record<Role, KeyInput['scopes']>;

export const roles = Object.keys(roleScopes) as readonly Role[];

/** Makes the keys on somebody's server; `revoke` ends them again. */
export async function makeRoleKeys(client: Waypost): Promise<{ keys: RoleKeys; revoke(): Promise<void> }> {
  const made: { id: string; secret: string }[] = [];
  for (const role of roles) {
    const key = await client.keys.create({ name: `demo ${role}`, scopes: [...roleScopes[role]], authority: role });
    if (key.secret === null) throw new Error('The server does not show the secret of a new key.');
    made.push({ id: key.id, secret: key.secret });
  }
  const [source = '', dispatch = '', driver = ''] = made.map((key) => key.secret);
  return {
    keys: { source, dispatch, driver },
    async revoke() {
      for (const { id } of made) await client.keys.revoke(id);
    },
  };
}
