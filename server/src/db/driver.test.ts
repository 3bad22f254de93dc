import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDatabase } from '../../test/harness.ts';
import { openPool } from './sql.ts';

test('a pool that is ended while a connection of it is reserved ends once that is released', async () => {
  const { address } = await createDatabase();
  const pool = openPool(address, { name: 'reserved', connectionsMax: 2 });
  const reserved = await pool.reserve();
  const asked = reserved`select 1 as one`;
  const ended = pool.end();
  assert.deepEqual([...(await asked)], [{ one: 1 }]);
  assert.deepEqual([...(await reserved`select 2 as two`)], [{ two: 2 }]);
  reserved.release();
  await ended;
});
