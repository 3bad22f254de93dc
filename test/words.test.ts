// The words of the client, said through the launcher to a running server as a person says them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { verifyWebhook } from '@waypost/sdk/webhooks';
import { words } from '../cli/src/words.ts';
import { nameWords, readClientWords } from '../server/src/operate/client-words.ts';
import { type House, startHouse } from '../server/test/house.ts';
import { type Receiver, startReceiver } from '../server/test/receiver.ts';
import { runWords, type Said } from '../server/test/say.ts';
import { until } from '../server/test/until.ts';

let house: House;
let receiver: Receiver;
let env: Record<string, string> = {};
const LAUNCHER = join(import.meta.dirname, '../waypost');
const folder = mkdtempSync(join(tmpdir(), 'waypost-words-'));
after(() => rmSync(folder, { recursive: true, force: true }));

before(async () => {
  house = await startHouse({ roles: ['api', 'sender'] });
  receiver = await startReceiver();
  env = { WAYPOST_URL: house.server.url, WAYPOST_KEY: house.keys.bound, WAYPOST_DISPATCH_KEY: house.keys.dispatch };
});

const split = (line: string) => line.split(' ').filter((word) => word !== '');
const say = (line: string, input?: string, more: Record<string, string> = {}): Promise<Said> =>
  runWords(split(line), { ...env, ...more }, input);

async function hear(line: string, input?: string): Promise<string> {
  const { code, out, err } = await say(line, input);
  assert.equal(code, 0, `${line}: ${err}${out}`);
  return out;
}

// biome-ignore lint/suspicious/noExplicitAny: replies are looked into freely by tests
async function hearJson(line: string, input?: string): Promise<any> {
  return JSON.parse(await hear(`${line} --json`, input));
}

async function givenJob(): Promise<string> {
  const order = await hear('example job');
  await hear('jobs create', order);
  return JSON.parse(order).reference;
}

test('cli/words.txt names exactly the words that the client has', () => {
  const told = nameWords(readClientWords()).filter((name) => name !== 'run');
  assert.deepEqual(told.toSorted(), Object.keys(words).toSorted());
});

test('every word explains itself and its options', async () => {
  const firsts = new Set(Object.keys(words).map((name) => name.split(' ')[0] ?? name));
  const groups = await Promise.all([...firsts].map((first) => hear(`${first} --help`)));
  const told = groups.join('');
  for (const [name, { usage, options }] of Object.entries(words)) {
    assert.ok(told.includes(`waypost ${usage}`), name);
    for (const option of Object.keys(options)) assert.ok(told.includes(`--${option}`), `${name} --${option}`);
  }
  const alone = await hear('jobs list --help');
  assert.match(alone, /^ {2}waypost jobs list.*\n(?!.*jobs create)/);
  assert.match(await hear('help'), /waypost jobs create\|get\|list/);
  assert.equal(await hear('help jobs list'), alone);
  assert.match((await say('jobs')).out, /waypost jobs trace REF/);
});

const wrong: [line: string, code: number, sentence: RegExp, env?: Record<string, string>][] = [
  ['job creat', 2, /there is no word "job"\. Did you mean "jobs create"\?/],
  ['jobs creat', 2, /there is no word "jobs creat"\. Did you mean "jobs create"\? jobs knows: create, get/],
  ['jobs list --limt 3', 2, /There is no option --limt\. Did you mean --limit\? Usage: waypost jobs list/],
  ['jobs list --limit many', 2, /--limit takes a whole number from 1/],
  ['jobs get', 2, /"jobs get" is not complete\. Usage: waypost jobs get REF/],
  ['jobs get A B', 2, /"B" is one too many/],
  ['jobs get NOWHERE-1', 1, /No job has the reference NOWHERE-1: waypost jobs list/],
  ['jobs create /nowhere/order.json', 2, /There is no file \/nowhere\/order\.json\./],
  ['endpoints health http://127.0.0.1:1/', 1, /There is no endpoint yet/],
  ['events compare /nowhere.ndjson', 2, /There is no file/],
  ['listen --forward http://[', 2, /--forward takes a URL/],
  ['listen --secret geheim', 2, /--secret takes whsec_/],
  ['replay start', 2, /Say what to send again: --from 1 is everything/],
  ['replay start --from 1', 1, /There is no endpoint yet/],
  ['listen --replay x..y', 2, /--replay takes a whole number/],
  ['endpoints attempts --outcome lost', 2, /There is no outcome "lost"/],
  ['dead-letters redrive', 2, /Name dead letters, or an --endpoint, or --all/],
  ['dead-letters list --state lost', 2, /There is no state "lost": --state takes dead, redriving, delivered, expired/],
  [
    'endpoints create http://127.0.0.1:9/ --set in_flight_max',
    2,
    /--set takes NAME=VALUE, such as --set in_flight_max=4/,
  ],
  ['endpoints create http://127.0.0.1:9/ --set in_flght_max=4', 1, /\/in_flght_max .*did you mean "in_flight_max"/],
  ['endpoints create http://127.0.0.1:9/ --file /nowhere.json', 2, /There is no file \/nowhere\.json/],
  ['endpoints update whe_1', 2, /Say what to change, such as --set in_flight_max=4/],
  [
    'endpoints create ftp://x',
    1,
    /^waypost: 422 url_not_allowed {2}Only http and https can be sent to, not ftp\.\n {2}correlation/,
  ],
  ['run', 2, /run takes a file/],
  ['run nowhere.ts', 2, /there is no file nowhere\.ts here to run/],
  ['jobs list', 2, /WAYPOST_KEY is not set: start the server \(npm start\), then run eval/, { WAYPOST_KEY: '' }],
  ['jobs list', 2, /WAYPOST_URL is not set/, { WAYPOST_URL: '' }],
  ['jobs list', 2, /url must begin with http/, { WAYPOST_URL: 'localhost:8080' }],
  ['jobs list', 1, /This API key does not exist[\s\S]*waypost env/, { WAYPOST_KEY: `wp_test_${'x'.repeat(43)}` }],
  [
    'jobs list',
    3,
    /No server answers at http:\/\/127\.0\.0\.1:9 \(.*(ECONNREFUSED|bad port).*\): start it with npm start/,
    { WAYPOST_URL: 'http://127.0.0.1:9' },
  ],
];
for (const [line, code, sentence, more] of wrong) {
  test(`"${line}"${more === undefined ? '' : ` with ${Object.keys(more)}`} fails with ${code} and a sentence`, async () => {
    const said = await say(line, '', more);
    assert.match(said.err, sentence);
    assert.equal(said.code, code);
    assert.equal(said.out, '');
    assert.doesNotMatch(said.err, /\n {4}at /, 'no stack');
  });
}

for (const line of ['jobs list', 'events tail']) {
  test(`Ctrl-C ends "${line}" while no answer comes`, async () => {
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(LAUNCHER, split(line), {
      env: { PATH, HOME, WAYPOST_URL: `http://127.0.0.1:${port}`, WAYPOST_KEY: 'wp_test_x' },
    });
    const ended = once(child, 'exit');
    await once(silent, 'request');
    child.kill('SIGINT');
    const [code, signal] = await ended;
    assert.ok(code === 130 || signal === 'SIGINT', `${code} ${signal}`);
    silent.closeAllConnections();
    silent.close();
  });
}

test('with --json a failure is a value', async () => {
  const { code, out } = await say('jobs create --json', await hear('example job --bad'));
  assert.equal(code, 1);
  const { error, problem } = JSON.parse(out);
  assert.match(error, /422 invalid_request/);
  assert.equal(problem.code, 'invalid_request');
});

test('the example order is taken as it is; sent again it is the same job, counted as a duplicate', async () => {
  const order = await hear('example job');
  const first = await hear('jobs create', order);
  assert.match(first, /^201 Created {2}ORD-\w+ {2}accepted {2}job_/);
  assert.match(await hear('jobs create', order), /^200 OK .*counted as a duplicate \(\d+ in this channel today\)/);
  const again = await hearJson('jobs create', order);
  assert.deepEqual([again.status, again.job.reference], [200, JSON.parse(order).reference]);
  assert.ok(again.duplicates >= 2);
});

test('its windows lie ahead, whenever it is asked for, and every reference is new', async () => {
  const orders = (await hear('example jobs 20'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(new Set(orders.map(({ reference }) => reference)).size, 20);
  for (const { deliveries } of orders) assert.ok(Date.parse(deliveries[0].service_window.start) > Date.now());
});

test('an order with the usual mistakes is refused with every fault at once, in words', async () => {
  const { code, err } = await say('jobs create', await hear('example job --bad'));
  assert.equal(code, 1);
  assert.match(err, /422 invalid_request {2}The body has 6 faults:/);
  for (const fault of [
    /\/priorty +is not a known field; did you mean "priority"\?/,
    /\/priority +is required/,
    /\/country +must be a country by its two capital letters/,
    /\/quantity +must be a whole number; text was given: leave the quotes out/,
    /\/start +must be an instant with its offset/,
    /\/precision .*did you mean "rooftop"\?/,
  ])
    assert.match(err, fault);
});

test('replay sends again what was sent, with its progress; what was sent is shown with its answers', async () => {
  const { received, url } = await startReceiver();
  const { id } = await hearJson(`endpoints create ${url}/again --types job.created`);
  assert.match(await hear(`endpoints verify ${id}`), /is active/);
  await givenJob();
  await givenJob();
  const messages = () => received.filter(({ headers }) => headers['waypost-sequence'] !== undefined);
  await until(() => (messages().length === 2 ? true : null), 'both messages');
  const live = messages().map(({ body }) => body);
  const healthOf = async () => (await house.call('GET', `/v1/endpoints/${id}/health`)).body;
  await until(async () => ((await healthOf()).pending === 0 ? true : null), 'both written down');
  assert.match(await hear(`replay start ${id} --from 1 --types job.*`), /completed {2}100 % {2}(\d+) of \1 delivered/);
  const again = messages().filter(({ headers }) => headers['waypost-replay'] !== undefined);
  assert.deepEqual(
    again
      .map(({ body }) => body)
      .filter((body) => live.includes(body))
      .toSorted(),
    live.toSorted(),
  );
  const [newest] = await hearJson('replay list --limit 1');
  assert.match(await hear(`replay status ${newest.id} --follow`), new RegExp(`^${newest.id} {2}completed`));
  assert.equal((await hearJson(`replay cancel ${newest.id}`)).state, 'completed');
  const begun = await hearJson(`replay start ${id} --from 1 --rate 1 --detach`);
  assert.equal((await hearJson(`replay cancel ${begun.id}`)).state, 'cancelled');
  assert.match(await hear(`endpoints messages ${id}`), /delivered {2}job\.created/);
  assert.match(
    await hear(`endpoints attempts ${id} --outcome delivered`),
    new RegExp(`delivered .*try 1 of ${newest.id}`),
  );
  assert.match(await hear(`endpoints rotate ${id} --overlap 0`), /secret whsec_[\s\S]*signs no more/);
  await hear(`endpoints delete ${id}`);
});

test('listen hands a range of the log to a program, and ends with it', async () => {
  const order = await hear('example job');
  await hear('jobs create', order);
  const { received, url } = await startReceiver();
  const end = (await house.call('GET', '/v1/events?limit=200')).body.data.at(-1).sequence;
  const lines = (await hear(`listen --forward ${url}/local --replay 1..${end} --types job.created --json`))
    .trim()
    .split('\n');
  assert.equal(received.length, lines.length);
  assert.ok(received.length > 0 && lines.every((line) => JSON.parse(line).handed.status === 204));
});

test('of many orders a bad one does not stop the others', async () => {
  const [bad = '', good = ''] = [await hear('example jobs 1 --bad'), await hear('example jobs 1')];
  const { code, out } = await say('jobs create', good + bad + good);
  assert.equal(code, 1);
  assert.match(out, /^201 Created.*\n422 invalid_request[\s\S]*\n200 OK/);
});

test('the example report ends a job that a driver has, and the steps before it are implied', async () => {
  const reference = await givenJob();
  assert.match(await hear(`jobs assign ${reference}`), /is assigned to Example driver\./);
  const completion = await hear('example completion');
  assert.match(
    await hear(`jobs report ${reference}`, completion),
    /^Applied: ORD-\w+ is completed, 4 events written\./,
  );
  assert.match(await hear(`jobs report ${reference}`, completion), /^Applied|^Kept/);
  const story = await hear(`jobs trace ${reference}`);
  assert.match(story, /the order by "Test" \(source\)/);
  assert.equal(story.match(/ implied$/gm)?.length, 3, story);
  assert.match(story, /6 events, 3 of them implied/);
  const { job, chapters } = await hearJson(`jobs trace ${reference}`);
  assert.equal(job.status, 'completed');
  assert.deepEqual(
    // biome-ignore lint/suspicious/noExplicitAny: as above
    chapters.map(({ events }: any) => events.length),
    [1, 1, 4],
  );
  assert.match(await hear(`jobs get ${reference}`), /completed \(delivered\)/);
  assert.match(await hear(`jobs watch ${reference}`), /delivery\.completed, job\.completed/);
});

test('examples of a report and of an endpoint with mistakes are refused in words', async () => {
  const reference = await givenJob();
  await hear(`jobs assign ${reference}`);
  const report = await say(`jobs report ${reference}`, await hear('example completion --bad'));
  assert.equal(report.code, 1);
  assert.match(report.err, /\/outcom .*did you mean "outcome"\?/);
  assert.match(report.err, /\/to .*did you mean "completed"\?/);
});

test('many orders are driven to their ends, and the list shows where they stand', async () => {
  const { jobs, statuses, references } = await hearJson('example jobs 20 --run');
  assert.deepEqual([jobs, statuses, references.length], [20, { completed: 19, cancelled: 1 }, 20]);
  const listed = await hearJson('jobs list --status cancelled --limit 5');
  assert.ok(listed.length > 0 && listed.every((job: { status: string }) => job.status === 'cancelled'));
  assert.match(await hear('jobs list --limit 3'), /^(ORD-\w+ +\w+.*\n){3}$/);
});

test('an endpoint is made, tested, watched, paused, resumed and deleted', async () => {
  const made = await hear(`endpoints create ${receiver.url} --types job.*`);
  assert.match(made, /secret whsec_\S+ {2}\(shown once\)/);
  await hear('endpoints test');
  assert.match(await hear('endpoints list'), /active {2}http.*job\.\*/);
  await givenJob();
  const health = await hear('endpoints health --wait --within 20');
  assert.match(health, /active, circuit closed, 0 behind, 0 dead letters/);
  await hear(`endpoints pause ${receiver.url}`);
  const waiting = await say('endpoints health --wait --within 1');
  assert.equal(waiting.code, 1);
  assert.match(waiting.err, /Not there after 1 s: .* is paused/);
  const reference = await givenJob();
  assert.match(await hear(`jobs trace ${reference}`), /→ http\S+ {2}waits: the endpoint is paused/);
  assert.match(await hear(`endpoints resume ${receiver.url}`), /is active/);
  await hear('endpoints health --wait --within 20');
  assert.match(
    await hear(`jobs trace ${reference}`),
    /→ http\S+ {2}delivered 204 in \d+ m?s, [\d.]+ m?s after it was written/,
  );
  assert.match(await hear(`endpoints delete ${receiver.url}`), /deleted/);
  assert.match(await hear('endpoints list'), /No endpoint yet/);
});

test('an endpoint takes every setting by its name or from a file, and says what became another', async () => {
  const settings = join(folder, 'settings.json');
  const worth_sending = [{ types: ['job.updated'], latest_wins: true }];
  writeFileSync(settings, JSON.stringify({ worth_sending, headers: { 'X-Shop': 'no 7' }, in_flight_max: 9 }));
  const more = `--set in_flight_max=4 --set tags=["vip"] --set format=cloudevents_binary --types job.* --file ${settings}`;
  const made = await hearJson(`endpoints create ${receiver.url}/set ${more}`);
  const { in_flight_max, tags, format, types, header_names, start_at } = made;
  assert.deepEqual(
    [in_flight_max, tags, format, types],
    [4, ['vip'], 'cloudevents_binary', ['job.*']],
    'the last word counts',
  );
  assert.deepEqual([header_names, start_at], [['x-shop'], 'now']);
  assert.deepEqual(made.worth_sending, [{ ...worth_sending[0], time_to_live_s: null }]);
  const changed = await hear(`endpoints update ${made.id} --set rate_per_s=50 --set tags=null --description orders`);
  assert.match(changed, /\n {2}rate_per_s {2}null → 50\n/);
  assert.match(changed, /\n {2}tags {2}\["vip"\] → null\n/);
  assert.match(changed, /\n {2}description {2}null → "orders"\n/);
  assert.match(await hear(`endpoints update ${made.id} --set rate_per_s=50`), /nothing that is shown is another/);
  const moved = await hearJson(`endpoints update ${made.id} --url ${receiver.url}/elsewhere`);
  assert.equal(moved.url, `${receiver.url}/elsewhere`);
  assert.match((await say(`endpoints update ${made.id} --set rate_per_s=fast`)).err, /\/rate_per_s .*whole number/);
  await hear(`endpoints delete ${made.id}`);
});

test('a record of events that lacks one, holds a foreign one and differs in one is told apart', async () => {
  for (let more = 0; more < 4; more++) await givenJob();
  const reference = await givenJob();
  await hear(`jobs assign ${reference}`);
  const tail = (await hear(`events tail --after 0 --limit 6 --json`)).trim().split('\n');
  const [newest] = (await hear('events tail --limit 1 --json')).trim().split('\n');
  assert.equal(JSON.parse(newest ?? '').data.job.reference, reference, 'the newest, where no more are wanted');
  assert.match(await hear('jobs list --text nobody-has-this'), /^No job is like that\.\n$/);
  const whole = join(folder, 'whole.ndjson');
  // The log goes on meanwhile: only what is there now is compared.
  const all = (await house.as.bound.events.list({ limit: 200 })).data;
  const [first, second, third] = all;
  assert.ok(first && second && third && tail.length === 6);
  const write = (events: readonly object[]) =>
    writeFileSync(whole, events.map((event) => JSON.stringify(event)).join('\n'));
  const rest = [];
  for await (const event of house.as.bound.events.iterate()) rest.push(event);
  write(rest);
  assert.match(await hear(`events compare ${whole}`), /missing there +0\n.*\n.*\n[\s\S]*Both sides agree\./);
  const [one, , three, ...others] = rest;
  write([
    one as object,
    { ...three, type: 'job.deleted' },
    ...others,
    { ...one, id: 'evt_01m7yhqmb4e008000004ph4vfp', sequence: 1_000_000 },
  ]);
  const { code, out } = await say(`events compare ${whole} --json`);
  assert.equal(code, 1);
  const { equal, events } = JSON.parse(out);
  assert.deepEqual(
    [equal, events.matched, events.missing_there.length, events.unknown_here.length, events.differs.length],
    [false, rest.length - 2, 1, 1, 1],
  );
  assert.match(events.differs[0], /type is "job\.deleted" there, "job\.\w+(\.updated)?" here/);
  // At least once, and for long.
  const { id, sequence } = one as { id: string; sequence: number };
  writeFileSync(whole, `${JSON.stringify({ id, sequence })}\n`.repeat(200_000));
  const long = await say(`events compare ${whole} --json`);
  assert.deepEqual(
    [long.code, JSON.parse(long.out).events?.matched, JSON.parse(long.out).from],
    [1, 1, sequence],
    long.out.slice(0, 200),
  );
});

test('a record of jobs by reference or id is compared with ours', async () => {
  const jobs = [];
  for await (const { id, reference, status } of house.as.bound.jobs.iterate()) jobs.push({ id, reference, status });
  const path = join(folder, 'jobs.ndjson');
  const lines = jobs.map(({ id, reference, status }, index) =>
    JSON.stringify(index % 2 ? { reference, status } : { job_id: id, status }),
  );
  writeFileSync(path, lines.join('\n'));
  assert.match(await hear(`events compare ${path}`), /Both sides agree\./);
  writeFileSync(
    path,
    [
      ...lines.slice(2),
      '{"reference":"NOT-OURS","status":"completed"}',
      JSON.stringify({ job_id: jobs[0]?.id, status: 'lost' }),
    ].join('\n'),
  );
  const { code, out } = await say(`events compare ${path}`);
  assert.equal(code, 1);
  assert.match(out, /missing there +1\n {2}unknown here +1\n {2}differs +1\n/);
  assert.match(out, /lost there, \w+ here/);
  writeFileSync(path, '{"status":1}\n');
  assert.match((await say(`events compare ${path}`)).err, /Line 1 of .* is neither an event .* nor a job/);
});

test('listen hands events, signed, to a program of the developer; what it answers is shown', async () => {
  const local = await startReceiver();
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  await givenJob();
  local.answer([{ status: 500, body: 'no such table' }, { status: 204 }]);
  const { code, out } = await say(`listen --forward ${local.url} --replay 5 --limit 2 --secret ${secret}`);
  assert.equal(code, 1, 'one was refused');
  assert.match(out, /→ 500 in \d+ ms {2}no such table\n/);
  assert.match(out, /→ 204 in \d+ ms\n/);
  const [first, second] = local.received;
  assert.ok(first && second);
  const event = await verifyWebhook({ secret, headers: first.headers, body: first.body });
  assert.equal(first.headers['webhook-id'], event.id);
  assert.equal('previous' in event, false, 'the body is the event alone');
  assert.equal(second.headers['waypost-previous'], String(event.sequence));
  await local.stop();
  assert.match((await say(`listen --forward ${local.url} --replay 5 --limit 1`)).out, /no answer: ECONNREFUSED/);
});

test('run gives the SDK to a program that lies anywhere', async () => {
  const file = join(folder, 'mine.ts');
  writeFileSync(
    file,
    `import { Waypost } from '@waypost/sdk';
    import { WaypostProblem } from '@waypost/sdk/errors';
    const client: Waypost = new Waypost({ url: process.env.WAYPOST_URL ?? '', key: process.env.WAYPOST_KEY ?? '' });
    const error = await client.jobs.get('nowhere').catch((thrown: unknown) => thrown);
    console.log(error instanceof WaypostProblem, process.argv.slice(2).join());`,
  );
  assert.equal(await hear(`run ${file} --one two`), 'true --one,two\n');
});

test('listen waits for what comes', async () => {
  const local = await startReceiver();
  const listening = say(`listen --forward ${local.url} --limit 1`);
  const sending = until(async () => {
    if (local.received.length === 0) await givenJob();
    return local.received.length > 0 ? true : null;
  }, 'an event that listen handed on');
  assert.equal((await listening).code, 0);
  await sending;
});

test('dead letters are listed and sent again', async () => {
  const made = await hearJson(`endpoints create ${receiver.url}`);
  await hear('endpoints test');
  receiver.answer({ status: 500, headers: { 'webhook-delivery': 'abort' }, body: 'no such table' });
  await givenJob();
  await until(
    async () => ((await hearJson('dead-letters list --state dead')).length > 0 ? true : null),
    'a dead letter',
  );
  assert.match(await hear('dead-letters list'), /dead +\d+ {2}job\.created {2}1 attempt/);
  const [letter] = await hearJson('dead-letters list --state dead');
  const shown = await hear(`dead-letters show ${letter.id}`);
  assert.match(shown, new RegExp(`^${letter.id}  dead  aborted_by_receiver\n  job\\.created, sequence \\d+, evt_`));
  assert.match(shown, /\n {2}about job_\w+\n {2}to whe_\w+, died at .*\n {2}\S+Z {2}500 {2}.*no such table/);
  assert.ok(shown.endsWith(`  Send it again: ./waypost dead-letters redrive ${letter.id}\n`));
  const whole = await hearJson(`dead-letters show ${letter.id}`);
  assert.deepEqual([whole.id, whole.attempts.length, whole.attempts[0].status], [letter.id, 1, 500]);
  const unknown = await say('dead-letters show dlt_01m7yhqmb4f0pankpv0n1w71v1');
  assert.deepEqual([unknown.code, /There is no dead letter/.test(unknown.err)], [1, true]);
  receiver.answer({ status: 204 });
  assert.match(await hear(`dead-letters redrive ${letter.id}`), /1 dead letter: 1 delivered, 0 died again/);
  assert.doesNotMatch(await hear(`dead-letters show ${letter.id}`), /Send it again/);
  assert.match(await hear('dead-letters redrive --all'), /0 dead letters: 0 delivered, 0 died again/);
  assert.match(await hear('dead-letters list --state dead'), /No dead letter\./);
  await hear(`endpoints delete ${made.id}`);
});

test('a script for the shell completes words of both sides', async () => {
  const script = await hear('completion bash');
  for (const word of ['serve', 'jobs', 'trace', 'dead-letters']) assert.match(script, new RegExp(`\\b${word}\\b`));
  assert.match((await say('completion fish')).err, /There is no completion for "fish"/);
});

test('run starts a file with the Node and the SDK of the clone', async () => {
  const file = join(import.meta.dirname, '../examples/receiver.ts');
  const { code, err } = await runWords(['run', file], {});
  assert.equal(code, 1);
  assert.match(err, /^receiver: url must begin with http.*Is WAYPOST_URL set\?\n$/);
  assert.ok(readFileSync(file, 'utf8').includes("from '@waypost/sdk'"));
});
