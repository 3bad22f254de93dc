// The OpenAPI document of the whole API: up to date, clean, and with examples that keep their schemas.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { listOperations, renderFiles, root } from '../../tools/openapi.ts';
import { errorCodes } from '../src/errors.ts';
import { compileRoute } from '../src/http/route.ts';

const LINT_TIMEOUT_MS = 60_000;

for (const [path, text] of Object.entries(renderFiles())) {
  test(`${path} is what the code says`, async () => {
    const committed = await readFile(join(root, path), 'utf8');
    assert.ok(committed === text, `run node tools/openapi.ts: ${path} differs`);
  });
}

test("the document keeps Redocly's recommended rules without an error or a warning", async () => {
  const command = [join(root, 'node_modules/@redocly/cli/bin/cli.js'), 'lint', 'server/openapi.json', '--format=json'];
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const ran = promisify(execFile)(process.execPath, command, { cwd: root, env, timeout: LINT_TIMEOUT_MS });
  const { stdout } = await ran.catch((failed: { stdout: string }) => failed);
  const found = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { problems: { message: string; location: unknown }[] };
  assert.deepEqual(
    found.problems.map(({ message, location }) => [message, JSON.stringify(location).slice(0, 300)]),
    [],
  );
});

test('operations have one name each, and errors that exist', () => {
  const ids = listOperations().map((operation) => operation.operation_id);
  assert.deepEqual([...new Set(ids)], ids);
  for (const operation of listOperations()) {
    assert.match(operation.operation_id, /^[a-z]+(_[a-z]+)*$/);
    for (const code of operation.errors) assert.ok(code in errorCodes, `${operation.operation_id}: ${code}`);
  }
});

test('every operation has examples, and they keep its schemas', () => {
  for (const operation of listOperations()) {
    const route = compileRoute(operation);
    const name = operation.operation_id;
    if (route.validateBody !== null) {
      assert.notEqual(operation.body_example, undefined, `${name} has no body_example`);
      assert.deepEqual(route.validateBody(operation.body_example), null, `${name}: body_example`);
    }
    const [validateReply] = route.validateReply.values();
    if (validateReply === undefined) continue;
    assert.notEqual(operation.reply_example, undefined, `${name} has no reply_example`);
    assert.deepEqual(validateReply(operation.reply_example), null, `${name}: reply_example`);
  }
});

test('the document shows an example for every body and for a reply of every operation', async () => {
  type Content = Record<string, { example?: unknown }>;
  type Shown = { requestBody?: { content: Content }; responses: Record<string, { content?: Content }> };
  const { paths, tags: listed } = JSON.parse(await readFile(join(root, 'server/openapi.json'), 'utf8')) as {
    paths: Record<string, Record<string, Shown>>;
    tags: { name: string; description: string }[];
  };
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { requestBody, responses }] of Object.entries(methods)) {
      const name = `${method} ${path}`;
      for (const { example } of Object.values(requestBody?.content ?? {})) assert.notEqual(example, undefined, name);
      const contents = Object.entries(responses).flatMap(([status, { content }]) =>
        status.startsWith('2') && content !== undefined ? [content] : [],
      );
      const examples = contents.flatMap((content) => Object.values(content)).map(({ example }) => example);
      assert.ok(contents.length === 0 || examples.some((example) => example !== undefined), `${name} shows no reply`);
    }
  for (const { name, description } of listed)
    assert.ok(description.length > 15, `the tag ${name} says what it is about`);
});
