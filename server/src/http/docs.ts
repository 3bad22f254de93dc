// The documents that a server gives of itself: the OpenAPI document, the page that shows it, and the error codes. The page
// asks no other server for anything, so that it works where there is no internet, and its policy holds it to that.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Type from 'typebox';
import { renderErrorsPage } from './error-page.ts';
import { type Operation, OtherText, operation, PackedText } from './operation.ts';

const ASSETS = join(import.meta.dirname, '../../assets');
/** They change with the program, and browsers ask whether they did. */
const ASSET_CACHING = 'public, max-age=3600';

/**
 * No script but our own files. The reference brings style sheets along and sets styles as it runs, which only
 * `unsafe-inline` allows; a style can send nothing anywhere, since every other source is shut.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HTML = 'text/html; charset=utf-8';
const pageHeaders = { 'Content-Security-Policy': PAGE_POLICY };

/** A signpost. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%230b5cad' d='M7 1h2v2h4l2 2-2 2H9v8H7V7H3V3h4z'/%3E%3C/svg%3E";

/** Files of server/assets that the pages are made of. */
const assets: readonly { operation_id: string; file: string; media_type: string; read(): Buffer }[] = [
  {
    operation_id: 'get_docs_reference',
    file: 'scalar.js',
    media_type: 'text/javascript; charset=utf-8',
    read: () => readFileSync(join(ASSETS, 'scalar.js.gz')),
  },
  {
    operation_id: 'get_docs_script',
    file: 'docs.js',
    media_type: 'text/javascript; charset=utf-8',
    read: () => gzipSync(readFileSync(join(ASSETS, 'docs.js'))),
  },
  {
    operation_id: 'get_docs_style',
    file: 'docs.css',
    media_type: 'text/css; charset=utf-8',
    read: () => gzipSync(readFileSync(join(ASSETS, 'docs.css'))),
  },
];

/** `openapi`: the OpenAPI document as JSON text. `others`: documents that rooms serve beside it, by their file names. */
export function documentOperations(parts: { openapi(): string; others: readonly string[] }): Operation[] {
  const errorsPage = renderErrorsPage('assets', ICON);
  const docsPage = renderDocsPage(['openapi.json', ...parts.others]);
  const packed = new Map<string, Buffer>();
  const pack = (name: string, make: () => Buffer) => {
    const made = packed.get(name) ?? make();
    packed.set(name, made);
    return new PackedText(made);
  };
  return [
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
      run: async () => ({ status: 200, body: pack('openapi.json', () => gzipSync(parts.openapi())) }),
    }),
    operation({
      operation_id: 'get_docs',
      method: 'GET',
      path: '/docs',
      tag: 'system',
      summary: 'This document, for people',
      scope: null,
      replies: { 200: { description: 'A page.', schema: Type.String(), media_type: HTML } },
      errors: [],
      reply_example: '<!doctype html>…',
      run: async () => ({ status: 200, body: new OtherText(docsPage), headers: pageHeaders }),
    }),
    operation({
      operation_id: 'get_error_codes',
      method: 'GET',
      path: '/docs/errors',
      tag: 'system',
      summary: 'What each error code means',
      description: 'The page that `type` of problem documents leads to.',
      scope: null,
      replies: { 200: { description: 'A page.', schema: Type.String(), media_type: HTML } },
      errors: [],
      reply_example: '<!doctype html>…',
      run: async () => ({ status: 200, body: new OtherText(errorsPage), headers: pageHeaders }),
    }),
    ...assets.map(({ operation_id, file, media_type, read }) =>
      operation({
        operation_id,
        method: 'GET',
        path: `/docs/assets/${file}`,
        tag: 'system',
        summary: 'What the pages are made of',
        scope: null,
        hidden: true,
        replies: { 200: { description: 'The file.', schema: Type.String(), media_type } },
        errors: [],
        reply_example: '…',
        run: async () => ({ status: 200, body: pack(file, read), headers: { 'Cache-Control': ASSET_CACHING } }),
      }),
    ),
  ];
}

const renderDocsPage = (documents: readonly string[]) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Waypost API</title>
<link rel="icon" href="${ICON}">
${documents.map((file) => `<link rel="service-desc" type="application/json" href="${file}">\n`).join('')}<link rel="stylesheet" href="docs/assets/docs.css">
</head>
<body>
<div id="reference"></div>
<noscript><main class="text"><h1>Waypost API</h1><p>This page needs scripts. What it shows is at
${documents.map((file) => `<a href="${file}">${file}</a>`).join(' and ')}, the error codes are at <a href="docs/errors">docs/errors</a>.</p></main></noscript>
<script src="docs/assets/scalar.js"></script>
<script src="docs/assets/docs.js"></script>
</body>
</html>
`;

/** Documents that rooms serve in the place where the reference stands: they are named by it. */
export function otherDocuments(operations: readonly Operation[]): string[] {
  return operations.flatMap(({ path }) => (/^\/[a-z]+\.json$/.test(path) ? [path.slice(1)] : []));
}
