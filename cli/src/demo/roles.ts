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

/** Who makes the keys of each role on somebody's server, and with which authority. */
type Makers = Readonly<Record<Role, { client: Waypost; authority: Role }>>;

/** A key that may grant authorities makes all of them. */
export function makersOf(client: Waypost): Makers {
  const maker = (authority: Role) => ({ client, authority });
  return { source: maker('source'), dispatch: maker('dispatch'), driver: maker('driver') };
}

/** Keys that give no more than they hold, as those of `waypost env`: who dispatches then reports for the drivers too. */
export function makersOfTwo(source: Waypost, dispatch: Waypost): Makers {
  const dispatching = { client: dispatch, authority: 'dispatch' } as const;
  return { source: { client: source, authority: 'source' }, dispatch: dispatching, driver: dispatching };
}

/** Makes the keys on somebody's server, for the orders of one channel; `revoke` ends them again. */
export async function makeRoleKeys(
  makers: Makers,
  channel_id: string,
): Promise<{ keys: RoleKeys; revoke(): Promise<void> }> {
  const revokes: (() => Promise<unknown>)[] = [];
  const make = async (role: Role): Promise<string> => {
    const { client, authority } = makers[role];
    const scopes = [...roleScopes[role]];
    const key = await client.keys.create({ name: `demo ${role}`, scopes, authority, channel_ids: [channel_id] });
    if (key.secret === null) throw new Error('The server does not show the secret of a new key.');
    revokes.push(() => client.keys.revoke(key.id));
    return key.secret;
  };
  return {
    keys: { source: await make('source'), dispatch: await make('dispatch'), driver: await make('driver') },
    async revoke() {
      for (const revoke of revokes) await revoke();
    },
  };
}
