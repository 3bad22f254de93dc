import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TRANSFORM_TIME_MAX_MS, transformFault } from './transform.ts';
import { openTransformPool } from './transform-pool.ts';

const pool = openTransformPool();
/** With time for what is about other limits, however busy the machine is. */
const patient = openTransformPool({ timeMaxMs: 60_000 });
after(() => Promise.all([pool.stop(), patient.stop()]));

const EVENT = JSON.stringify({
  id: 'evt_1',
  type: 'job.created',
  data: { job: { reference: 'R1', tags: ['a', 'b'] } },
});
const AT = Date.parse('2026-11-21T12:00:00.000Z');
const run = (expression: string, owner = 'whe_1') => pool.run(owner, { expression, text: EVENT, at_ms: AT });

test('a transform makes JSON of an event, whatever it is', async () => {
  const made = await run(`{"order": data.job.reference, "n": $count(data.job.tags)}`);
  assert.deepEqual([made.output, made.error], ['{"order":"R1","n":2}', null]);
  assert.ok(made.duration_ms > 0);
  assert.equal((await run('data.job.tags')).output, '["a","b"]');
  assert.equal((await run('data.job.reference')).output, '"R1"');
});

test('what goes wrong is said in words, with its place', async () => {
  assert.match((await run('$number(type)')).error ?? '', /number.*at character/i);
  assert.equal((await run('$number(type)')).position, 8);
  assert.match((await run('data.nothing')).error ?? '', /makes nothing/);
  assert.match((await run('$error("no such shop")')).error ?? '', /no such shop/);
  assert.match((await run('{"f": function($x){$x}}')).error ?? '', /^its result holds a function/);
});

test('a transform that does not end is ended, by itself or with its thread, and the next one runs', async () => {
  assert.match((await run('($f := function(){$f()}; $f())')).error ?? '', /timeout|longer/i);
  assert.match((await run(ENDLESS)).error ?? '', new RegExp(`longer than ${TRANSFORM_TIME_MAX_MS} ms`));
  assert.equal((await run('type')).output, '"job.created"');
});

const ENDLESS = `$match($pad("", 40, "a") & "!", /^(a+)+$/)`;

test('recursion, memory, lists and output have limits of their own', async () => {
  const limited = async (expression: string) =>
    (await patient.run('whe_1', { expression, text: EVENT, at_ms: AT })).error ?? 'none';
  assert.match(await limited('($f := function($n){1 + $f($n + 1)}; $f(1))'), /stack|recursi/i);
  assert.match(await limited('$pad("", 1100000, "x")'), /1100002 bytes, and 1048576 are allowed/);
  assert.match(await limited('[1..10000000]'), /100000|sequence/i);
  const hungry = '$count($reduce([1..5000], function($kept, $i){$append($kept, [[1..50000]])}, []))';
  assert.match(await limited(hungry), /more than 64 MiB of memory/);
  assert.equal(await limited('type'), 'none', 'the next one has a fresh thread');
});

test('a slow owner leaves a thread to the others, who take turns', async () => {
  const busy = openTransformPool({ timeMaxMs: 60_000 });
  let isSlowOver = false;
  const slow = busy.run('whe_slow', { expression: ENDLESS, text: EVENT, at_ms: AT }).then((outcome) => {
    isSlowOver = true;
    return outcome;
  });
  const again = busy.run('whe_slow', { expression: ENDLESS, text: EVENT, at_ms: AT });
  const others = ['whe_2', 'whe_3', 'whe_4'].map((owner) =>
    busy.run(owner, { expression: 'id', text: EVENT, at_ms: AT }),
  );
  for (const { output } of await Promise.all(others)) assert.equal(output, '"evt_1"');
  assert.deepEqual([isSlowOver, busy.waiting('whe_slow')], [false, 1], 'nobody waited for it');
  await busy.stop();
  for (const { error } of await Promise.all([slow, again])) assert.match(error ?? '', /stopping/);
});

test('the same event makes the same bytes: a time without its day is of the day of the event', async () => {
  const partial = `$fromMillis($toMillis("08:30", "[H]:[m]"))`;
  const [first, second] = [await run(partial), await run(partial)];
  assert.equal(first.output, '"2026-11-21T08:30:00.000Z"');
  assert.equal(second.output, first.output);
});

test('expressions that answer differently each time, or cannot be read, are refused with their place', () => {
  for (const name of ['now', 'millis', 'random', 'shuffle', 'eval'])
    assert.match(transformFault(`{"a": data.($${name}())}`)?.message ?? '', new RegExp(`\\$${name} at character`));
  assert.match(transformFault('($f := $now; $f())')?.message ?? '', /\$now/);
  assert.match(transformFault('$map([1], $random)')?.message ?? '', /\$random/);
  assert.match(transformFault('{"a": }')?.message ?? '', /at character/);
  assert.equal(transformFault('{"now": now, "random": $string(data.random)}'), null);
  assert.notEqual(transformFault('('.repeat(8_000)), null);
});
