// Operations about the server itself: is it alive, is it ready, what can it do. All public.

import Type from 'typebox';
import { errorCodes, WaypostError } from '../errors.ts';
import { JsonText, type Operation, OtherText, operation } from './operation.ts';

const NOT_READY_RETRY_AFTER_S = 1;

const Health = Type.Object(
  { status: Type.Literal('ok') },
  { $id: 'Health', additionalProperties: false, description: 'The server answers.' },
);

export interface SystemParts {
  findUnready(): Promise<readonly string[]>;
  /** The OpenAPI document as JSON text. */
  openapi(): string;
}

export function systemOperations(parts: SystemParts): Operation[] {
  const errorsPage = renderErrorsPage();
  return [
    operation({
      operation_id: 'get_health',
      method: 'GET',
      path: '/healthz',
      tag: 'system',
      summary: 'Whether the process is alive',
      scope: null,
      replies: { 200: { description: 'It is.', schema: Health } },
      errors: [],
      reply_example: { status: 'ok' },
      run: async () => ({ status: 200, body: { status: 'ok' } }),
    }),
    operation({
      operation_id: 'get_readiness',
      method: 'GET',
      path: '/readyz',
      tag: 'system',
      summary: 'Whether requests can be served',
      scope: null,
      replies: { 200: { description: 'They can.', schema: Health } },
      errors: ['not_ready'],
      reply_example: { status: 'ok' },
      async run() {
        const reasons = await parts.findUnready();
        if (reasons.length === 0) return { status: 200, body: { status: 'ok' } };
        throw new WaypostError('not_ready', reasons.join(' '), { retryAfterS: NOT_READY_RETRY_AFTER_S });
      },
    }),
    operation({
      operation_id: 'get_openapi',
      method: 'GET',
      path: '/openapi.json',
      tag: 'system',
      summary: 'This document',
      scope: null,
      replies: {
        200: {
          description: 'The OpenAPI 3.1 document of this server.',
          schema: Type.Object({ openapi: Type.String(), info: Type.Object({}), paths: Type.Object({}) }),
        },
      },
      errors: [],
      reply_example: { openapi: '3.1.1', info: {}, paths: {} },
      run: async () => ({ status: 200, body: new JsonText(parts.openapi()) }),
    }),
    operation({
      operation_id: 'get_error_codes',
      method: 'GET',
      path: '/docs/errors',
      tag: 'system',
      summary: 'What each error code means',
      description: 'The page that `type` of problem documents leads to.',
      scope: null,
      replies: { 200: { description: 'A page.', schema: Type.String(), media_type: 'text/html; charset=utf-8' } },
      errors: [],
      reply_example: '<!doctype html>…',
      run: async () => ({ status: 200, body: new OtherText(errorsPage) }),
    }),
  ];
}

function renderErrorsPage(): string {
  const rows = Object.entries(errorCodes).map(
    ([code, { status, title }]) => `<dt id="${code}"><code>${code}</code> (${status})</dt><dd>${title}.</dd>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Waypost error codes</title><h1>Error codes</h1><dl>${rows.join('')}</dl></html>`;
}

/** docs/errors.md. */
export function renderErrorsMarkdown(): string {
  const rows = Object.entries(errorCodes).map(
    ([code, { status, title }]) => `| <a id="${code}"></a>\`${code}\` | ${status} | ${title}. |`,
  );
  return `# Error codes

Every refusal is a problem document (RFC 9457, \`application/problem+json\`). \`code\` is stable: programs decide by it,
people read \`detail\` and \`errors\`, which names each fault with a pointer into the request. This page is made from
\`server/src/errors.ts\`.

| code | status | meaning |
| --- | --- | --- |
${rows.join('\n')}
`;
}
