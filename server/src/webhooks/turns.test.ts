import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SENDS_AT_A_TIME, SENDS_PER_TURN, type Sendable, Turns } from './turns.ts';

/** Endpoints with backlogs, and the turns of an event loop that has nothing else to do. */
function openLoop() {
  const planned: (() => void)[] = [];
  const turns = new Turns((turn) => void planned.push(turn));
  const sent: string[] = [];
  const open = (tenant_id: string, backlog: number): Sendable => {
    let left = backlog;
    const run: Sendable = {
      config: { tenant_id },
      pump() {
        for (; left > 0 && turns.isOpenTo(run); left--) {
          sent.push(tenant_id);
          turns.note();
        }
      },
    };
    return run;
  };
  const runTurn = () => {
    for (const turn of planned.splice(0)) turn();
  };
  const countOf = (tenant_id: string) => sent.filter((each) => each === tenant_id).length;
  return { open, runTurn, sent, countOf, planned };
}

test('what fits into a turn goes out at once', () => {
  const { open, sent } = openLoop();
  open('a', SENDS_PER_TURN).pump();
  assert.equal(sent.length, SENDS_PER_TURN);
});

test('no turn sends more than it may, and everything goes out in the end', () => {
  const { open, runTurn, sent, planned } = openLoop();
  const runs = Array.from({ length: 20 }, () => open('a', 100));
  for (const run of runs) run.pump();
  let before = 0;
  while (planned.length > 0) {
    assert.ok(sent.length - before <= SENDS_PER_TURN);
    before = sent.length;
    runTurn();
  }
  assert.equal(sent.length, 2_000);
});

test('the single event of a tenant waits for no more than a turn of another with hundreds of endpoints', () => {
  const { open, runTurn, countOf } = openLoop();
  for (let n = 0; n < 500; n++) open('busy', 32).pump();
  for (let n = 0; n < 3; n++) runTurn();
  const before = countOf('busy');
  open('quiet', 1).pump();
  runTurn();
  assert.equal(countOf('quiet'), 1);
  assert.ok(countOf('busy') - before <= SENDS_PER_TURN);
});

test('turns go round by tenants, however many endpoints each has', () => {
  const { open, runTurn, countOf } = openLoop();
  for (let n = 0; n < 100; n++) open('many', 1_000).pump();
  open('one', 10_000).pump();
  const before = countOf('many');
  for (let n = 0; n < 10; n++) runTurn();
  assert.ok(Math.abs(countOf('many') - before - countOf('one')) <= SENDS_AT_A_TIME);
  assert.equal(countOf('one') + countOf('many') - before, 10 * SENDS_PER_TURN);
});

test('of one tenant all endpoints have their turn', () => {
  const { open, runTurn, sent } = openLoop();
  const first = open('a', 10_000);
  const second = open('a', 5);
  first.pump();
  const before = sent.length;
  second.pump();
  assert.equal(sent.length, before);
  runTurn();
  assert.equal(sent.length, before + SENDS_PER_TURN);
  second.pump();
  assert.equal(sent.length, before + SENDS_PER_TURN, 'it had sent everything');
});
