// What `create` and `read` are compared with: the same HTTP server with the same route, schema and validation, which
// looks up the key in memory and answers a fixed reply of the usual size; and an empty route. No database.

import pino from 'pino';
import Type from 'typebox';
import { defaultScopes } from '../server/src/access/key.ts';
import { hashSecret, looksLikeSecret } from '../server/src/access/secret.ts';
import { WaypostError } from '../server/src/errors.ts';
import { JsonText, type KeyHolder } from '../server/src/http/operation.ts';
import { buildHttp } from '../server/src/http/server.ts';
import { jobOperations } from '../server/src/jobs/job.routes.ts';
import { makeJobExample } from '../server/src/jobs/job-example.ts';

const [secret = ''] = process.argv.slice(2);
const caller: KeyHolder = {
  world_id: 1,
  tenant_id: 'ten_bench',
  world: 'test',
  key_id: 'key_bench',
  scopes: new Set(defaultScopes),
  authority: 'source',
  channel_ids: null,
  rate_limit_per_s: null,
  api_version: '2026-11-01',
  key_due: null,
  actor: { type: 'api_key', id: 'key_bench' },
};
const callers = new Map([[hashSecret(secret).toString('hex'), caller]]);
const known = new Map<string, KeyHolder>();

function authenticate(authorization: string | undefined): KeyHolder {
  const given = authorization?.slice('Bearer '.length) ?? '';
  const found =
    known.get(given) ?? (looksLikeSecret(given) ? callers.get(hashSecret(given).toString('hex')) : undefined);
  if (found === undefined) throw new WaypostError('unauthorized', 'This API key does not exist.');
  known.set(given, found);
  return found;
}

const reply = JSON.stringify(makeJobExample());
// The desk is only used by `run`, which is replaced.
const [create] = jobOperations({} as Parameters<typeof jobOperations>[0]);
if (create?.operation_id !== 'create_job') throw new Error('the first operation on jobs is not create_job');
const http = buildHttp({
  fingerprintKey: new Uint8Array(32),
  operations: [
    {
      ...create,
      run: async () => ({ status: 201, body: new JsonText(reply), version: 1, location: '/v1/jobs/job_bench' }),
    },
    {
      operation_id: 'get_nothing',
      method: 'GET',
      path: '/v1/empty',
      tag: 'jobs',
      summary: 'Nothing',
      scope: 'jobs:read',
      replies: { 200: { description: 'Nothing.', schema: Type.Object({}) } },
      errors: [],
      run: async () => ({ status: 200, body: new JsonText('{}') }),
    },
  ],
  authenticate,
  log: pino({ level: 'error' }),
  publicUrl: null,
  findUnready: async () => [],
});
const { port } = await http.listen('127.0.0.1', 0);
process.send?.({ port });
process.on('disconnect', () => process.exit(0));
