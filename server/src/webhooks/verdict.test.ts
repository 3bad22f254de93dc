import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './verdict.ts';

const outcomes = ['delivered', 'refused', 'failed', 'timed_out', 'called_off'] as const;
const statuses = [null, 200, 204, 299, 301, 400, 404, 410, 429, 500, 503];
const controls = [null, 'abort', 'pause'] as const;

test('every answer means one thing', () => {
  for (const outcome of outcomes)
    for (const status of statuses)
      for (const control of controls) {
        const { verdict, pause, slower } = judge({ outcome, status, control });
        const name = `${outcome} ${status} ${control}`;
        if (outcome === 'called_off') {
          assert.deepEqual({ verdict, pause, slower }, { verdict: 'called_off', pause: null, slower: false }, name);
          continue;
        }
        assert.equal(verdict === 'delivered', outcome === 'delivered', name);
        assert.equal(verdict === 'abort', outcome !== 'delivered' && control === 'abort', name);
        assert.equal(pause === 'receiver', control === 'pause', name);
        assert.equal(pause === 'gone', control !== 'pause' && outcome === 'refused' && status === 410, name);
        assert.equal(slower, outcome === 'refused' && (status === 429 || status === 503), name);
      }
});
