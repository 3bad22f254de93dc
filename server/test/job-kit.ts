// What tests of jobs share: a server with a tenant, keys of several authorities, and short words to call it.

import { defaultScopes } from '../src/access/key.ts';
import { insertChannel } from '../src/channels/channel.store.ts';
import { newChannel } from '../src/channels/channel.ts';
import { mintId } from '../src/ledger/id.ts';
import { makeKey } from '../src/operate/keys.ts';
import { watchReplies } from './conformance.ts';
import { givenTenant, operateOn, startServer, type TestServer } from './server.ts';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: replies are looked into freely by tests
  body: any;
  headers: Headers;
}

export interface JobServer {
  server: TestServer;
  world_id: number;
  channel_id: string;
  /** A second channel of the same tenant. */
  other_channel_id: string;
  as: Record<'source' | 'dispatch' | 'recipient' | 'driver' | 'bound' | 'stranger' | 'reader' | 'plain', string>;
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  /** Default: source. Null: no key. */
  as?: keyof JobServer['as'] | null;
  headers?: Record<string, string>;
}

/** A server whose every reply is held against its OpenAPI document. */
export async function startJobServer(): Promise<JobServer> {
  const server = await startServer({ roles: ['api'] });
  await watchReplies(server.url);
  const stranger = await givenTenant(server.database, 'Stranger');
  const [world] = await server.database.sql<{ world_id: number }[]>`
    select world_id from worlds where tenant_id = ${server.tenant.tenant_id} and world = 'test'`;
  const world_id = world?.world_id ?? 0;
  const { channel_id } = server.tenant;
  const other_channel_id = mintId('chn', Date.now());
  await insertChannel(
    server.database.sql,
    world_id,
    newChannel(other_channel_id, 'Other', null, new Date().toISOString()),
  );
  const key = async (
    authority: string,
    scopes: readonly string[] = defaultScopes,
    channel_ids: string[] | null = null,
  ) => {
    const made = await operateOn(server.database, (operator) =>
      makeKey(operator, world_id, 'test', {
        name: authority,
        scopes: [...scopes],
        authority,
        channel_ids,
        expires_at: null,
      }),
    );
    return made.secret;
  };
  const as = {
    source: server.tenant.test_key,
    dispatch: await key('dispatch'),
    recipient: await key('recipient'),
    driver: await key('driver'),
    bound: await key('source', defaultScopes, [channel_id]),
    stranger: stranger.test_key,
    reader: await key('source', ['jobs:read', 'contacts:read']),
    plain: await key(
      'source',
      defaultScopes.filter((scope) => scope !== 'contacts:read'),
    ),
  };
  async function call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const who = options.as === undefined ? 'source' : options.as;
    const headers: Record<string, string> = { ...options.headers };
    if (who !== null) headers.authorization = `Bearer ${as[who]}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const reply = await fetch(server.url + path, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return { status: reply.status, body: text === '' ? undefined : JSON.parse(text), headers: reply.headers };
  }
  return { server, world_id, channel_id, other_channel_id, as, call };
}

/** The smallest order that is complete, as plain data that a test may change. */
// biome-ignore lint/suspicious/noExplicitAny: tests break it in every way
export function orderOf(reference: string, channel_id: string): any {
  return {
    reference,
    channel_id,
    priority: 'standard',
    deliveries: [deliveryOf()],
  };
}

// biome-ignore lint/suspicious/noExplicitAny: tests break it in every way
export function deliveryOf(): any {
  return {
    service_window: { start: '2030-11-21T13:00:00Z', end: '2030-11-21T15:00:00Z' },
    address: {
      line1: 'Storgatan 1',
      city: 'Göteborg',
      postal_code: '411 24',
      country: 'SE',
      location: { lat: 57.7066, lng: 11.9672 },
      precision: 'rooftop',
      access: { notes: 'Ring twice' },
    },
    contact: { name: 'A. Berg', phone: '+46701234567', contact_policy: { ways: ['sms'], language: 'sv' } },
    proof_requirements: { on_completion: { photo: { level: 'required' } }, on_failure: {} },
    items: [{ name: 'Parcel', quantity: 1, weight_g: 1200 }],
  };
}
