// The catalogue of error codes, for people: the page that `type` of every problem document leads to, and docs/errors.md.
// Both are made from the table in errors.ts.

import { errorCodes } from '../errors.ts';

/** What a client does about each class of refusal; a status has the words of the last class that is not above it. */
const classes: readonly { from: number; name: string; advice: string }[] = [
  {
    from: 400,
    name: '400: the request cannot be read',
    advice: 'A mistake in the program that sends it. Sending it again does not help.',
  },
  {
    from: 401,
    name: '401 and 403: the key',
    advice: 'Another key is needed, or one with more scopes; <code>missing_scope</code> names the one that is missing.',
  },
  {
    from: 404,
    name: '404 to 408: the address',
    advice: 'What is asked for is not there: also when it belongs to another tenant or another world.',
  },
  {
    from: 409,
    name: '409: the state of things forbids it',
    advice: 'Read the object again and decide anew. <code>detail</code> says what stands against it.',
  },
  {
    from: 410,
    name: '410 to 422: what was sent',
    advice:
      'The request was read and is refused. <code>errors</code> names every fault at once, with a pointer into the body.',
  },
  {
    from: 429,
    name: '429: too much at once',
    advice: 'Wait as long as <code>Retry-After</code> says, then go on more slowly.',
  },
  {
    from: 431,
    name: '431: the headers',
    advice: 'A mistake in the program that sends it. Sending it again does not help.',
  },
  {
    from: 500,
    name: '500 and 503: the server',
    advice:
      'Nothing is wrong with the request. Send it again under the same <code>Idempotency-Key</code>, after <code>Retry-After</code> seconds, with growing pauses. <code>correlation_id</code> finds it in the log of the server.',
  },
];

/** `assets`: path from this page to the folder of style sheets. */
export function renderErrorsPage(assets: string, icon: string): string {
  const sections = classes.map(({ from, name, advice }, index) => {
    const next = classes[index + 1]?.from ?? Number.POSITIVE_INFINITY;
    const rows = Object.entries(errorCodes)
      .filter(([, { status }]) => status >= from && status < next)
      .map(
        ([code, { status, title }]) =>
          `<tr id="${code}"><th scope="row"><a href="#${code}"><code>${code}</code></a></th><td>${status}</td><td>${title}.</td></tr>`,
      );
    return rows.length === 0
      ? ''
      : `<h2>${name}</h2>\n<p>${advice}</p>\n<table><tbody>\n${rows.join('\n')}\n</tbody></table>\n`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Error codes: Waypost</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="${assets}/docs.css">
</head>
<body>
<main class="text">
<h1>Error codes</h1>
<p>Every refusal is a problem document (RFC 9457). <code>code</code> is stable: programs decide by it. People read
<code>detail</code>, which says what went wrong this time.</p>
<p class="quiet"><a href="../docs">API reference</a></p>
${sections.join('')}</main>
</body>
</html>
`;
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
