import assert from 'node:assert/strict';
import test from 'node:test';
import { type Answered, type Described, findUnseen } from './check-operations.ts';

const responses = { 200: {}, 409: {} };
const paths: Record<string, Record<string, Described>> = {
  '/v1/things/{thing_id}': { patch: { operationId: 'change_thing', requestBody: {}, responses } },
  '/metrics': { get: { operationId: 'get_metrics', security: [{ metrics_token: [] }], responses: { 200: {} } } },
  '/healthz': { get: { operationId: 'get_health', security: [], responses: { 200: {} } } },
};
const whole: Answered[] = [
  ['change_thing', 200, null],
  ['change_thing', 400, 'malformed_json'],
  ['change_thing', 401, 'unauthorized'],
  ['change_thing', 403, 'forbidden'],
  ['change_thing', 404, 'not_found'],
  ['change_thing', 409, 'stale'],
  ['change_thing', 422, 'invalid_request'],
  ['get_metrics', 200, null],
  ['get_metrics', 401, 'unauthorized'],
  ['get_health', 200, null],
];

test('operations that answered in every way are passed', () => {
  assert.deepEqual(findUnseen(paths, whole), []);
});

test('each way that no test has seen is named', () => {
  for (const [index, [operation, status]] of whole.entries()) {
    const [sentence, ...more] = findUnseen(paths, whole.toSpliced(index, 1));
    assert.match(
      sentence ?? '',
      new RegExp(`\\(${operation}\\) was never answered with ${status === 200 ? '2xx' : status}\\.$`),
    );
    assert.deepEqual(more, []);
  }
});
