// The documents against the product: their commands are run, their snippets compiled, and whatever they name (words and
// options, settings, operations, refusals, metrics, files, headings) has to be there. Their figures: document-figures.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { words } from '../cli/src/words.ts';
import { options } from '../server/src/config.ts';
import { type ErrorCode, errorCodes } from '../server/src/errors.ts';
import { runWords } from '../server/test/say.ts';
import { copyTree } from './clone.ts';
import { readBlocks, readSteps } from './fenced-block.ts';
import { followBlock } from './follow-block.ts';

const root = dirname(import.meta.dirname);
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const LINES_MAX = 200;
/** Run in this order on one installation; the others' commands are run by readme.test.ts. */
const RUN = ['self-hosting', 'choosing', 'fallback', 'security', 'backup', 'upgrades'].map((name) => `docs/${name}.md`);
const pages = ['README.md', 'SECURITY.md', 'sdk/README.md'].concat(
  readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
);
/** Variables of the programs around the server, as config.ts and the files of deploy/ know them. */
const FOREIGN_SETTINGS = ['WAYPOST_URL', 'WAYPOST_KEY', 'WAYPOST_DISPATCH_KEY', 'WAYPOST_DOMAIN', 'WAYPOST_UPSTREAM'];

/** Tables that benches wrote are looked up, not read. */
const withoutFigures = (text: string) => text.replace(/<!-- figures \w+ -->[\s\S]*?<!-- end -->/g, '');

test('the commands of the documents work as they stand, one after another on one installation', async () => {
  const start = readSteps('npm start -- --background\neval "$(./waypost env)"\n');
  const steps = RUN.flatMap((page) => readBlocks(join(root, page)).flatMap(readSteps));
  assert.ok(steps.length > 30, `${steps.length} commands`);
  const stop = steps.at(-1);
  assert.equal(stop?.command, './waypost stop', 'the last document leaves nothing running');
  await followBlock([...start, ...steps]);
});

test('every document is on the page that lists them, and short enough to be read', () => {
  const index = read('docs/README.md');
  for (const page of pages.filter((name) => name.startsWith('docs/') && name !== 'docs/README.md')) {
    assert.ok(index.includes(`(${page.slice('docs/'.length)})`), `docs/README.md leads to ${page}`);
  }
  for (const page of pages)
    assert.ok(withoutFigures(read(page)).split('\n').length <= LINES_MAX, `${page} has at most ${LINES_MAX} lines`);
  assert.match(read('README.md'), /\(docs\/README\.md\)/);
});

test('the index of decisions has each of them, in the order of their numbers, by its title', () => {
  const titles = readdirSync(join(root, 'docs/decisions'))
    .filter((name) => /^\d{4}-/.test(name))
    .toSorted()
    .map((name) => {
      const [, number, title] = /^# (\d{4}): (.+)$/m.exec(read(`docs/decisions/${name}`)) ?? [];
      assert.equal(number, name.slice(0, 4), `${name} begins with its number and title`);
      return [`[${number}](${name})`, title];
    });
  const rows = [
    ...read('docs/decisions/README.md').matchAll(/^\| (\[\d{4}\]\([^)]+\)) \| (.+?)(?: \(replaced by \d{4}\))? \|$/gm),
  ];
  assert.deepEqual(
    rows.map(([, link, title]) => [link, title]),
    titles,
  );
});

test('what a run is bounded by in npm test is what its test says', () => {
  const bounds = [
    ...read('docs/long-runs.md').matchAll(/([\d,]+) (?:rounds|events|cases) \(([\d,]+) in `npm test`\)/g),
  ];
  const defaults = ['api/fuzz', 'kill', 'sender-drills', 'replay-drill'].map((name) =>
    Number(/process\.env\.\w+ \?\? ([\d_]+)\)/.exec(read(`server/test/${name}.test.ts`))?.[1]?.replaceAll('_', '')),
  );
  const said = bounds.map(([, , bound = '']) => Number(bound.replaceAll(',', '')));
  assert.deepEqual(
    said.toSorted((a, b) => a - b),
    defaults.toSorted((a, b) => a - b),
  );
});

/** As GitHub makes them. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
function anchorsOf(path: string): Set<string> {
  const text = read(path);
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
  return new Set([...headings, ...[...text.matchAll(/<a id="(\w+)">/g)].map(([, id = '']) => id)]);
}

/** How the pages about style call any file of tests. */
const PATTERN_NAME = 'job.test.ts';
const forMaintainers = ['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'STYLE.md'].concat(
  readdirSync(join(root, 'docs/decisions')).map((name) => `docs/decisions/${name}`),
);
for (const page of [...pages, ...forMaintainers])
  test(`${page}: what it links to and names is there`, async () => {
    const text = read(page);
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : relative(root, normalize(join(root, dirname(page), path)));
      assert.ok(existsSync(join(root, file)), `it links to ${target}`);
      if (anchor !== undefined) assert.ok(anchorsOf(file).has(anchor), `${file} has the heading #${anchor}`);
    }
    for (const [name] of text.matchAll(/\b(?:WAYPOST_[A-Z][A-Z_]*[A-Z]|DATABASE_URL)\b/g))
      assert.ok(settings.has(name) || FOREIGN_SETTINGS.includes(name), `${name} is a setting`);
    for (const [, status = '', code = ''] of text.matchAll(/\b([45]\d\d) `([a-z_]+)`/g))
      assert.equal(errorCodes[code as ErrorCode]?.status, Number(status), `${status} ${code}`);
    for (const [, method = '', path = ''] of text.matchAll(/\b(GET|POST|PUT|PATCH|DELETE) (\/v1\/[\w/{}-]*)/g))
      assert.ok(isOperation(method, path), `${method} ${path} is an operation`);
    for (const [, name = ''] of text.matchAll(/`([\w-]+\.test\.ts)`/g))
      assert.ok(testFiles.has(name) || name === PATTERN_NAME, name);
    for (const [name] of text.matchAll(/\bwaypost_(?!app\b|ledger\b|sender\b)[a-z_]+[a-z]\b/g))
      assert.ok(metrics.includes(name.replace(/_(?:bucket|count|sum)$/, '')), `${name} is a metric`);
  });

const settings = new Set<string>(Object.values(options).map(({ name }) => name));
const { paths } = JSON.parse(read('server/openapi.json')) as { paths: Record<string, Record<string, unknown>> };
const metrics =
  read('server/src/telemetry/metrics.ts') + read('server/src/telemetry/gauges.ts') + read('examples/receiver.ts');
const testFiles = new Set(
  ['server', 'sdk', 'test', 'tools', 'cli', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => path.split('/').at(-1) ?? ''),
  ),
);

/** `{id}` stands for whatever the parameter is called. */
function isOperation(method: string, path: string): boolean {
  const shape = path.replace(/\/$/, '').replaceAll(/\{\w+\}/g, '{}');
  return Object.entries(paths).some(
    ([known, methods]) => known.replaceAll(/\{\w+\}/g, '{}') === shape && method.toLowerCase() in methods,
  );
}

/** Word → its options, as the words tell of themselves. */
async function readWords(): Promise<Map<string, Set<string>>> {
  const { out } = await runWords(['help'], {});
  const found = new Map<string, Set<string>>();
  let current: Set<string> = new Set();
  for (const line of out.split('\n')) {
    const [, usage] = /^ {2}waypost ([a-z]+(?: [a-z]+)?)/.exec(line) ?? [];
    const [, option] = /^ {6}--([\w-]+) /.exec(line) ?? [];
    if (usage !== undefined) {
      current = new Set(['json', 'help']);
      found.set(usage, current);
    }
    if (option !== undefined) current.add(option);
  }
  for (const [name, { options }] of Object.entries(words))
    found.set(name, new Set(['json', 'help', ...Object.keys(options)]));
  return found;
}

test('every word that is said in a document exists, with its options', async () => {
  const known = await readWords();
  for (const word of ['help', 'run']) known.set(word, new Set());
  let count = 0;
  for (const page of pages)
    for (const [, said = ''] of read(page).matchAll(/(?:\.\/|`|waypost\/)waypost ((?:[^`\n#|;&<>()]|\\\n)+)/g)) {
      const parts = said.trim().split(/\s+/);
      const name = known.has(`${parts[0]} ${parts[1]}`) ? `${parts[0]} ${parts[1]}` : (parts[0] ?? '');
      const group = [...known.keys()].some((word) => word.startsWith(`${name} `));
      assert.ok(known.has(name) || (group && parts.length === 1), `${page}: waypost ${said}`);
      for (const [, option = ''] of said.matchAll(/ --([\w-]+)/g))
        assert.ok(name === 'run' || known.get(name)?.has(option), `${page}: waypost ${name} --${option}`);
      count += 1;
    }
  assert.ok(count > 60, `${count} words were looked at`);
});

test('commands for machines of others (bash) can be read by a shell, and their files are there', () => {
  let count = 0;
  for (const page of pages)
    for (const [, block = ''] of read(page).matchAll(/^```bash\n([\s\S]*?)^```$/gm)) {
      const { status, stderr } = spawnSync('bash', ['-n'], { input: block, encoding: 'utf8' });
      assert.equal(status, 0, `${page}: ${stderr}`);
      for (const [, path = ''] of block.matchAll(/(?:-f |\/opt\/waypost\/|npm test -- )([\w./-]+)/g)) {
        assert.ok(existsSync(join(root, path)), `${page}: ${path}`);
        count += 1;
      }
    }
  assert.ok(count >= 5, `${count} files`);
  const unit = read('deploy/waypost.service');
  for (const path of ['/opt/waypost', '/var/lib/waypost', '/etc/waypost/waypost.env']) {
    assert.ok(unit.includes(path.replace('/var/lib/', '')), `the unit uses ${path}`);
    assert.ok(read('docs/self-hosting.md').includes(path));
  }
});

/** What the snippets of a page speak of and do not say themselves. */
const GIVEN = `
import type { createServer as Create } from 'node:http';
import type { buffer as Buffered } from 'node:stream/consumers';
import type { Waypost } from '@waypost/sdk';
import type { WaypostEvent as Event } from '@waypost/sdk/event';
import type { createEventHandler as Handle, EventHandler } from '@waypost/sdk/event-handler';
import type { JobInput } from '@waypost/sdk/jobs';
declare global {
  type WaypostEvent = Event;
  const client: Waypost, handler: EventHandler, createEventHandler: typeof Handle, secret: string, order: JobInput;
  const createServer: typeof Create, buffer: typeof Buffered;
  const kept: any, keep: () => void;
  const inbox: { store(id: string, event: Event): Promise<void>; listNew(): AsyncIterable<Event> };
  const updateShop: (event: Event) => Promise<void>;
  const database: { run(text: string, values: unknown[]): Promise<void>; transaction(work: (tx: Tx) => Promise<void>): Promise<void> };
  interface Tx { insertIfAbsent(table: string, row: object): Promise<boolean>; update(table: string, row: object): Promise<void> }
}`;

test('the snippets of the page about choosing compile, and the first is a piece of the example', () => {
  const page = read('docs/choosing.md');
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  assert.equal(blocks.length, 6);
  assert.ok(read('examples/handler.ts').includes(blocks[0] ?? '-'));
  const folder = join(copyTree(null), 'snippets');
  mkdirSync(folder);
  writeFileSync(join(folder, 'given.ts'), GIVEN);
  for (const [index, block] of blocks.entries()) writeFileSync(join(folder, `${index}.ts`), `${block}\nexport {};\n`);
  const config = {
    extends: '../tsconfig.json',
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: ['.'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(root, 'node_modules/.bin/tsc');
  const { status, stdout } = spawnSync(tsc, ['--noEmit', '-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('pictures that a document shows are small enough to load', () => {
  for (const page of pages)
    for (const [, path = ''] of read(page).matchAll(/(?:!\[[^\]]+\]\(|<img src=")([^)"]+)/g))
      assert.ok(statSync(join(root, dirname(page), path)).size < 400_000, path);
});
