import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseMediaType } from './accept.ts';

const offered = ['application/json', 'application/x-ndjson', 'text/csv; charset=utf-8'];

test('the most wanted of what is offered is chosen, the first where nothing else is asked for', () => {
  const cases: [string | undefined, string | undefined][] = [
    [undefined, offered[0]],
    ['*/*', offered[0]],
    ['text/html, image/*', offered[0]],
    ['application/x-ndjson', offered[1]],
    ['Application/X-NDJSON', offered[1]],
    ['text/csv', offered[2]],
    ['text/*', offered[2]],
    ['text/*, */*;q=0.1', offered[2]],
    ['application/x-ndjson;q=0.5, text/csv;q=0.8', offered[2]],
    ['application/x-ndjson, application/json', offered[0]],
    ['application/json;q=0, application/x-ndjson;q=0.1', offered[1]],
    ['*/*, application/json;q=0.2', offered[1]],
    ['text/csv;q=lots', offered[0]],
    ['', offered[0]],
  ];
  for (const [accept, chosen] of cases) assert.equal(chooseMediaType(accept, offered), chosen, String(accept));
});
