// Making tenants: the word `tenant create`, and the first one of a new installation.

import { defaultScopes } from '../access/key.ts';
import { findFirstOrganization, insertOrganization, insertTenant, listTenants } from '../access/tenant.store.ts';
import { insertChannel } from '../channels/channel.store.ts';
import { newChannel } from '../channels/channel.ts';
import { StartError } from '../db/start-error.ts';
import { hubBook } from '../fleet/hub.store.ts';
import { createHubCommand, hubInputAt } from '../fleet/hub.ts';
import { mintId } from '../ledger/id.ts';
import { makeKey } from './keys.ts';
import { type Opened, whenThere } from './open.ts';
import { aloneInDatabase } from './operator.store.ts';
import { askedByOperator, asOperator, type Operator, withOperator } from './operator.ts';
import type { Told, WordCall } from './word.ts';

export interface HubPlace {
  name: string;
  lat: number;
  lng: number;
  time_zone: string;
}

export interface MadeTenant {
  name: string;
  tenant_id: string;
  channel_id: string;
  hub_id: string;
  test_key: string;
  live_key: string;
}

/** Where the hub of a tenant stands that was made without a word about it; `PATCH /v1/hubs/{id}` moves it. */
const FIRST_HUB: HubPlace = { name: 'Main hub', lat: 57.7089, lng: 11.9746, time_zone: 'Europe/Stockholm' };
const FIRST_ORGANIZATION = 'Main organization';
const FIRST_TENANT = 'Main tenant';
const FIRST_CHANNEL = 'Main channel';

export function createTenantByWord({ config, options, names, tell }: WordCall): Promise<Told> {
  const hub = options.hub === undefined ? FIRST_HUB : readHub(options.hub);
  const name = names[0] ?? '';
  if (name.trim() === '') throw new StartError('A tenant needs a name: waypost tenant create NAME.');
  return asOperator(config, tell, async (operator) => {
    const made = await createTenant(operator, name, hub);
    const { name: _, ...ids } = made;
    const lines = Object.entries(ids).map(([word, id]) => `${word.padEnd(10)} ${id}`);
    return { lines: [...lines, 'The keys are shown once.'], value: ids };
  });
}

/** On a database without any tenant: makes one with everything that a first request needs. Null when there is one. */
export async function makeFirstTenant(opened: Opened): Promise<MadeTenant | null> {
  return withOperator(opened, async (operator) => {
    // Only looking is done again when the database goes away: a tenant that was made half is told, not made twice.
    if ((await whenThere(true, () => listTenants(operator.sql))).length > 0) return null;
    return aloneInDatabase(operator.sql, async () => {
      if ((await listTenants(operator.sql)).length > 0) return null;
      return createTenant(operator, FIRST_TENANT, FIRST_HUB);
    });
  });
}

/** A tenant with a channel and a hub, each under one id in both worlds, and a key for each world. */
export async function createTenant(operator: Operator, name: string, hub: HubPlace): Promise<MadeTenant> {
  const now = new Date();
  const mint = (prefix: 'org' | 'ten' | 'chn' | 'hub') => mintId(prefix, now.getTime());
  let organization_id = await findFirstOrganization(operator.sql);
  if (organization_id === null) {
    organization_id = mint('org');
    await insertOrganization(operator.sql, { organization_id, name: FIRST_ORGANIZATION });
  }
  const tenant = await insertTenant(operator.sql, { organization_id, tenant_id: mint('ten'), name });
  const [channel_id, hub_id] = [mint('chn'), mint('hub')];
  const keys = { test: '', live: '' };
  for (const world of ['test', 'live'] as const) {
    const worldId = world === 'test' ? tenant.test_world_id : tenant.live_world_id;
    await insertChannel(operator.sql, worldId, newChannel(channel_id, FIRST_CHANNEL, hub_id, now.toISOString()));
    await makeHub(operator, worldId, hub, hub_id);
    const key = await makeKey(operator, worldId, world, {
      name: `First ${world} key`,
      scopes: defaultScopes,
      authority: 'source',
      channel_ids: null,
      expires_at: null,
    });
    keys[world] = key.secret;
  }
  operator.note('tenant create', [tenant.live_world_id, tenant.test_world_id], [tenant.tenant_id], { name });
  return { name, tenant_id: tenant.tenant_id, channel_id, hub_id, test_key: keys.test, live_key: keys.live };
}

async function makeHub(
  operator: Operator,
  worldId: number,
  { name, lat, lng, time_zone }: HubPlace,
  hub_id: string,
): Promise<void> {
  const command = createHubCommand(hubBook, {
    ...askedByOperator(worldId),
    input: hubInputAt(name, lat, lng, time_zone),
  });
  await operator.commit({
    ...command,
    decide: (set, moment) => command.decide(set, { ...moment, mint: () => hub_id }),
  });
}

/** NAME,LAT,LNG,TZ; the name may have commas itself. */
function readHub(text: string): HubPlace {
  const parts = text.split(',').map((part) => part.trim());
  const [lat = Number.NaN, lng = Number.NaN] = parts
    .slice(-3, -1)
    .map((part) => (part === '' ? Number.NaN : Number(part)));
  const [name, time_zone] = [parts.slice(0, -3).join(', '), parts.at(-1) ?? ''];
  const isPlace = Math.abs(lat) <= 90 && Math.abs(lng) <= 180;
  if (name === '' || !isPlace)
    throw new StartError('--hub takes NAME,LAT,LNG,TZ, such as Harbour,57.70,11.94,Europe/Stockholm.');
  if (!isTimeZone(time_zone))
    throw new StartError(`--hub: there is no time zone "${time_zone}"; one is Europe/Stockholm.`);
  return { name, lat, lng, time_zone };
}

function isTimeZone(name: string): boolean {
  try {
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== null;
  } catch {
    return false;
  }
}
