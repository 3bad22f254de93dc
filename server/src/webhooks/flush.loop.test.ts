import assert from 'node:assert/strict';
import test from 'node:test';
import type { Sql } from '../db/sql.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { startFlusher } from './flush.loop.ts';
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
        } as never);
        into.redrives.push({ ...key, dead_letter_id: `dlt_${endpoint_id}`, state: 'redriving', at: '' });
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
    onFault: (error) => assert.fail(error as Error),
  });
  for (const id of ['kept', 'lost']) flusher.mark(runOf(id));
  await flusher.settle();
  flusher.stop();
  assert.deepEqual(lost, ['1/lost']);
  assert.deepEqual(written.at(-1), ['dlt_kept']);
});
