// The ledger on a real database: numbers, idempotency, and what happens when statements, connections or other writers
// fail. API keys are the simplest thing that it writes, so they serve as the example.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { createKey, type KeyInput } from '../src/access/key.ts';
import { makeSecret } from '../src/access/secret.ts';
import { insertOrganization, insertTenant } from '../src/access/tenant.store.ts';
import { openPool } from '../src/db/sql.ts';
import { WaypostError } from '../src/errors.ts';
import { type Command, type Kind, type Outcome, refKey, type WorkingSet } from '../src/ledger/command.ts';
import type { EraseJournal } from '../src/ledger/erase-journal.ts';
import { openFingerprints } from '../src/ledger/fingerprint.ts';
import { type Ledger, openLedger } from '../src/ledger/ledger.ts';
import { createSubjectKeys } from '../src/ledger/subject-keys.ts';
import { createDatabase, type TestDatabase } from './harness.ts';

const input: KeyInput = {
  name: 'Shop',
  scopes: ['jobs:read'],
  authority: 'source',
  channel_ids: null,
  expires_at: null,
};

const fingerprintOf = openFingerprints(randomBytes(32));

interface Bench {
  db: TestDatabase;
  worldIds: number[];
  faults: unknown[];
  commit(command: Command): Promise<Outcome>;
  commitAll: Ledger['commitAll'];
}

async function setUp(t: TestContext, worlds = 2, journal: EraseJournal | null = null): Promise<Bench> {
  const db = await createDatabase();
  await insertOrganization(db.sql, { organization_id: 'org_1', name: 'One' });
  const worldIds: number[] = [];
  for (let index = 0; index < worlds / 2; index++) {
    const made = await insertTenant(db.sql, {
      organization_id: 'org_1',
      tenant_id: `ten_${index}`,
      name: `Tenant ${index}`,
    });
    worldIds.push(made.test_world_id, made.live_world_id);
  }
  const faults: unknown[] = [];
  const reads = openPool(db.addresses.app, { name: 'reads', connectionsMax: 2 });
  const ledger = openLedger({
    address: db.addresses.ledger,
    reads,
    keys: createSubjectKeys(randomBytes(32)),
    lanes: 1,
    journal,
    constraints: { keys_secret_hash_unique: 'limit_reached' },
    onFault: (_command, error) => faults.push(error),
  });
  t.after(async () => {
    await ledger.stop();
    await reads.end();
  });
  return { db, worldIds, faults, commit: ledger.commit, commitAll: ledger.commitAll };
}

function command(world_id: number, name: string, more: Partial<Command> = {}): Command {
  return {
    name: 'key.create',
    world_id,
    actor: { type: 'system', id: 'test' },
    cause: 'api',
    correlation_id: name,
    idempotency: null,
    load: [],
    decide: (_set, moment) => createKey({ ...input, name }, makeSecret('test'), null, moment),
    ...more,
  };
}

function keyed(world_id: number, name: string, key: string): Command {
  const body = { name };
  return command(world_id, name, {
    idempotency: {
      client: 'k',
      key,
      operation: 'POST /v1/keys',
      fingerprint: fingerprintOf('POST', '/v1/keys', body),
      body,
      api_version: '2026-11-01',
    },
  });
}

async function assertGapless(bench: Bench): Promise<number> {
  let total = 0;
  for (const world_id of bench.worldIds) {
    const rows = await bench.db.sql<{ sequence: number; recorded_at: Date }[]>`
      select sequence, recorded_at from events where world_id = ${world_id} order by sequence`;
    assert.deepEqual(
      rows.map((row) => row.sequence),
      rows.map((_row, index) => index + 1),
    );
    assert.ok(
      rows.every((row, index) => index === 0 || row.recorded_at >= (rows[index - 1]?.recorded_at ?? row.recorded_at)),
    );
    const [head] = await bench.db.sql<{ sequence: number }[]>`select sequence from heads where world_id = ${world_id}`;
    assert.equal(head?.sequence, rows.length);
    total += rows.length;
  }
  return total;
}

test('commands that arrive together share a transaction and get gapless numbers in each world', async (t) => {
  const bench = await setUp(t, 8);
  const outcomes = await Promise.all(
    Array.from({ length: 400 }, (_, index) => bench.commit(command(bench.worldIds[index % 8] as number, `k${index}`))),
  );
  assert.equal(outcomes.filter((outcome) => outcome.status === 201).length, 400);
  assert.equal(await assertGapless(bench), 400);
  const [batches] = await bench.db.sql`select count(distinct xmin::text)::int as count from events`;
  assert.ok(batches?.count < 100, `${batches?.count} transactions for 400 commands`);
});

test('commands of one queue keep their order when the first of them has to wait for the next batch', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0] = bench.worldIds;
  const kind: Kind<unknown> = { name: 'absent', load: async () => new Map() };
  let loads = 0;
  const waiting = (name: string): Partial<Command> => ({
    queue: 'q',
    // What it wants to see turns up only when it is tried the second time.
    load: [() => (loads++ === 0 ? [] : [{ kind, key: name }])],
    decide: (set, moment) => {
      set.get(kind, name);
      return createKey({ ...input, name }, makeSecret('test'), null, moment);
    },
  });
  const results = await bench.commitAll([
    command(world_id, 'before'),
    command(world_id, 'first', waiting('first')),
    command(world_id, 'second', { queue: 'q' }),
    command(world_id, 'other'),
  ]);
  assert.deepEqual(
    results.map((one) => one.status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
  const rows = await bench.db.sql<{ correlation_id: string }[]>`
    select correlation_id from events where world_id = ${world_id} order by sequence`;
  assert.deepEqual(
    rows.map((row) => row.correlation_id),
    ['before', 'other', 'first', 'second'],
  );
});

test('a refusal and a fault in one command leave its neighbours alone and write nothing', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0] = bench.worldIds;
  const results = await Promise.allSettled([
    bench.commit(command(world_id, 'a')),
    bench.commit(command(world_id, '')),
    bench.commit(
      command(world_id, 'x', {
        decide: () => {
          throw new TypeError('broken rule');
        },
      }),
    ),
    bench.commit(command(world_id, 'b')),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  );
  assert.equal(await assertGapless(bench), 2);
  assert.equal(bench.faults.length, 1);
});

test('a statement that fails is traced to its command: the others are written, it is answered from the constraint', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0] = bench.worldIds;
  const secret = makeSecret('test');
  const clash = (name: string) =>
    command(world_id, name, { decide: (_set, moment) => createKey({ ...input, name }, secret, null, moment) });
  await bench.commit(clash('first'));
  const results = await Promise.allSettled([
    bench.commit(command(world_id, 'a')),
    bench.commit(clash('second')),
    bench.commit(command(world_id, 'b')),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  const refused = results[1];
  assert.ok(
    refused?.status === 'rejected' && refused.reason instanceof WaypostError && refused.reason.code === 'limit_reached',
  );
  assert.equal(await assertGapless(bench), 3);
});

test('a key is executed once, in one batch and across batches, and its secret is told once', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0] = bench.worldIds;
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => bench.commit(keyed(world_id, 'a', 'key-1'))));
  const later = await bench.commit(keyed(world_id, 'a', 'key-1'));
  assert.equal(await assertGapless(bench), 1);
  assert.deepEqual(
    [...outcomes, later].map((outcome) => outcome.replayed),
    [false, ...Array.from({ length: 20 }, () => true)],
  );
  const secrets = [...outcomes, later].map((outcome) => JSON.parse(outcome.render('plain')).secret);
  assert.match(secrets[0], /^wp_test_/);
  assert.deepEqual(new Set(secrets.slice(1)), new Set([null]));
});

test('the same key with another request is refused and names what differs', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0] = bench.worldIds;
  await bench.commit(keyed(world_id, 'a', 'key-1'));
  await assert.rejects(bench.commit(keyed(world_id, 'b', 'key-1')), (error: WaypostError) => {
    assert.equal(error.code, 'idempotency_mismatch');
    assert.deepEqual(
      error.faults.map((fault) => fault.pointer),
      ['/name'],
    );
    return true;
  });
});

test('a refused request is decided anew under its key', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0] = bench.worldIds;
  await assert.rejects(
    bench.commit({
      ...keyed(world_id, 'a', 'key-1'),
      decide: () => ({ refusal: new WaypostError('forbidden', 'Not now.') }),
    }),
    { code: 'forbidden' },
  );
  assert.equal((await bench.commit(keyed(world_id, 'a', 'key-1'))).status, 201);
});

test('connections cut at random instants lose no acknowledged write and make none twice', async (t) => {
  const bench = await setUp(t, 4);
  const acknowledged: string[] = [];
  const unknown: string[] = [];
  let isCutting = true;
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    for (let index = 0; isCutting; index++) {
      const name = `w${writer}-${index}`;
      try {
        const outcome = await bench.commit(keyed(bench.worldIds[index % 4] as number, name, name));
        acknowledged.push(outcome.event_ids[0] as string);
      } catch {
        unknown.push(name);
      }
    }
  });
  for (let round = 0; round < 30; round++) {
    const target = acknowledged.length + 20 + (round % 7) * 9;
    while (acknowledged.length < target) await new Promise((resolve) => setImmediate(resolve));
    await bench.db
      .sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'waypost ledger' and datname = current_database()`;
  }
  isCutting = false;
  await Promise.all(writers);
  const total = await assertGapless(bench);
  const stored = await bench.db.sql<
    { event_id: string; correlation_id: string }[]
  >`select event_id, correlation_id from events`;
  const ids = new Set(stored.map((row) => row.event_id));
  assert.deepEqual(
    acknowledged.filter((id) => !ids.has(id)),
    [],
  );
  assert.equal(new Set(stored.map((row) => row.correlation_id)).size, total, 'no command was executed twice');
  assert.equal(total, acknowledged.length + stored.filter((row) => unknown.includes(row.correlation_id)).length);
});

test('a writer that freezes inside a transaction blocks its world for no longer than its session allows', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0] = bench.worldIds;
  const frozen = openPool(bench.db.addresses.ledger, {
    name: 'frozen',
    connectionsMax: 1,
    session: { idle_in_transaction_session_timeout: 1_000 },
  });
  const session = await frozen.reserve();
  await session`begin`;
  await session`select 1 from heads where world_id = ${world_id} for no key update`;
  t.after(() => frozen.end({ timeout: 0 }).catch(() => {}));
  const outcome = await bench.commit(command(world_id, 'a'));
  assert.equal(outcome.status, 201);
});

test('what a neighbour of the same batch leads to is loaded in the next one, not a fault', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0] = bench.worldIds;
  const nothing = async () => new Map();
  const pointerKind: Kind<string> = { name: 'pointer', load: nothing };
  const targetKind: Kind<string> = { name: 'target', load: nothing };
  const follow = (set: WorkingSet) => {
    const target = set.get(pointerKind, 'p');
    return target === undefined ? [] : [{ kind: targetKind as Kind<unknown>, key: target }];
  };
  const results = await Promise.all([
    bench.commit(
      command(world_id, 'a', {
        decide: (_set, moment) => {
          const accepted = createKey({ ...input, name: 'a' }, makeSecret('test'), null, moment);
          return { ...accepted, puts: [...accepted.puts, { kind: pointerKind as never, key: 'p', value: 't' }] };
        },
      }),
    ),
    bench.commit(
      command(world_id, 'b', {
        load: [() => [{ kind: pointerKind as Kind<unknown>, key: 'p' }], follow],
        decide: (set, moment) => {
          for (const { kind, key } of follow(set)) set.get(kind, key);
          return createKey({ ...input, name: 'b' }, makeSecret('test'), null, moment);
        },
      }),
    ),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    [201, 201],
  );
  assert.deepEqual(bench.faults, []);
  assert.equal(await assertGapless(bench), 2);
});

test('what is counted from rows that a neighbour of the same batch writes is counted in the next one', async (t) => {
  const bench = await setUp(t);
  const [world_id = 0, other_id = 0] = bench.worldIds;
  const countKind: Kind<number> = {
    name: 'key_count',
    computed_from: ['key'],
    async load(tx, refs) {
      const rows = await tx<{ world_id: number; count: number }[]>`
        select world_id, count(*)::int as count from keys
        where world_id = any(${refs.map((ref) => ref.world_id)}::int[]) group by world_id`;
      return new Map(rows.map((row) => [refKey(row.world_id, 'all'), row.count]));
    },
  };
  const counted: number[] = [];
  const counting = (id: number) =>
    command(id, 'counting', {
      load: [() => [{ kind: countKind as Kind<unknown>, key: 'all' }]],
      decide: (set, moment) => {
        counted.push(set.get(countKind, 'all') ?? 0);
        return createKey({ ...input, name: 'counting' }, makeSecret('test'), null, moment);
      },
    });
  await Promise.all([command(world_id, 'a'), counting(world_id), counting(other_id)].map(bench.commit));
  assert.deepEqual(counted, [0, 1], 'the world that nothing was written to does not wait');
  assert.deepEqual(bench.faults, []);
  assert.equal(await assertGapless(bench), 3);
});

test('what has to wait for the next batch does not wait until an erasure of its own is written down', async (t) => {
  const noted = Promise.withResolvers<void>();
  const bench = await setUp(t, 2, { note: () => noted.promise, stop: () => {} });
  const [world_id = 0] = bench.worldIds;
  const nothing = async () => new Map();
  const flagKind: Kind<string> = { name: 'flag', load: nothing };
  const lateKind: Kind<string> = { name: 'late', load: nothing };
  const erasing = bench.commit(
    command(world_id, 'a', {
      decide: (_set, moment) => {
        const accepted = createKey({ ...input, name: 'a' }, makeSecret('test'), null, moment);
        const flag = { kind: flagKind as Kind<unknown>, key: 'f', value: 'raised' };
        return { ...accepted, puts: [...accepted.puts, flag], erased: ['sub_1'] };
      },
    }),
  );
  const isRaised = (set: WorkingSet) => set.get(flagKind, 'f') !== undefined;
  const late = { kind: lateKind as Kind<unknown>, key: 'l' };
  const waiting = bench.commit(
    command(world_id, 'b', {
      load: [() => [{ kind: flagKind as Kind<unknown>, key: 'f' }], (set) => (isRaised(set) ? [late] : [])],
      decide: (set, moment) => {
        if (isRaised(set)) set.get(lateKind, 'l');
        return createKey({ ...input, name: 'b' }, makeSecret('test'), null, moment);
      },
    }),
  );
  assert.equal((await waiting).status, 201);
  noted.resolve();
  assert.equal((await erasing).status, 201);
  assert.equal(await assertGapless(bench), 2);
});
