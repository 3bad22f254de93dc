import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTraceparent, writeTraceparent } from './trace.ts';

const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736';
const span_id = '00f067aa0ba902b7';

test('a traceparent is read with its flag, also one of a later version', () => {
  assert.deepEqual(readTraceparent(`00-${trace_id}-${span_id}-01`), { trace_id, span_id, sampled: true });
  assert.deepEqual(readTraceparent(`00-${trace_id}-${span_id}-02`), { trace_id, span_id, sampled: false });
  assert.deepEqual(readTraceparent(`01-${trace_id}-${span_id}-03-more`), { trace_id, span_id, sampled: true });
});

test('what is broken is ignored', () => {
  for (const broken of [
    undefined,
    '',
    'x',
    `ff-${trace_id}-${span_id}-01`,
    `00-${'0'.repeat(32)}-${span_id}-01`,
    `00-${trace_id}-${'0'.repeat(16)}-01`,
    `00-${trace_id.toUpperCase()}-${span_id}-01`,
    `00-${trace_id}-${span_id}-01-more`,
    [`00-${trace_id}-${span_id}-01`],
  ]) {
    assert.equal(readTraceparent(broken), null, String(broken));
  }
});

test('what is written is read again', () => {
  for (const sampled of [true, false]) {
    const trace = { trace_id, span_id, sampled };
    assert.deepEqual(readTraceparent(writeTraceparent(trace)), trace);
  }
});
