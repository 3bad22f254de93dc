import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { createKey } from '../src/access/key.ts';
import { makeSecret } from '../src/access/secret.ts';
import { insertOrganization, insertTenant } from '../src/access/tenant.store.ts';
import { openPool } from '../src/db/sql.ts';
import { fingerprintOf } from '../src/ledger/fingerprint.ts';
import { openLedger } from '../src/ledger/ledger.ts';
import { createSubjectKeys } from '../src/ledger/subject-keys.ts';
import { createDatabase } from './harness.ts';

test('commands of one batch get gapless numbers, and a repeated key is answered like the first', async (t) => {
  const db = await createDatabase();
  await insertOrganization(db.sql, { organization_id: 'org_1', name: 'One' });
  const tenant = await insertTenant(db.sql, { organization_id: 'org_1', tenant_id: 'ten_1', name: 'One' });
  const keys = createSubjectKeys(randomBytes(32));
  const reads = openPool(db.addresses.app, { name: 'reads', connectionsMax: 2 });
  const ledger = openLedger({ address: db.addresses.ledger, reads, keys, lanes: 1, constraints: {}, onFault: (_c, error) => console.error(error) });
  t.after(async () => { await ledger.stop(); await reads.end(); });
  const create = (name: string, key: string | null, body: unknown = { name }) =>
    ledger.commit({
      name: 'key.create', world_id: tenant.test_world_id, actor: { type: 'system', id: 'test' }, cause: 'api', correlation_id: 'c1',
      idempotency: key === null ? null : { client: 'x', key, fingerprint: fingerprintOf('POST', '/v1/keys', body), body },
      load: [],
      decide: (_set, moment) => createKey({ name, scopes: ['jobs:read'], authority: 'source', channel_ids: null, expires_at: null }, makeSecret('test'), moment),
    });
  const outcomes = await Promise.all(Array.from({ length: 300 }, (_, index) => create(`k${index}`, `key-${index % 250}`, { n: index % 250 })));
  assert.equal(outcomes.filter((outcome) => outcome.replayed).length, 50);
  const again = await create('k1', 'key-1', { n: 1 });
  assert.equal(again.replayed, true);
  console.log(outcomes[1]?.render('plain'), again.render('plain'));
  await assert.rejects(create('k1', 'key-1', { n: 2 }), { code: 'idempotency_mismatch' });
  const rows = await db.sql`select world_id, sequence, type, body from events where world_id = ${tenant.test_world_id} order by sequence`;
  assert.deepEqual(rows.map((row) => row.sequence), Array.from({ length: 250 }, (_, index) => index + 1));
  console.log(rows[0]?.body);
});
