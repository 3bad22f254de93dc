import assert from 'node:assert/strict';
import test from 'node:test';
import type { Route } from './route.ts';
import { findOverlaps, refuseUnknown } from './unknown.ts';

const routes = (
  [
    ['GET', '/docs'],
    ['GET', '/v1/jobs'],
    ['POST', '/v1/jobs'],
    ['POST', '/v1/jobs/batch'],
    ['GET', '/v1/jobs/{job_id}'],
    ['PATCH', '/v1/jobs/{job_id}'],
    ['POST', '/v1/jobs/{job_id}/transitions'],
  ] as const
).map(([method, path]) => ({ operation: { method, path }, url: path.replace(/\{(\w+)\}/, ':$1') }) as Route);
const tell = (method: string, path: string) => {
  const { refusal, allow } = refuseUnknown(routes, method, path, 'https://waypost.example/docs');
  return [refusal.status, allow, refusal.message];
};

test('a known path names its methods, HEAD with GET', () => {
  assert.deepEqual(tell('PUT', '/v1/jobs'), [405, 'GET, HEAD, POST', 'PUT is not known here; GET, HEAD, POST are.']);
  assert.deepEqual(tell('PUT', '/v1/jobs/job_1').slice(0, 2), [405, 'GET, HEAD, PATCH']);
});

test('a path that is written out has its own methods, not those of a pattern that fits it', () => {
  assert.deepEqual(tell('GET', '/v1/jobs/batch'), [405, 'POST', 'GET is not known here; POST is.']);
  assert.deepEqual(findOverlaps(routes), [
    { method: 'GET', url: '/v1/jobs/batch' },
    { method: 'PATCH', url: '/v1/jobs/batch' },
  ]);
});

test('an unknown path is told with the nearest one', () => {
  const [status, allow, detail] = tell('GET', '/v1/job');
  assert.deepEqual([status, allow], [404, null]);
  const few = [{ operation: { method: 'GET', path: '/readyz' }, url: '/readyz' } as Route];
  assert.match(refuseUnknown(few, 'GET', '/v1/jobs', '').refusal.message, /\. Here are \/readyz alone\.$/);
  assert.match(String(detail), /has the path \/v1\/job\. Did you mean \/v1\/jobs\? https:\/\/waypost\.example\/docs/);
});
