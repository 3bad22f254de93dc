// The check of replies is itself checked: it must fail for every way in which a reply can break the document.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SeenReply } from './conformance.ts';
import { conform, create } from './thing-server.ts';

const made = await create({ body: { name: 'a' } });
const refused = await create({ body: {} });

function seen(from: typeof made, changes: Partial<SeenReply>): SeenReply {
  return { method: 'POST', url: '/v1/things', status: from.status, headers: from.headers, body: from.text, ...changes };
}

function headersWith(from: typeof made, name: string, value: string | undefined): SeenReply['headers'] {
  return { ...from.headers, [name]: value };
}

function problemWith(changes: object): string {
  return JSON.stringify({ ...JSON.parse(refused.text), ...changes });
}

test('replies as they are sent pass', () => {
  conform(seen(made, {}));
  conform(seen(refused, {}));
});

test('replies that break the document are caught', () => {
  const broken: [words: RegExp, reply: SeenReply][] = [
    [/document this status/, seen(made, { status: 202 })],
    [/breaks its schema/, seen(made, { body: '{"name":"a"}' })],
    [/breaks its schema/, seen(made, { body: JSON.stringify({ ...JSON.parse(made.text), password: 'x' }) })],
    [/media type/, seen(made, { headers: headersWith(made, 'content-type', 'text/plain') })],
    [/X-Correlation-Id/, seen(made, { headers: headersWith(made, 'x-correlation-id', undefined) })],
    [/ETag/, seen(made, { headers: headersWith(made, 'etag', 'W/"1"') })],
    [/ETag is not documented/, seen(refused, { headers: headersWith(refused, 'etag', '"1"') })],
    [/no operation/, seen(made, { url: '/v1/other' })],
    [/no operation/, seen(made, { method: 'PUT' })],
    [
      /not documented here/,
      seen(refused, {
        body: problemWith({ code: 'pin_rejected', type: 'https://x.example/docs/errors#pin_rejected' }),
      }),
    ],
    [/lead to the code/, seen(refused, { body: problemWith({ type: 'https://x.example/' }) })],
    [/not the status/, seen(refused, { body: problemWith({ status: 400 }) })],
    [/correlation_id/, seen(refused, { body: problemWith({ correlation_id: 'another' }) })],
    [/breaks its schema/, seen(refused, { body: problemWith({ errors: [{ pointer: '/a' }] }) })],
  ];
  for (const [words, reply] of broken) assert.throws(() => conform(reply), words);
});
