import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaypostError } from '../errors.ts';
import { chooseMediaType } from './accept.ts';

const offered = ['application/json', 'application/x-ndjson', 'text/csv; charset=utf-8'];

test('the most wanted of what is offered is chosen, the first where nothing else is asked for', () => {
  const cases: [string | undefined, string | undefined][] = [
    [undefined, offered[0]],
    ['*/*', offered[0]],
    ['application/x-ndjson', offered[1]],
    ['Application/X-NDJSON', offered[1]],
    ['text/csv', offered[2]],
    ['text/*', offered[2]],
    ['text/*, */*;q=0.1', offered[2]],
    ['application/x-ndjson;q=0.5, text/csv;q=0.8', offered[2]],
    ['application/x-ndjson, application/json', offered[0]],
    ['application/json;q=0, application/x-ndjson;q=0.1', offered[1]],
    ['*/*, application/json;q=0.2', offered[1]],
    ['', offered[0]],
  ];
  for (const [accept, chosen] of cases) assert.equal(chooseMediaType(accept, offered), chosen, String(accept));
});

test('whoever asks for none of several is refused; where there is one form, it is sent', () => {
  for (const accept of ['text/html, image/*', 'text/csv;q=lots', 'application/json;q=0', 'nonsense'])
    assert.throws(
      () => chooseMediaType(accept, offered),
      (error) => error instanceof WaypostError && error.code === 'not_acceptable',
      accept,
    );
  assert.equal(chooseMediaType('text/html', offered.slice(0, 1)), offered[0]);
});
