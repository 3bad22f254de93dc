import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type from 'typebox';
import { defineCursor } from './cursor.ts';
import { CSV, NDJSON, writeExport } from './export.ts';
import { JsonText } from './operation.ts';
import { PAGE_LIMIT_MAX, type Walk, walkBy } from './paging.ts';

const item = Type.Object({ n: Type.Integer(), text: Type.Optional(Type.String()) }, { additionalProperties: false });
const cursor = defineCursor('numbers', { n: 'integer' });

/** The numbers from 1 on, and how many were read for each slice. */
function numbers(count: number, show: (n: number) => JsonText | object = (n) => ({ n })) {
  const asked: number[] = [];
  const walk: Walk = walkBy({
    cursor,
    async read(after, limit) {
      asked.push(limit - 1);
      const first = (after?.n ?? 0) + 1;
      return Array.from({ length: Math.max(0, Math.min(limit, count - first + 1)) }, (_, index) => first + index);
    },
    placeOf: (n) => ({ n }),
    show: (rows) => rows.map(show),
  });
  return { walk, asked };
}

const callFor = (media_type: string, query = {}, signal = new AbortController().signal) => ({
  media_type,
  query,
  signal,
});

async function collect(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

test('an export is the whole list, slice after slice', async () => {
  const { walk } = numbers(1_000);
  const lines = (await collect(writeExport(callFor(NDJSON), walk, { item, example: {} }))).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).n),
    Array.from({ length: 1_000 }, (_, index) => index + 1),
  );
  const rows = (await collect(writeExport(callFor(CSV), numbers(3).walk, { item, example: {} }))).split('\r\n');
  assert.deepEqual(rows, ['n,text', '1,', '2,', '3,', '']);
});

test('an empty list has its header row and no line', async () => {
  assert.equal(await collect(writeExport(callFor(CSV), numbers(0).walk, { item, example: {} })), 'n,text\r\n');
  assert.equal(await collect(writeExport(callFor(NDJSON), numbers(0).walk, { item, example: {} })), '');
});

test('limit and after hold for an export too', async () => {
  const after = cursor.encode({ n: 10 });
  const text = await collect(
    writeExport(callFor(NDJSON, { limit: 60, after }), numbers(500).walk, { item, example: {} }),
  );
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).n);
  assert.deepEqual([lines[0], lines.at(-1), lines.length], [11, 70, 60]);
});

test('nothing is read before the slice before it is taken, and nothing after the client has gone', async () => {
  const { walk, asked } = numbers(10_000);
  const client = new AbortController();
  const pieces = writeExport(callFor(NDJSON, {}, client.signal), walk, { item, example: {} });
  assert.equal(asked.length, 0);
  await pieces.next();
  assert.equal(asked.length, 1);
  await pieces.next();
  assert.equal(asked.length, 2);
  client.abort();
  assert.equal((await pieces.next()).done, true);
  assert.equal(asked.length, 2);
});

test('slices of large items are short, and those of small ones long', async () => {
  const large = numbers(100, (n) => new JsonText(JSON.stringify({ n, text: 'x'.repeat(200_000) })));
  await collect(writeExport(callFor(NDJSON), large.walk, { item, example: {} }));
  assert.deepEqual(large.asked.slice(1, 3), [5, 5]);
  const small = numbers(1_000);
  await collect(writeExport(callFor(NDJSON), small.walk, { item, example: {} }));
  assert.deepEqual(small.asked.slice(1, 3), [PAGE_LIMIT_MAX, PAGE_LIMIT_MAX]);
});

test('no member leaves that the schema does not know', async () => {
  const leaking = numbers(1, (n) => ({ n, secret: 'x' }));
  await assert.rejects(collect(writeExport(callFor(NDJSON), leaking.walk, { item, example: {} })), /secret/);
});
