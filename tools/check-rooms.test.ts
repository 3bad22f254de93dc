// Each wall is tried with a small tree that breaks it, and with its neighbour that does not.

import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findBreaches, kindOf, readImports, readTree, withoutComments } from './check-rooms.ts';
import { rooms, sideways } from './rooms.ts';

/** The sentences that a tree of one file breaks; the first line that every file needs is added. */
function sentencesFor(file: string, text: string): string[] {
  return findBreaches(new Map([[file, `// What belongs here.\n${text}`]])).map((breach) => breach.sentence);
}

function assertBreach(file: string, text: string, words: RegExp): void {
  const sentences = sentencesFor(file, text);
  assert.equal(sentences.length, 1, `${file} with ${text}: ${sentences.join(' | ')}`);
  assert.match(sentences[0] ?? '', words);
}

function assertFine(file: string, text: string): void {
  assert.deepEqual(sentencesFor(file, text), [], `${file} with ${text}`);
}

test('the tree as it stands breaks no wall', () => {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const files = readTree(root);
  assert.ok(files.has('server/src/errors.ts'));
  assert.deepEqual(findBreaches(files), []);
});

test('a room imports lower floors and never higher ones, for every pair of rooms', () => {
  for (const [from, here] of Object.entries(rooms)) {
    for (const [to, there] of Object.entries(rooms)) {
      const allowed =
        from === to || there.floor < here.floor || sideways.some((arrow) => arrow.from === from && arrow.to === to);
      const sentences = sentencesFor(`server/src/${from}/a.store.ts`, `import { b } from '../${to}/b.store.ts';`);
      const stopped = sentences.some((sentence) => sentence.startsWith(`${from} imports ${to}`));
      assert.equal(stopped, !allowed, `${from} → ${to}: ${sentences.join(' | ')}`);
      if (stopped) assert.ok(sentences.some((sentence) => sentence.includes(there.because)));
    }
  }
});

test('a rule imports rules and errors, not stores, routes or machinery', () => {
  assertFine('server/src/jobs/job.ts', `import { a } from './task.ts';\nimport { WaypostError } from '../errors.ts';`);
  assertFine('server/src/jobs/job.ts', `import { mintId } from '../ledger/id.ts';`);
  assertFine('server/src/jobs/job.ts', `import type { Call } from '../http/operation.ts';`);
  assertBreach('server/src/jobs/job.ts', `import { a } from './job.store.ts';`, /a rule computes values/);
  assertBreach('server/src/jobs/job.ts', `import { a, jobKind } from './job.store.ts';`, /a rule computes values/);
  assertFine('server/src/jobs/job.ts', `import { jobKind, type StoredJob } from './job.store.ts';`);
  assertBreach('server/src/jobs/job.ts', `import { a } from './job.routes.ts';`, /a rule computes values/);
  assertBreach('server/src/jobs/job.ts', `import { commit } from '../ledger/ledger.ts';`, /a rule computes values/);
});

test('a store knows no route, a loop knows no route, machinery knows no room', () => {
  assertBreach('server/src/jobs/job.store.ts', `import { a } from './job.routes.ts';`, /knows neither HTTP/);
  assertBreach('server/src/webhooks/sender.loop.ts', `import { a } from './endpoint.routes.ts';`, /nobody asks it/);
  assertFine('server/src/jobs/job.routes.ts', `import { a } from './job.store.ts';\nimport { b } from './job.ts';`);
  const sentences = sentencesFor('server/src/ledger/ledger.ts', `import { job } from '../jobs/job.ts';`);
  assert.match(sentences.join(' | '), /above 1/);
});

test('a rule has no clock, no dice and no I/O', () => {
  for (const code of [
    'const a = Date.now();',
    'const a = new Date();',
    'const a = Math.random();',
    "import { readFileSync } from 'node:fs';",
    'export async function find() {}',
    'setTimeout(go, 1);',
  ])
    assertBreach('server/src/jobs/job.ts', code, /^a rule /);
  assertFine('server/src/jobs/job.ts', "const a = new Date(now);\nimport { createHash } from 'node:crypto';");
  assertFine('server/src/jobs/job.ts', '// We await Date.now() here in words only.\nconst a = 1;');
});

test('SQL stands in stores, and each table of the ledger has one writer', () => {
  assertBreach('server/src/jobs/job.routes.ts', 'const a = sql`select 1`;', /SQL stands in/);
  assertBreach('server/src/jobs/job.routes.ts', 'const a = await tx<Row[]>`select 1`;', /SQL stands in/);
  assertFine('server/src/jobs/job.store.ts', 'const a = tx`update jobs set x = 1 where world_id = 1`;');
  assertBreach(
    'server/src/fleet/driver.store.ts',
    'const a = tx`update jobs set x = 1`;',
    /line that the ledger writes/,
  );
  assertBreach('server/src/jobs/job.store.ts', 'const a = tx`insert into events values (1)`;', /one writer/);
});

test('the packages that do I/O are imported in one place each', () => {
  assertBreach('server/src/jobs/job.store.ts', `import postgres from 'postgres';`, /repairs the driver/);
  assertBreach('server/src/jobs/job.routes.ts', `import { fastify } from 'fastify';`, /http makes a server/);
  assertBreach('server/src/webhooks/sender.loop.ts', `import { Pool } from 'undici';`, /checks every address/);
  assertFine('server/src/jobs/job.store.ts', `import type postgres from 'postgres';`);
});

test('only config.ts reads the environment', () => {
  assertBreach('server/src/webhooks/sender.loop.ts', 'const a = process.env.X;', /only config\.ts/);
  assertFine('server/src/config.ts', 'const a = process.env;');
});

test('names that say nothing are refused, as folders and as files', () => {
  assertBreach('server/src/jobs/utils/a.ts', 'const a = 1;', /"utils" says nothing/);
  assertBreach('tools/helpers.ts', 'const a = 1;', /"helpers" says nothing/);
  assertBreach('server/src/jobs/job.service.ts', 'const a = 1;', /suffix/);
  assert.match(sentencesFor('server/src/stuff/a.ts', 'const a = 1;').join(), /not a room of the plan/);
  assert.match(sentencesFor('server/src/stuff.ts', 'const a = 1;').join(), /put the file into the room/);
});

test('a file stops at 500 lines and begins with words', () => {
  assertFine('bench/a.ts', 'a;\n'.repeat(499));
  assertBreach('bench/a.ts', 'a;\n'.repeat(500), /501 lines/);
  assertFine('bench/a.gen.ts', 'a;\n'.repeat(900));
  const [breach] = findBreaches(new Map([['bench/a.ts', 'const a = 1;\n']]));
  assert.match(breach?.sentence ?? '', /first lines/);
});

test('the SDK depends on nothing and the CLI does not reach into the server', () => {
  assertBreach('sdk/src/jobs.ts', `import { a } from 'node:crypto';`, /no dependency/);
  assertBreach('sdk/src/jobs.ts', `import { a } from 'undici';`, /no dependency/);
  assertBreach('sdk/src/jobs.ts', `import { a } from '../../server/src/errors.ts';`, /no dependency/);
  assertFine('sdk/src/jobs.ts', `import { a } from './http.ts';`);
  assertBreach('cli/src/demo.ts', `import { a } from '../../server/src/errors.ts';`, /no privilege/);
});

test('imports are read over several lines, with their types told apart', () => {
  const found = readImports(
    `import {\n  a,\n  b,\n} from './a.ts';\nimport { type C } from './c.ts';\nexport * from './d.ts';\n`,
  );
  assert.deepEqual(
    found.map(({ line, specifier, typeOnly }) => [line, specifier, typeOnly]),
    [
      [1, './a.ts', false],
      [5, './c.ts', true],
      [6, './d.ts', false],
    ],
  );
});

test('comments are blanked and strings stay', () => {
  assert.equal(withoutComments("a('http://x'); // b\n/* c\n*/ d"), "a('http://x');     \n    \n   d");
});

test('the name of a file says its kind', () => {
  assert.equal(kindOf('jobs/job.ts'), 'rule');
  assert.equal(kindOf('jobs/job.store.ts'), 'store');
  assert.equal(kindOf('jobs/state-machine.test.ts'), 'test');
  assert.equal(kindOf('ledger/ledger.ts'), 'machinery');
  assert.equal(kindOf('app.ts'), 'root');
  assert.equal(kindOf('operate/serve.ts'), 'root');
  assert.equal(kindOf('jobs/job.manager.ts'), null);
});
