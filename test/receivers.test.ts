// The receivers under examples/, each run as its own first lines say, against the real server: they verify, keep every
// message once, survive a kill, and refuse what is forged.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type House, startHouse } from '../server/test/house.ts';
import { runWords } from '../server/test/say.ts';
import { findFreePort } from '../server/test/server-process.ts';
import { until } from '../server/test/until.ts';

const examples = join(dirname(import.meta.dirname), 'examples');
const folder = mkdtempSync(join(tmpdir(), 'waypost-receivers-'));
const running = new Set<ChildProcess>();
let house: House;
let env: Record<string, string> = {};

before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
  env = { WAYPOST_URL: house.server.url, WAYPOST_KEY: house.keys.bound, WAYPOST_DISPATCH_KEY: house.keys.dispatch };
});
after(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

interface Program {
  child: ChildProcess;
  output(): string;
  kill(): Promise<void>;
}

async function startProgram(command: readonly string[], more: Record<string, string>): Promise<Program> {
  const { PATH = '', HOME = '' } = process.env;
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd: folder, env: { PATH, HOME, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
  await until(async () => {
    assert.equal(child.exitCode, null, `it ended: ${output}`);
    return output.includes('Listening on') ? true : null;
  }, `${program} listens`);
  const kill = async () => {
    running.delete(child);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  return { child, output: () => output, kill };
}

/** Orders that are carried out to their ends. Answers the sequences of their events, in order. */
async function carryOut(count: number): Promise<number[]> {
  const { references } = JSON.parse((await runWords(['example', 'jobs', String(count), '--run', '--json'], env)).out);
  const sequences: number[] = [];
  for await (const event of house.as.bound.events.iterate())
    if (references.includes(event.data.job?.reference)) sequences.push(event.sequence);
  return sequences;
}

/** The sequences at the beginning of the printed lines, as often as they were printed. */
function printedSequences(output: string): number[] {
  return [...output.matchAll(/^(\d+) ORD-/gm)].map((match) => Number(match[1]));
}

async function waitForAll(programs: readonly Program[], wanted: readonly number[]): Promise<number[]> {
  const read = () => programs.flatMap((program) => printedSequences(program.output()));
  await until(async () => (wanted.every((sequence) => read().includes(sequence)) ? true : null), 'every event came');
  return read();
}

function signedHeaders(secret: string, id: string, body: string, atMs: number): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1_000));
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

/** What a receiver must tell apart, whatever it is written in. */
async function checkRefusals(url: string, secret: string): Promise<void> {
  const body = '{"id":"evt_x","type":"endpoint.test","data":{}}';
  const post = async (headers: Record<string, string>, text = body) =>
    (await fetch(url, { method: 'POST', headers, body: text })).status;
  const now = Date.now();
  const good = signedHeaders(secret, 'evt_x', body, now);
  const other = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
  assert.equal(await post(good), 204, 'genuine');
  assert.equal(await post(good), 204, 'a repeat is answered like the first');
  assert.equal(await post(good, body.replace('test', 'tost')), 400, 'a changed body');
  assert.equal(await post(signedHeaders(other, 'evt_x', body, now)), 400, 'another secret');
  assert.equal(await post({ ...good, 'webhook-id': 'evt_y' }), 400, 'another id');
  assert.equal(await post(signedHeaders(secret, 'evt_x', body, now - 3_600_000)), 400, 'an hour old');
  assert.equal(await post({}), 400, 'no signature at all');
  const { 'webhook-signature': signature = '', ...rest } = good;
  const foreign = `v1,${Buffer.alloc(32).toString('base64')}`;
  assert.equal(
    await post({ ...rest, 'webhook-signature': `${foreign} ${signature}` }),
    204,
    'two while one is rotated',
  );
}

test('receiver.ts registers itself, keeps a record and knows what is missing, across a kill', async () => {
  const port = await findFreePort();
  const record = join(folder, 'ts.ndjson');
  const more = { ...env, PORT: String(port), RECORD: record };
  const start = () => startProgram([process.execPath, join(examples, 'receiver.ts')], more);
  const first = await start();
  const wait = async () => {
    const said = await runWords(['endpoints', 'health', `http://127.0.0.1:${port}/`, '--wait'], env);
    assert.equal(said.code, 0, said.err);
  };
  await wait();
  const sequences = await carryOut(5);
  await wait();
  const [endpoint] = (await house.as.bound.endpoints.list()).data;
  const attempts = await house.as.bound.endpoints.attempts(endpoint?.id ?? '', { limit: 200 });
  assert.ok(
    attempts.data.every(({ outcome }) => outcome === 'delivered'),
    'nothing comes before it listens',
  );
  await first.kill();
  sequences.push(...(await carryOut(5)));
  const second = await start();
  await wait();
  const counts = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  assert.equal(counts, `${sequences.length} events of 10 jobs: missing 0, out of order 0\n`);
  const compared = await runWords(['events', 'compare', record], env);
  assert.equal(compared.code, 0, compared.out);
  assert.deepEqual(
    (await waitForAll([first, second], sequences)).toSorted((a, b) => a - b),
    sequences,
  );
  const { secret } = JSON.parse(readFileSync(`${record}.key`, 'utf8'));
  assert.equal((await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' })).status, 400);
  assert.match(secret, /^whsec_/);
  const taken = await runWords(['run', join(examples, 'receiver.ts')], { ...more, RECORD: join(folder, 'x.ndjson') });
  assert.match(taken.err, /^receiver: listen EADDRINUSE.*\n$/);
  const { data: made } = await house.as.bound.endpoints.list();
  assert.equal(made.length, 1, 'who cannot listen registers nothing');
  const lines = readFileSync(join(examples, 'receiver.ts'), 'utf8').split('\n');
  assert.ok(lines.filter((line) => !/^\s*(?:\/\/.*)?$/.test(line)).length <= 50, 'it has the length that it says');
  await second.kill();
});

const programs = [
  { runtime: 'python3', probe: ['--version'], file: 'receiver.py', build: null, inbox: 'inbox.db' },
  {
    runtime: 'go',
    probe: ['version'],
    file: 'receiver.go',
    build: ['build', '-o', 'receiver-go'],
    inbox: 'inbox.ndjson',
  },
  { runtime: 'php', probe: ['--version'], file: 'receiver.php', build: null, inbox: 'inbox-php' },
  { runtime: 'ruby', probe: ['--version'], file: 'receiver.rb', build: null, inbox: 'inbox-rb' },
] as const;
/** Where a runtime is expected to be there, its absence is a failure. */
const required = (process.env.REQUIRED_RUNTIMES ?? '').split(',');

for (const { runtime, probe, file, build, inbox } of programs) {
  const name = `${file} verifies by hand, keeps every message once across a kill, and refuses what is forged`;
  if (spawnSync(runtime, probe).status !== 0 && !required.includes(runtime)) {
    console.log(`not run: ${file} (there is no ${runtime} here)`);
    continue;
  }
  test(name, async () => {
    const port = String(await findFreePort());
    const url = `http://127.0.0.1:${port}/`;
    let command = [runtime, join(examples, file)];
    if (build !== null) {
      const goEnv = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '', GOPROXY: 'off' };
      const built = spawnSync(runtime, [...build, join(examples, file)], { cwd: folder, env: goEnv, encoding: 'utf8' });
      assert.equal(built.status, 0, built.stderr);
      command = [join(folder, 'receiver-go')];
    }
    const made = await house.as.bound.endpoints.create({ url, start_at: 'now' });
    const secret = made.secret ?? '';
    const more = { PORT: port, WEBHOOK_SECRET: secret, INBOX: join(folder, inbox) };
    const first = await startProgram(command, more);
    // PHP says so a moment before it listens.
    await until(() => fetch(url).catch(() => null), `${file} answers`);
    assert.equal((await house.as.bound.endpoints.verify(made.id)).delivered, true);
    const sequences = await carryOut(5);
    await waitForAll([first], sequences);
    await first.kill();
    const second = await startProgram(command, more);
    sequences.push(...(await carryOut(5)));
    const printed = await waitForAll([first, second], sequences);
    // What was stored and not worked off before the kill is worked off after it.
    assert.deepEqual(
      [...new Set(printed)].toSorted((a, b) => a - b),
      sequences,
    );
    await checkRefusals(url, secret);
    await house.as.bound.endpoints.delete(made.id);
    await second.kill();
    const bare = spawnSync(command[0] ?? '', command.slice(1), {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '' },
      encoding: 'utf8',
    });
    assert.match(bare.stderr, /^receiver: WEBHOOK_SECRET is not set: .*\n$/);
    assert.equal(bare.status, 1);
  });
}
