// Checks the tree against the plan in rooms.ts: arrows between rooms and kinds of files, who reads the environment,
// who writes which table, names and lengths. Fails with the sentence that explains the wall.
// Run: node tools/check-rooms.ts

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  adapters,
  arrows,
  environmentReaders,
  type FileKind,
  fileLinesMax,
  packages,
  pureMachinery,
  pureModules,
  refusedNames,
  rooms,
  rootFiles,
  rootReaders,
  sideways,
  suffixes,
  writers,
} from './rooms.ts';

export interface Breach {
  file: string;
  line: number;
  sentence: string;
}

interface Import {
  line: number;
  specifier: string;
  typeOnly: boolean;
  /** Names of imported values; empty for a whole module. */
  names: string[];
}

const serverPrefix = 'server/src/';

/** All breaches of a tree, given as path from the root → text. */
export function findBreaches(files: ReadonlyMap<string, string>): Breach[] {
  const breaches: Breach[] = [];
  for (const [file, text] of files) {
    breaches.push(...checkShape(file, text));
    if (!/\.(ts|mjs)$/.test(file)) continue;
    const code = withoutComments(text);
    const imports = readImports(code);
    if (file.startsWith(serverPrefix)) breaches.push(...checkServerFile(file, code, imports));
    if (file.startsWith('sdk/src/') && !file.endsWith('.test.ts')) breaches.push(...checkSdkFile(file, code, imports));
    if (file.startsWith('cli/src/')) breaches.push(...checkCliFile(file, imports));
  }
  return breaches;
}

function checkShape(file: string, text: string): Breach[] {
  const breaches: Breach[] = [];
  const at = (line: number, sentence: string) => breaches.push({ file, line, sentence });
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (!/\.gen\.ts$/.test(file) && lines > fileLinesMax)
    at(fileLinesMax + 1, `the file has ${lines} lines: past ${fileLinesMax} it holds two subjects; split it by noun`);
  for (const part of file.split('/')) {
    const name = part.replace(/\..*$/, '');
    if (refusedNames.includes(name))
      at(1, `"${name}" says nothing about what belongs in it: name the file for its noun or for what it does`);
  }
  if (/(?<!\.test)\.(ts|mjs|sql)$/.test(file) && !/^(#!|\/\/|\/\*|--)/.test(text))
    at(1, 'the first lines of a file say what belongs in it');
  return breaches;
}

function checkServerFile(file: string, code: string, imports: readonly Import[]): Breach[] {
  const path = file.slice(serverPrefix.length);
  const breaches: Breach[] = [];
  const at = (line: number, sentence: string) => breaches.push({ file, line, sentence });
  const room = roomOf(path);
  if (room === null && !(path.replace('.test.ts', '.ts') in rootFiles))
    at(1, `server/src holds rooms and ${Object.keys(rootFiles).join(', ')}: put the file into the room it belongs to`);
  if (room !== null && !(room in rooms))
    at(1, `"${room}" is not a room of the plan: rooms and their floors stand in tools/rooms.ts`);
  const kind = kindOf(path);
  if (kind === null) {
    at(1, `the suffix is not one of ${Object.keys(suffixes).join(', ')}: it would not say what the file may do`);
    return breaches;
  }
  if (kind === 'test') return breaches;
  if (!(path in environmentReaders))
    for (const line of linesWith(code, /\bprocess\.env\b/))
      at(line, 'only config.ts reads process.env: every setting has a name, a type, a default and a sentence there');
  for (const found of imports) {
    const sentence = checkArrow(path, kind, found);
    if (sentence !== null) at(found.line, sentence);
  }
  if (kind === 'rule' || kind === 'schema') breaches.push(...checkPurity(file, path, code));
  breaches.push(...checkSql(file, path, kind, code));
  return breaches;
}

/** One import of a server file: the sentence it breaks, or null. */
function checkArrow(path: string, kind: FileKind, found: Import): string | null {
  if (!found.specifier.startsWith('.')) return checkPackage(path, found);
  const target = posix.normalize(posix.join(posix.dirname(path), found.specifier));
  if (target === '../package.json') return null;
  if (target.startsWith('..')) return 'the server stands alone: it imports neither the SDK nor the CLI, tools or tests';
  if (!target.endsWith('.ts')) return `import the file itself, with its ending: '${found.specifier}' is not a .ts file`;
  const from = roomOf(path);
  if (kind === 'root' && from === null) return null;
  const to = roomOf(target);
  if (to === null)
    return target === 'errors.ts' || (from !== null && rootReaders.includes(from))
      ? null
      : `${target} is built from the rooms: a room that imports it ties a knot`;
  if (from !== null && from !== to) {
    const sentence = checkFloors(from, to);
    if (sentence !== null) return sentence;
  }
  const targetKind = kindOf(target);
  if (targetKind === null || kind === 'generated' || kind === 'root' || path in adapters) return null;
  if (targetKind === 'test') return 'no code depends on a test';
  const arrow = arrows[kind as keyof typeof arrows];
  if (targetKind === 'machinery' && (found.typeOnly || target in pureMachinery)) return null;
  if (target in adapters && (kind === 'rule' || kind === 'schema'))
    return found.typeOnly ? null : `${target} does I/O: ${arrow.because}`;
  if (targetKind === 'store' && (found.typeOnly || (found.names.length > 0 && found.names.every(isKindName))))
    return null;
  return arrow.to.includes(targetKind) ? null : `a ${kind} file imports ${targetKind} ${target}: ${arrow.because}`;
}

function checkPackage(path: string, found: Import): string | null {
  if (found.typeOnly) return null;
  const wall = packages.find(({ name }) => found.specifier === name || found.specifier.startsWith(`${name}/`));
  return wall === undefined || wall.files.test(path) ? null : `${path} imports ${wall.name}: ${wall.because}`;
}

function isKindName(name: string): boolean {
  return /Kinds?$/.test(name);
}

function checkFloors(from: string, to: string): string | null {
  const here = rooms[from];
  const there = rooms[to];
  if (here === undefined || there === undefined) return null;
  if (there.floor < here.floor) return null;
  if (sideways.some((arrow) => arrow.from === from && arrow.to === to)) return null;
  const where =
    there.floor === here.floor ? `the same floor (${here.floor})` : `floor ${there.floor}, above ${here.floor}`;
  return `${from} imports ${to}, which is on ${where}: ${to} stands there because ${there.because}`;
}

const impurities: readonly [RegExp, string][] = [
  [
    /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bprocess\.hrtime/,
    'asks for the time: take `now` as an argument',
  ],
  [
    /\bMath\.random\(|\brandomBytes\(|\brandomUUID\(|\brandomInt\(/,
    'rolls dice: take `mint` or a number as an argument',
  ],
  [new RegExp(`from '(?!(?:${pureModules.join('|')})')node:`), 'imports from node: what reaches outside is not a rule'],
  [/\bfetch\(|\bsetTimeout\(|\bsetInterval\(|\bsetImmediate\(/, 'waits or calls out'],
  [/\bprocess\.(env|argv|cwd|stdout|stderr|exit|pid)\b/, 'reads the process'],
  [/\basync\b|\bawait\b/, 'waits'],
];

function checkPurity(file: string, path: string, code: string): Breach[] {
  if (path in adapters) return [];
  return impurities.flatMap(([pattern, what]) =>
    linesWith(code, pattern).map((line) => ({ file, line, sentence: `a rule ${what}. ${arrows.rule.because}` })),
  );
}

function checkSql(file: string, path: string, kind: FileKind, code: string): Breach[] {
  const breaches: Breach[] = [];
  if (kind !== 'store' && kind !== 'machinery' && !(path in adapters))
    for (const line of linesWith(code, /\b(sql|tx)(<[^`;]*>)?`/))
      breaches.push({
        file,
        line,
        sentence: 'SQL stands in noun.store.ts, so that all statements on a table are found together',
      });
  for (const { tables, files, because } of writers) {
    if (files.test(path)) continue;
    const pattern = new RegExp(
      `\\b(insert\\s+into|update|delete\\s+from|merge\\s+into)\\s+(only\\s+)?(${tables.join('|')})\\b`,
    );
    for (const line of linesWith(code, pattern)) breaches.push({ file, line, sentence: because });
  }
  return breaches;
}

function checkSdkFile(file: string, code: string, imports: readonly Import[]): Breach[] {
  const breaches: Breach[] = [];
  for (const found of imports) {
    const target = posix.join(posix.dirname(file), found.specifier);
    if (found.specifier.startsWith('.') && target.startsWith('sdk/src/')) continue;
    breaches.push({
      file,
      line: found.line,
      sentence: `the SDK runs in browsers, edge workers and every runtime: it has no dependency and imports no '${found.specifier}'`,
    });
  }
  for (const line of linesWith(code, /\bprocess\.|\bBuffer\b/))
    breaches.push({ file, line, sentence: 'the SDK uses only what every JavaScript runtime has' });
  return breaches;
}

function checkCliFile(file: string, imports: readonly Import[]): Breach[] {
  return imports
    .filter((found) => posix.join(posix.dirname(file), found.specifier).startsWith('server/'))
    .map((found) => ({
      file,
      line: found.line,
      sentence: 'the CLI has no privilege: it reaches the server through the SDK and the public API only',
    }));
}

function roomOf(path: string): string | null {
  const slash = path.indexOf('/');
  return slash < 0 ? null : path.slice(0, slash);
}

/** What the name says, or null when it says nothing that we know. */
export function kindOf(path: string): FileKind | null {
  const room = roomOf(path);
  const words = posix.basename(path).split('.').slice(1, -1);
  if (words.length === 0) {
    if (room === null || rootReaders.includes(room)) return 'root';
    if (rooms[room]?.floor === 1) return 'machinery';
    return posix.basename(path).endsWith('-command.ts') ? 'command' : 'rule';
  }
  // What the ground floor offers to route files is machinery to the rooms above.
  if (words[0] === 'routes' && room !== null && rooms[room]?.floor === 1) return 'machinery';
  return suffixes[words[words.length - 1] ?? ''] ?? null;
}

const importPattern =
  /(?:^|\n)[ \t]*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?'([^']+)'|\bimport\('([^']+)'\)/g;

/** Every import of a file. `import { type A }` counts as a value import only if something in it is not a type. */
export function readImports(code: string): Import[] {
  return [...code.matchAll(importPattern)].map((match) => {
    const listed = /\{([^}]*)\}\s+from/
      .exec(match[0])?.[1]
      ?.split(',')
      .map((name) => name.trim());
    const names = listed?.filter((name) => name !== '' && !/^type\s/.test(name)) ?? [];
    return {
      line: code.slice(0, match.index + match[0].search(/\S/)).split('\n').length,
      specifier: match[2] ?? match[3] ?? '',
      typeOnly: match[1] !== undefined || (listed !== undefined && names.length === 0),
      names,
    };
  });
}

/** The code with comments blanked, lines kept. Strings and templates are stepped over, so `'http://…'` survives. */
export function withoutComments(text: string): string {
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(token, (found) => (found.startsWith('/') ? found.replace(/[^\n]/g, ' ') : found));
}

function linesWith(code: string, pattern: RegExp): number[] {
  const all = new RegExp(pattern.source, `g${pattern.flags.replace('g', '')}`);
  return [...code.matchAll(all)].map((match) => code.slice(0, match.index).split('\n').length);
}

const checkedFolders = ['server', 'sdk', 'cli', 'bench', 'tools', 'test'];
const skippedFolders = new Set(['node_modules', 'results', 'data']);

/** Reads all source files below the root. */
export function readTree(root: string): Map<string, string> {
  const files = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory() && !skippedFolders.has(entry.name)) walk(path);
      if (entry.isFile() && /\.(ts|mjs|sql)$/.test(entry.name) && entry.name !== 'schema.sql')
        files.set(path, readFileSync(join(root, path), 'utf8'));
    }
  };
  for (const folder of checkedFolders) walk(folder);
  return files;
}

if (import.meta.main) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const files = readTree(root);
  const breaches = findBreaches(files);
  for (const { file, line, sentence } of breaches) console.error(`${file}:${line}  ${sentence}`);
  console.log(`check-rooms: ${files.size} files, ${breaches.length} breaches`);
  if (breaches.length > 0) process.exitCode = 1;
}
