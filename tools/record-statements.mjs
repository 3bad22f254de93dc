// Loaded into every process of a test run (`node --import`, by way of NODE_OPTIONS): writes each distinct statement
// that the process sends into a file of its own in RECORD_STATEMENTS_TO, one JSON string a line. The file is written
// at once, because tests kill processes. check-statements.ts reads the folder when the run is over.

import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

/** The pool with which tests look at the database and arrange it: not the product's. */
const OF_TESTS = 'waypost test';

const folder = process.env.RECORD_STATEMENTS_TO;
if (folder) {
  const file = join(folder, `${process.pid}.jsonl`);
  const seen = new Set();
  subscribe('waypost:statement', ({ pool, text }) => {
    if (pool === OF_TESTS || seen.has(text)) return;
    seen.add(text);
    appendFileSync(file, `${JSON.stringify(text)}\n`);
  });
}
