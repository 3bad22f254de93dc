// Holds the tests to the contract: every operation of server/openapi.json must have answered in each of the ways that
// its kind promises, somewhere in the suite. Run: node tools/check-operations.ts FOLDER, with what record.mjs wrote.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Described {
  operationId: string;
  parameters?: readonly unknown[];
  requestBody?: unknown;
  /** One way each: the name of the credential → scopes. */
  security?: readonly Readonly<Record<string, unknown>>[];
  responses: Readonly<Record<string, unknown>>;
}

/** How an operation answered: its id, the status, the code of a refusal. */
export type Answered = readonly [operation: string, status: number, code: string | null];

/** What must have been seen of an operation, in words, with the test of it. */
export function wantedOf(path: string, operation: Described): { words: string; isSeen(answered: Answered): boolean }[] {
  const status = (...wanted: number[]) => ({
    words: wanted.join(' or '),
    isSeen: ([, seen]: Answered) => wanted.includes(seen),
  });
  const wants = [{ words: '2xx', isSeen: ([, seen]: Answered) => seen >= 200 && seen < 300 }];
  const isPublic = operation.security?.length === 0;
  // A credential of its own opens the operation or does not: it has no scopes.
  const hasScopes = !isPublic && (operation.security?.some((way) => 'bearer' in way) ?? true);
  if (!isPublic) wants.push(status(401));
  if (hasScopes) wants.push(status(403));
  if (operation.requestBody !== undefined) wants.push(status(400), status(422));
  else if (hasScopes) wants.push(status(400, 422));
  if (path.includes('{')) wants.push(status(404));
  if ('409' in operation.responses) wants.push(status(409));
  return wants;
}

/** Sentences about what no test has seen; empty when all was. */
export function findUnseen(
  paths: Readonly<Record<string, Readonly<Record<string, Described>>>>,
  answers: readonly Answered[],
): string[] {
  const seen = Map.groupBy(answers, ([operation]) => operation);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => {
      const own = seen.get(operation.operationId) ?? [];
      const missing = wantedOf(path, operation).filter(({ isSeen }) => !own.some(isSeen));
      const words = missing.map((want) => want.words).join(', ');
      return missing.length === 0
        ? []
        : [`${method.toUpperCase()} ${path} (${operation.operationId}) was never answered with ${words}.`];
    }),
  );
}

function readAnswers(folder: string): Answered[] {
  const lines = readdirSync(folder)
    .filter((name) => name.endsWith('.replies.jsonl'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  // A process that was killed may leave half a line behind.
  return [...new Set(lines)]
    .filter((line) => line.startsWith('[') && line.endsWith(']'))
    .map((line) => JSON.parse(line) as Answered);
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('Name the folder into which the tests wrote how operations answered.');
  const file = join(import.meta.dirname, '..', 'server', 'openapi.json');
  const { paths } = JSON.parse(readFileSync(file, 'utf8'));
  const unseen = findUnseen(paths, readAnswers(folder));
  for (const sentence of unseen) console.error(sentence);
  const count = Object.values(paths as Record<string, object>).reduce((sum, each) => sum + Object.keys(each).length, 0);
  console.log(`check-operations: ${count} operations, ${unseen.length} of them not tested in every way`);
  if (unseen.length > 0) process.exitCode = 1;
}
