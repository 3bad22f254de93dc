// What all routes about endpoints share: who may see which endpoint, a command about one, a new secret.

import { randomBytes } from 'node:crypto';
import type { Sql } from '../db/sql.ts';
import type { Resolve } from '../destinations/checked-address.ts';
import type { Credentials } from '../destinations/destination.schema.ts';
import type { EgressRules } from '../destinations/egress.ts';
import type { Call, Caller } from '../http/operation.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Accepted, Moment, WorkingSet } from '../ledger/command.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { requireVersion } from '../ledger/resource.ts';
import { closed } from '../parties/fields.ts';
import type { CustomHeaders } from './custom-headers.ts';
import { EndpointId } from './endpoint.schema.ts';
import { type FoundEndpoint, findEndpoint, listEndpointChannels } from './endpoint.store.ts';
import { loadOne, noEndpoint, requireEndpoint } from './endpoint.ts';
import type { StoredEndpoint } from './endpoint-change.ts';
import { type Asker, isVisible } from './endpoint-input.ts';
import type { NewSigningKey } from './endpoint-keys.ts';
import type { EndpointTester } from './endpoint-tester.ts';
import { sealCredentials, sealHeaders, sealSecret, sealSigningKey, secretKeyId } from './sealed-secret.ts';
import {
  readSigningKey,
  SECRET_BYTES,
  SIGNING_KEY_BYTES,
  type Signing,
  writePublicKey,
  writeSecret,
  writeSigningKey,
} from './signing.ts';

export interface EndpointDesk {
  reads: Sql;
  ledger: Pick<Ledger, 'commit'>;
  egress: EgressRules;
  resolve: Resolve;
  tester: EndpointTester;
}

export const endpointTag = 'endpoints';
export const endpointPath = closed({ endpoint_id: EndpointId });

export function askerOf(caller: Caller): Asker {
  return { channel_ids: caller.channel_ids, may_read_contacts: caller.scopes.has('contacts:read') };
}

/** The endpoint as this caller may see it, or 404. */
export async function findVisible(reads: Sql, caller: Caller, id: string): Promise<FoundEndpoint> {
  const found = await findEndpoint(reads, caller.world_id, id);
  if (found === null || !isVisible(found.endpoint, caller.channel_ids)) throw noEndpoint(id);
  return found;
}

/** The ids of the endpoints that this caller may see; null: all. */
export async function visibleTo(reads: Sql, caller: Caller): Promise<string[] | null> {
  if (caller.channel_ids === null) return null;
  const endpoints = await listEndpointChannels(reads, caller.world_id);
  return endpoints.filter((endpoint) => isVisible(endpoint, caller.channel_ids)).map(({ id }) => id);
}

/** A command about one endpoint, for the version that the caller saw. */
export function changeOf(
  call: Call<never, never, never> | Call,
  name: string,
  id: string,
  decide: (stored: StoredEndpoint, moment: Moment, set: WorkingSet) => Accepted,
  load = loadOne(id),
) {
  return commandOf(call as Call, name, load, (set, moment) => {
    const stored = requireEndpoint(set, id, askerOf(call.caller));
    requireVersion(stored.endpoint, call.if_match);
    return decide(stored, moment, set);
  });
}

/** Null for none. */
export function headersOf(
  desk: EndpointDesk,
  world_id: number,
  endpoint_id: string,
  headers: CustomHeaders | undefined,
): Buffer | null {
  return sealHeaders(desk.tester.secretKey, { world_id, endpoint_id }, headers ?? {});
}

/** Null for none. */
export function credentialsOf(
  desk: EndpointDesk,
  world_id: number,
  endpoint_id: string,
  credentials: Credentials | undefined,
): Buffer | null {
  return sealCredentials(desk.tester.secretKey, { world_id, endpoint_id }, credentials ?? {});
}

export function newSecret(desk: EndpointDesk, world_id: number, endpoint_id: string) {
  const secret_text = writeSecret(randomBytes(SECRET_BYTES));
  const { secretKey } = desk.tester;
  const sealed = sealSecret(secretKey, { world_id, endpoint_id }, secret_text);
  return { secret_text, secret: { key_id: secretKeyId(secretKey), sealed } };
}

/** The private half is never written anywhere but sealed. */
export function newSigningKey(desk: EndpointDesk, world_id: number, endpoint_id: string): NewSigningKey {
  const text = writeSigningKey(randomBytes(SIGNING_KEY_BYTES));
  const sealed = sealSigningKey(desk.tester.secretKey, { world_id, endpoint_id }, text);
  return { sealed, public_key: writePublicKey(readSigningKey(text)) };
}

/** The key that a request needs which says how to sign; null when it needs none. Whether there is one already is decided later. */
export function signingKeyFor(
  desk: EndpointDesk,
  world_id: number,
  endpoint_id: string,
  signing: Signing | undefined,
): NewSigningKey | null {
  return signing === undefined || signing === 'hmac' ? null : newSigningKey(desk, world_id, endpoint_id);
}
