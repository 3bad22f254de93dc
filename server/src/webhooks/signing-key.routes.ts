// The Ed25519 keys that messages are verified with: shown to whoever knows the endpoint, and made anew.

import Type from 'typebox';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { closed } from '../parties/fields.ts';
import { EndpointSchema, PUBLIC_KEY_EXAMPLE, RotateInput } from './endpoint.schema.ts';
import { findPublicKeys } from './endpoint.store.ts';
import { noEndpoint } from './endpoint.ts';
import { changeOf, type EndpointDesk, endpointPath, endpointTag, newSigningKey } from './endpoint-desk.routes.ts';
import { endpointExample } from './endpoint-example.ts';
import { rotateSigningKey } from './endpoint-keys.ts';
import { jwkOf } from './signing.ts';

/** A receiver that asks again this often has a new key long before the old one ends. */
const CACHED_S = 300;

const Jwks = closed(
  {
    keys: Type.Array(
      closed({
        kty: Type.Literal('OKP'),
        crv: Type.Literal('Ed25519'),
        alg: Type.Literal('EdDSA'),
        use: Type.Literal('sig'),
        kid: Type.String({ description: 'The same key as Standard Webhooks write it: `whpk_…`.' }),
        x: Type.String({ description: 'The public key, base64url.' }),
      }),
    ),
  },
  { $id: 'PublicKeys', description: 'A JSON Web Key Set (RFC 7517), the newest key first.' },
);

export function signingKeyOperations(desk: EndpointDesk): Operation[] {
  return [getPublicKeys(desk), postRotateKey(desk)];
}

function getPublicKeys({ reads, tester }: EndpointDesk): Operation {
  return operation({
    operation_id: 'get_public_keys',
    method: 'GET',
    path: '/public-keys/{endpoint_id}',
    tag: endpointTag,
    summary: 'Get the keys that messages of an endpoint are verified with',
    description: `For receivers, without an API key. Ask again when no key fits, and at most every ${CACHED_S / 60} minutes. Empty when messages are signed with the secret only.`,
    scope: null,
    path_params: endpointPath,
    replies: { 200: { description: 'All keys that sign now.', schema: Jwks } },
    errors: ['not_found'],
    reply_example: { keys: [jwkOf(PUBLIC_KEY_EXAMPLE)] },
    async run({ path }) {
      const found = await findPublicKeys(reads, path.endpoint_id);
      if (found === null) throw noEndpoint(path.endpoint_id);
      const live = found.filter(({ expires_at }) => expires_at === null || Date.parse(expires_at) > tester.now());
      const headers = { 'cache-control': `public, max-age=${CACHED_S}` };
      return { status: 200, body: { keys: live.map(({ key }) => jwkOf(key)) }, headers };
    },
  });
}

function postRotateKey(desk: EndpointDesk): Operation {
  return operation({
    operation_id: 'rotate_endpoint_key',
    method: 'POST',
    path: '/v1/endpoints/{endpoint_id}/rotate-key',
    tag: endpointTag,
    summary: 'Make a new Ed25519 key',
    description:
      'For the overlap messages carry the signatures of both keys. While `signing` is `hmac` nothing is signed with it yet: receivers can fetch it first.',
    scope: 'webhooks:admin',
    path_params: endpointPath,
    body: RotateInput,
    replies: { 200: { description: 'The endpoint with its new public key.', schema: EndpointSchema } },
    errors: ['not_found', 'stale_version'],
    body_example: { overlap_s: 86_400 },
    reply_example: {
      ...endpointExample,
      signing: 'ed25519',
      public_keys: [{ key: PUBLIC_KEY_EXAMPLE, expires_at: null }],
    },
    async run(call) {
      const id = call.path.endpoint_id;
      const made = newSigningKey(desk, call.caller.world_id, id);
      const command = changeOf(call as Call, 'endpoint.rotate_key', id, (stored, moment) =>
        rotateSigningKey(stored, moment, made, call.body.overlap_s),
      );
      return replyOf(await desk.ledger.commit(command), call.rendering);
    },
  });
}
