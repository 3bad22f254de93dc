// Compares the API and the events as they are (server/openapi.json) with those of the last release
// (server/released.json), and fails where something breaks although the version of the API is the same. With --write the
// snapshot is made anew: at a release, and before the first one.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Change, compareDocuments, type Json, promiseOf } from './schema-changes.ts';

const root = resolve(import.meta.dirname, '..');
/** The promise of the last release: packed, since it is compared by this tool only. */
export const SNAPSHOT = join(root, 'server/released-api.json.gz');

export function readCurrent(): Json {
  return promiseOf(JSON.parse(readFileSync(join(root, 'server/openapi.json'), 'utf8'))) as Json;
}

export function readSnapshot(): Json {
  return JSON.parse(gunzipSync(readFileSync(SNAPSHOT)).toString()) as Json;
}

const versionOf = ({ info }: Json) => (info as { version: string }).version;

/** Sentences about what must not be; none: it may. */
export function judgeChanges(before: Json, after: Json): { changes: Change[]; faults: string[] } {
  const changes = compareDocuments(before, after);
  const breaking = changes.filter(({ kind }) => kind === 'breaking');
  if (versionOf(before) !== versionOf(after)) return { changes, faults: [] };
  return { changes, faults: breaking.map(({ where, what }) => `${where} ${what}`) };
}

if (import.meta.filename === process.argv[1]) {
  const current = readCurrent();
  if (process.argv.includes('--write')) {
    writeFileSync(SNAPSHOT, gzipSync(JSON.stringify(current), { level: 9 }));
    console.log(`wrote ${SNAPSHOT}: version ${versionOf(current)}`);
  } else {
    const { changes, faults } = judgeChanges(readSnapshot(), current);
    const additive = changes.filter(({ kind }) => kind === 'additive').length;
    for (const fault of faults) console.error(`breaking: ${fault}`);
    console.log(
      `check-schemas: ${additive} additive and ${changes.length - additive} breaking changes since the snapshot`,
    );
    if (faults.length > 0) {
      console.error(
        'These break whoever uses the API as it was released. Keep what was there, or give the API a new version ' +
          '(server/src/http/api-version.ts). Before the first release: node tools/check-schemas.ts --write.',
      );
      process.exitCode = 1;
    }
  }
}
