// The words of the operator about keys.

import { hostname } from 'node:os';
import { listKeys } from '../access/key.store.ts';
import { defaultScopes, type KeyInput, ROTATION_OVERLAP_MAX_S, ROTATION_OVERLAP_S } from '../access/key.ts';
import { policyOf } from '../access/key-age.ts';
import { createKeyCommand, revokeKeyCommand, rotateKeyCommand } from '../access/key-command.ts';
import type { Key } from '../access/key-document.ts';
import { type SeenKey, showKey } from '../access/key-view.ts';
import { makeSecret } from '../access/secret.ts';
import { CHANNELS_MAX } from '../channels/channel.schema.ts';
import { listChannels } from '../channels/channel.store.ts';
import type { Config } from '../config.ts';
import { StartError } from '../db/start-error.ts';
import { RATE_LIMIT_MAX_PER_S } from '../http/rate-limit.ts';
import { askedByOperator, asOperatorOf, chooseTenant, type Operator } from './operator.ts';
import { readServerFile } from './server-file.ts';
import type { Told, WordCall } from './word.ts';

const KEYS_LISTED_MAX = 1_000;
const DAY_MS = 86_400_000;

export type World = 'live' | 'test';
interface MadeKey extends Key {
  secret: string;
}

export function createKeyByWord({ config, options, names, tell }: WordCall): Promise<Told> {
  const world = readWorld(options.world);
  return asOperatorOf(config, tell, async (operator) => {
    const tenant = await chooseTenant(operator.sql, options.tenant);
    const worldId = worldIdOf(tenant, world);
    const channel_ids = splitList(options.channels);
    await requireChannels(operator, worldId, channel_ids, `${world} world of tenant ${tenant.tenant_id}`);
    const key = await makeKey(operator, worldId, world, {
      name: names[0] ?? '',
      scopes: splitList(options.scopes) ?? defaultScopes,
      authority: options.authority ?? 'source',
      channel_ids,
      ip_ranges: splitList(options['ip-ranges']),
      rate_limit_per_s: readRate(options['rate-limit']),
      expires_at: readExpiry(options.expires, new Date()),
    });
    operator.note('key create', [worldIdOf(tenant, world)], [key.id]);
    return tellKey(key, `Made the ${world} key ${key.id} of tenant ${tenant.tenant_id}.`);
  });
}

export function listKeysByWord({ config, options, tell }: WordCall): Promise<Told> {
  const world = readWorld(options.world);
  return asOperatorOf(config, tell, async ({ sql }) => {
    const tenant = await chooseTenant(sql, options.tenant);
    const rows = await listKeys(sql, worldIdOf(tenant, world), null, null, KEYS_LISTED_MAX);
    const keys = rows.map((row) => showKey(row, policyOf(config), Date.now()));
    const lines = keys.map((key) => {
      const { id, prefix, name, authority, last_used_at, last_used_from } = key;
      const use = last_used_at === null ? 'never used' : `used ${last_used_at} from ${last_used_from ?? 'unknown'}`;
      return `${id}  ${prefix}…  ${name}  ${authority}  ${describeEnd(key)}  ${use}`;
    });
    return { lines: lines.length > 0 ? lines : [`Tenant ${tenant.tenant_id} has no ${world} key.`], value: { keys } };
  });
}

function describeEnd({ revoked_at, expires_at, rotate_by, warnings }: SeenKey): string {
  if (revoked_at !== null) return `revoked ${revoked_at}`;
  const end = expires_at === null ? 'no end' : `expires ${expires_at}`;
  return warnings.length > 0 && rotate_by !== null ? `${end}, rotate by ${rotate_by}` : end;
}

export function revokeKeyByWord({ config, options, names, tell }: WordCall): Promise<Told> {
  const keyId = names[0] ?? '';
  return asOperatorOf(config, tell, async (operator) => {
    const worldId = worldIdOf(await chooseTenant(operator.sql, options.tenant), readWorld(options.world));
    const key = await operator.commit<Key>(revokeKeyCommand(askedByOperator(worldId), keyId));
    operator.note('key revoke', [worldId], [key.id]);
    return { lines: [`The key ${key.id} is revoked; every server refuses it within a second.`], value: key };
  });
}

export function rotateKeyByWord({ config, options, names, tell }: WordCall): Promise<Told> {
  const keyId = names[0] ?? '';
  const overlapS = readOverlap(options['overlap-s']);
  return asOperatorOf(config, tell, async (operator) => {
    const world = readWorld(options.world);
    const worldId = worldIdOf(await chooseTenant(operator.sql, options.tenant), world);
    const key = await operator.commit<MadeKey>(
      rotateKeyCommand(askedByOperator(worldId), keyId, makeSecret(world), overlapS),
    );
    operator.note('key rotate', [worldId], [keyId, key.id]);
    return tellKey(key, `Made the key ${key.id}; ${keyId} goes on for ${overlapS} s.`);
  });
}

/** Prints nothing but lines for a shell to evaluate. */
export function makeEnvironment({ config, options, tell }: WordCall): Promise<Told> {
  return asOperatorOf(config, tell, async (operator) => {
    const tenant = await chooseTenant(operator.sql, options.tenant);
    const name = options.name ?? `waypost env on ${hostname()}`.slice(0, 100);
    const channel_ids = await findOnlyChannel(operator, tenant.test_world_id);
    const make = (named: string, authority: string) =>
      makeKey(operator, tenant.test_world_id, 'test', {
        name: named,
        scopes: defaultScopes,
        authority,
        channel_ids,
        expires_at: null,
      });
    // Who sends orders does not own their execution: the whole loop takes two keys, as it does in life.
    const key = await make(name, 'source');
    const dispatch = await make(`${name.slice(0, 100 - ' (dispatch)'.length)} (dispatch)`, 'dispatch');
    operator.note('env', [tenant.test_world_id], [key.id, dispatch.id]);
    const url = await findUrl(config, tell);
    return {
      lines: [
        `export WAYPOST_URL=${quote(url)}`,
        `export WAYPOST_KEY=${quote(key.secret)}`,
        `export WAYPOST_DISPATCH_KEY=${quote(dispatch.secret)}`,
      ],
      value: { url, key: key.secret, key_id: key.id, dispatch_key: dispatch.secret, dispatch_key_id: dispatch.id },
    };
  });
}

/** A tenant with one channel gets a key that is bound to it, so that its orders need not name it. */
async function findOnlyChannel(operator: Operator, worldId: number): Promise<string[] | null> {
  const channels = await listChannels(operator.sql, worldId, null, null, 2);
  return channels.length === 1 ? channels.map((channel) => channel.id) : null;
}

/** A key for a channel that does not exist would open nothing, and nobody would be told. */
async function requireChannels(
  { sql }: Operator,
  worldId: number,
  asked: readonly string[] | null,
  where: string,
): Promise<void> {
  if (asked === null) return;
  const known = await listChannels(sql, worldId, null, null, CHANNELS_MAX);
  const missing = asked.filter((id) => !known.some((channel) => channel.id === id));
  if (missing.length === 0) return;
  const list = known.map(({ id, name }) => `${id} (${name})`).join(', ');
  throw new StartError(`The ${where} has no channel ${missing.join(', ')}. It has ${list}.`);
}

/** Makes a key through the ledger. */
export function makeKey(operator: Operator, worldId: number, world: World, input: KeyInput): Promise<MadeKey> {
  return operator.commit<MadeKey>(createKeyCommand(askedByOperator(worldId), input, makeSecret(world)));
}

function tellKey(key: MadeKey, sentence: string): Told {
  return { lines: [sentence, `  secret ${key.secret}  (shown once)`], value: key };
}

function worldIdOf(tenant: { live_world_id: number; test_world_id: number }, world: World): number {
  return world === 'live' ? tenant.live_world_id : tenant.test_world_id;
}

function readWorld(text: string | undefined): World {
  if (text === undefined || text === 'test') return 'test';
  if (text === 'live') return 'live';
  throw new StartError(`There is no world "${text}": --world takes test or live.`);
}

function splitList(text: string | undefined): string[] | null {
  return text === undefined ? null : text.split(',').map((word) => word.trim());
}

function readExpiry(text: string | undefined, now: Date): string | null {
  if (text === undefined) return null;
  const at = /^\d{1,5}$/.test(text) ? new Date(now.getTime() + Number(text) * DAY_MS) : new Date(text);
  if (Number.isNaN(at.getTime()))
    throw new StartError(`--expires takes a number of days or a time such as 2027-01-31T00:00:00Z, not "${text}".`);
  return at.toISOString();
}

function readRate(text: string | undefined): number | null {
  if (text === undefined) return null;
  const perS = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(perS <= RATE_LIMIT_MAX_PER_S))
    throw new StartError(`--rate-limit takes 1 to ${RATE_LIMIT_MAX_PER_S} requests a second.`);
  return perS;
}

function readOverlap(text: string | undefined): number {
  if (text === undefined) return ROTATION_OVERLAP_S;
  const seconds = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= ROTATION_OVERLAP_MAX_S))
    throw new StartError(`--overlap-s takes 0 to ${ROTATION_OVERLAP_MAX_S} seconds.`);
  return seconds;
}

async function findUrl(config: Config, tell: (sentence: string) => void): Promise<string> {
  const running = await readServerFile(config.dataDir);
  if (running !== null) return config.publicUrl ?? running.url;
  tell('No server runs here yet: start it with npm start.');
  const scheme = config.tlsCert === null ? 'http' : 'https';
  return (
    config.publicUrl ?? `${scheme}://${config.host.includes(':') ? `[${config.host}]` : config.host}:${config.port}`
  );
}

function quote(text: string): string {
  return /^[\w:/.@[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
