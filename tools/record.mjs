// Loaded into every process of a test run (`node --import`, by way of NODE_OPTIONS): writes into RECORD_TO each distinct
// statement that the process sends and each distinct way in which an operation answered, one JSON value a line, a file
// of each for every process. Written at once, because tests kill processes. check-statements.ts and check-operations.ts
// read the folder when the run is over.

import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

/** The pool with which tests look at the database and arrange it: not the product's. */
const OF_TESTS = 'waypost test';

const folder = process.env.RECORD_TO;
if (folder) {
  record('waypost:statement', 'statements', ({ pool, text }) => (pool === OF_TESTS ? undefined : text));
  // What random requests happen to meet differs from run to run: it shows nothing.
  const isRandom = /fuzz\.test\.ts$/.test(process.argv[1] ?? '');
  record('waypost:reply', 'replies', ({ operation, status, code }) =>
    operation === undefined || isRandom ? undefined : [operation, status, code ?? null],
  );
}

function record(channel, kind, readValue) {
  const file = join(folder, `${process.pid}.${kind}.jsonl`);
  const seen = new Set();
  subscribe(channel, (message) => {
    const value = readValue(message);
    if (value === undefined) return;
    const line = JSON.stringify(value);
    if (seen.has(line)) return;
    seen.add(line);
    appendFileSync(file, `${line}\n`);
  });
}
