import assert from 'node:assert/strict';
import test from 'node:test';
import type { Sql } from '../db/sql.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { FLUSH_ENDPOINTS_MAX, startFlusher } from './flush.loop.ts';
import type { Flush } from './flush.store.ts';

/** An endpoint that has taken on a dead letter. */
function runOf(endpoint_id: string): EndpointRun {
  const key = { world_id: 1, endpoint_id };
  return {
    id: endpoint_id,
    isStopped: false,
    config: { world_id: 1 },
    outbox: {
      size: 1,
      saved: 0,
      empty(into: Flush) {
        into.cursors.push({ ...key } as never);
        into.parked.push({
          ...key,
          due_at: 0,
          failed_since: null,
          first_attempt_at: null,
          redrive: `dlt_${endpoint_id}`,
          subject: null,
          expires_at: null,
        } as never);
        into.redrives.push({
          ...key,
          dead_letter_id: `dlt_${endpoint_id}`,
          redrive_id: 'rdr_1',
          state: 'redriving',
          at: '',
        });
      },
    },
    window: { cursor: () => ({ sequence: 0 }) },
  } as unknown as EndpointRun;
}

test('what a lost endpoint was asked to send again is left to its new owner, with the request', async () => {
  const written: unknown[][] = [];
  const tx = (strings: TemplateStringsArray, ...values: unknown[]) => {
    const text = strings.join('?');
    if (text.includes('update cursors'))
      return Promise.resolve(
        (values[1] as string[]).filter((id) => id === 'kept').map((endpoint_id) => ({ world_id: 1, endpoint_id })),
      );
    if (text.includes('update dead_letters')) written.push(values[1] as string[]);
    return Promise.resolve([]);
  };
  const sql = { begin: (work: (tx: unknown) => Promise<void>) => work(tx) } as unknown as Sql;
  const lost: string[] = [];
  const flusher = startFlusher({
    sql,
    runs: () => [],
    onLost: (names) => lost.push(...names),
    onRefused: (_, __, error) => assert.fail(error as Error),
    onFault: (error) => assert.fail(error as Error),
  });
  for (const id of ['kept', 'lost']) flusher.mark(runOf(id));
  await flusher.settle();
  flusher.stop();
  assert.deepEqual(lost, ['1/lost']);
  assert.deepEqual(written.at(-1), ['dlt_kept']);
});

/** A database that refuses the rows of some endpoints in one table; `saved` are the cursors that it let move. */
function refusingSql(table: string, refusedIds: readonly string[], code: string) {
  const saved: string[] = [];
  const begin = async (work: (tx: unknown) => Promise<void>) => {
    let cursors: string[] = [];
    await work((strings: TemplateStringsArray, ...values: unknown[]) => {
      const text = strings.join('?');
      const ids = values.flatMap((value) => (Array.isArray(value) ? value : []));
      if (text.includes(`insert into ${table}`) && ids.some((id) => refusedIds.includes(id))) {
        return Promise.reject(Object.assign(new Error('refused'), { code }));
      }
      if (!text.includes('update cursors')) return Promise.resolve([]);
      cursors = values[1] as string[];
      return Promise.resolve(cursors.map((endpoint_id) => ({ world_id: 1, endpoint_id })));
    });
    saved.push(...cursors);
  };
  return { sql: { begin } as unknown as Sql, saved };
}

function triedRunOf(endpoint_id: string): EndpointRun {
  const run = runOf(endpoint_id);
  const { empty } = run.outbox;
  run.outbox.empty = (into: Flush) => {
    empty.call(run.outbox, into);
    into.attempts.push({ world_id: 1, endpoint_id, sequence: 1 } as never);
  };
  return run;
}

function startRefusing(table: string, code = '23514') {
  const { sql, saved } = refusingSql(table, ['bad'], code);
  const told: string[] = [];
  const flusher = startFlusher({
    sql,
    runs: () => [],
    onLost: () => assert.fail('nothing is lost'),
    onRefused: ({ endpoint_id }, dropped, error) =>
      told.push(`${endpoint_id} ${dropped} ${(error as { code: string }).code}`),
    onFault: (error) => assert.fail(error as Error),
  });
  const runs = ['one', 'bad', 'two'].map(triedRunOf);
  const flush = async () => {
    for (const run of runs) flusher.mark(run);
    await flusher.settle();
    return saved.splice(0).sort();
  };
  return { flusher, told, flush };
}

test('attempts that are refused are left out, told once, and hold up nobody', async () => {
  const { flusher, told, flush } = startRefusing('attempts');
  assert.deepEqual(await flush(), ['bad', 'one', 'two']);
  assert.deepEqual(await flush(), ['bad', 'one', 'two']);
  flusher.stop();
  assert.deepEqual(told, ['bad attempts 23514']);
});

test('an endpoint of which nothing can be written keeps its cursor; the others move on', async () => {
  const { flusher, told, flush } = startRefusing('parked_messages');
  assert.deepEqual(await flush(), ['one', 'two']);
  flusher.stop();
  assert.deepEqual(told, ['bad all 23514']);
});

test('it does not matter why a statement fails: the endpoint that fails alone is left out', async () => {
  for (const code of ['54000', '42501', 'XX002']) {
    const { flusher, told, flush } = startRefusing('parked_messages', code);
    assert.deepEqual(await flush(), ['one', 'two']);
    flusher.stop();
    assert.deepEqual(told, [`bad all ${code}`]);
  }
});

test('cursors of very many endpoints are written by the hundred, and all of them', async () => {
  const sizes: number[] = [];
  const tx = (strings: TemplateStringsArray, ...values: unknown[]) => {
    if (!strings.join('?').includes('update cursors')) return Promise.resolve([]);
    const ids = values[1] as string[];
    sizes.push(ids.length);
    return Promise.resolve(ids.map((endpoint_id) => ({ world_id: 1, endpoint_id })));
  };
  const sql = { begin: (work: (tx: unknown) => Promise<void>) => work(tx) } as unknown as Sql;
  const fail = (error: unknown) => assert.fail(error as Error);
  const flusher = startFlusher({
    sql,
    runs: () => [],
    onLost: (names) => assert.fail([...names].join()),
    onRefused: (_, __, error) => fail(error),
    onFault: fail,
  });
  for (let n = 0; n < 2 * FLUSH_ENDPOINTS_MAX + 1; n++) flusher.mark(runOf(`whe_${n}`));
  await flusher.settle();
  flusher.stop();
  assert.deepEqual(sizes, [FLUSH_ENDPOINTS_MAX, FLUSH_ENDPOINTS_MAX, 1]);
});

test('who waits for what is marked does not wait for what is marked meanwhile', async () => {
  let writes = 0;
  const sql = {
    begin: async () => {
      // A sender that is busy: there is always something to write.
      flusher.mark(runOf(`busy_${++writes}`));
      if (writes === 20) flusher.stop();
    },
  } as unknown as Sql;
  const onFault = (error: unknown) => assert.fail(error as Error);
  const flusher = startFlusher({
    sql,
    runs: () => [],
    onLost: () => {},
    onRefused: (_, __, error) => onFault(error),
    onFault,
  });
  flusher.mark(runOf('first'));
  await flusher.settle();
  assert.equal(writes, 1);
  // One is being written when the second is marked.
  const settled = flusher.settle();
  flusher.mark(runOf('second'));
  await settled;
  await flusher.settle();
  assert.ok(writes <= 4, `${writes} writes`);
  flusher.stop();
});
