import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SENDS_AT_A_TIME, SENDS_PER_TURN, type Sendable, Turns } from './turns.ts';

/** Endpoints with backlogs, and the turns of an event loop that has nothing else to do. */
function openLoop(inFlightMax = 1_000_000) {
  const planned: (() => void)[] = [];
  const turns = new Turns((turn) => void planned.push(turn), inFlightMax);
  const sent: string[] = [];
  const open = (tenant_id: string, backlog: number): Sendable => {
    let left = backlog;
    const run: Sendable = {
      config: { tenant_id },
      takeTurn() {
        for (; left > 0 && turns.isOpenTo(run); left--) {
          sent.push(tenant_id);
          turns.note(run);
        }
      },
    };
    return run;
  };
  const runTurn = () => {
    for (const turn of planned.splice(0)) turn();
  };
  const countOf = (tenant_id: string) => sent.filter((each) => each === tenant_id).length;
  return { open, turns, runTurn, sent, countOf, planned };
}

test('what fits into a turn goes out at once', () => {
  const { open, sent } = openLoop();
  open('a', SENDS_PER_TURN).takeTurn();
  assert.equal(sent.length, SENDS_PER_TURN);
});

test('no turn sends more than it may, and everything goes out in the end', () => {
  const { open, runTurn, sent, planned } = openLoop();
  const runs = Array.from({ length: 20 }, () => open('a', 100));
  for (const run of runs) run.takeTurn();
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
  for (let n = 0; n < 500; n++) open('busy', 32).takeTurn();
  for (let n = 0; n < 3; n++) runTurn();
  const before = countOf('busy');
  open('quiet', 1).takeTurn();
  runTurn();
  assert.equal(countOf('quiet'), 1);
  assert.ok(countOf('busy') - before <= SENDS_PER_TURN);
});

test('turns go round by tenants, however many endpoints each has', () => {
  const { open, runTurn, countOf } = openLoop();
  for (let n = 0; n < 100; n++) open('many', 1_000).takeTurn();
  open('one', 10_000).takeTurn();
  const before = countOf('many');
  for (let n = 0; n < 10; n++) runTurn();
  assert.ok(Math.abs(countOf('many') - before - countOf('one')) <= SENDS_AT_A_TIME);
  assert.equal(countOf('one') + countOf('many') - before, 10 * SENDS_PER_TURN);
});

test('of one tenant all endpoints have their turn', () => {
  const { open, runTurn, sent } = openLoop();
  const first = open('a', 10_000);
  const second = open('a', 5);
  first.takeTurn();
  const before = sent.length;
  second.takeTurn();
  assert.equal(sent.length, before);
  runTurn();
  assert.equal(sent.length, before + SENDS_PER_TURN);
  second.takeTurn();
  assert.equal(sent.length, before + SENDS_PER_TURN, 'it had sent everything');
});

test('who finds no room waits for an answer, and others go on', () => {
  const { open, turns, runTurn, countOf, planned } = openLoop(30);
  const hanging = open('hanging', 100);
  hanging.takeTurn();
  for (let n = 0; n < 3; n++) runTurn();
  assert.equal(countOf('hanging'), 10);
  assert.equal(turns.held, 1);
  assert.equal(planned.length, 0, 'nothing goes round while nothing changes');
  open('quiet', 1).takeTurn();
  assert.equal(countOf('quiet'), 1, 'at once: who is held is in nobody\u2019s way');
  turns.count(hanging, 6);
  assert.equal(planned.length, 1);
  runTurn();
  assert.equal(countOf('hanging'), 14);
  assert.equal(turns.held, 1);
});

test('who leaves makes room for those that wait', () => {
  const { open, turns, runTurn, countOf } = openLoop(30);
  const gone = open('a', 100);
  gone.takeTurn();
  const next = open('a', 1);
  for (let n = 0; n < 9; n++) turns.note(next);
  next.takeTurn();
  assert.deepEqual([countOf('a'), turns.held], [10, 2]);
  turns.leave(gone);
  runTurn();
  assert.deepEqual([countOf('a'), turns.held], [11, 0]);
});
