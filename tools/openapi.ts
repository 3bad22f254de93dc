// Writes what is made from the code: server/openapi.json and docs/errors.md. With --check it writes nothing and fails
// when a file differs from what the code says. Run: node tools/openapi.ts [--check]

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { House } from '../server/src/app.ts';
import { listOperations as listHouseOperations, listWebhooks } from '../server/src/app-operations.ts';
import { tags } from '../server/src/app-tags.ts';
import { documentOperations } from '../server/src/http/docs.ts';
import { renderErrorsMarkdown } from '../server/src/http/error-page.ts';
import { buildDocument } from '../server/src/http/openapi.ts';
import type { Operation } from '../server/src/http/operation.ts';
import { healthOperations } from '../server/src/http/system.ts';

/** Every operation. They are only looked at, so the rooms behind them may be missing. */
export function listOperations(): Operation[] {
  const missing: unknown = new Proxy(() => {}, { get: () => missing, apply: () => missing });
  const house = new Proxy({}, { get: (_, name) => (name === 'deriveKey' ? () => Buffer.alloc(32) : missing) }) as House;
  return [
    ...listHouseOperations(house),
    ...healthOperations({ findUnready: async () => [], metrics: null }),
    ...documentOperations({ openapi: () => '', others: [] }),
  ];
}

/** Path → text of everything that is made here. */
export function renderFiles(): Record<string, string> {
  const operations = listOperations();
  const document = buildDocument(operations, listWebhooks(operations), tags);
  return {
    'server/openapi.json': `${JSON.stringify(document, null, 2)}\n`,
    'docs/errors.md': renderErrorsMarkdown(),
  };
}

export const root = join(import.meta.dirname, '..');

if (import.meta.main) {
  for (const [path, text] of Object.entries(renderFiles())) {
    if (!process.argv.includes('--check')) {
      writeFileSync(join(root, path), text);
      console.log(`wrote ${path}`);
    } else if (readText(join(root, path)) !== text) {
      console.error(`${path} is not what the code says: run node tools/openapi.ts`);
      process.exitCode = 1;
    }
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
