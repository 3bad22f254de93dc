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
