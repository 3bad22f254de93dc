import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BROKEN_MAX_MS,
  closeCircuit,
  isBeyondRepair,
  newCircuit,
  noteProbe,
  noteResult,
  probePauseS,
  restoreCircuit,
} from './circuit.ts';

const start = Date.parse('2026-11-21T12:00:00Z');

/** Notes results spaced by `gap` ms; answers after how many the circuit opened, or null. */
function run(results: { passed: boolean; job: string }[], gap = 10): number | null {
  const circuit = newCircuit();
  for (const [index, result] of results.entries()) {
    if (noteResult(circuit, { ...result, now: start + index * gap })) return index + 1;
  }
  return null;
}
const fail = (job: number | string) => ({ passed: false, job: `job_${job}` });
const pass = (job: number | string) => ({ passed: true, job: `job_${job}` });

test('ten failures in a row over three jobs open it at the tenth', () => {
  assert.equal(run(Array.from({ length: 20 }, (_, index) => fail(index % 3))), 10);
  assert.equal(run(Array.from({ length: 20 }, (_, index) => fail(index))), 10);
});

test('failures of one or two jobs never open it', () => {
  assert.equal(run(Array.from({ length: 500 }, () => fail('poison'))), null);
  assert.equal(run(Array.from({ length: 500 }, (_, index) => fail(index % 2))), null);
});

test('ten failures in a row open it however slowly they come', () => {
  assert.equal(
    run(
      Array.from({ length: 20 }, (_, index) => fail(index)),
      3_600_000,
    ),
    10,
  );
});

test('a success between begins the row anew', () => {
  const results = Array.from({ length: 60 }, (_, index) => (index % 9 === 8 ? pass(index) : fail(index)));
  assert.equal(run(results, 20_000), null, 'too slow for the share, too few in a row');
});

test('half of ten within thirty seconds open it', () => {
  const mixed = [pass(1), fail(2), pass(3), fail(4), pass(5), fail(6), pass(7), fail(8), pass(9), fail(10)];
  assert.equal(run(mixed), 10);
  assert.equal(run(mixed, 4_000), null, 'the same over 40 seconds do not');
});

test('less than half does not open it', () => {
  const results = Array.from({ length: 400 }, (_, index) => (index % 5 >= 3 ? fail(index) : pass(index)));
  assert.equal(run(results), null);
});

test('the share counts what happened in the last thirty seconds only', () => {
  const circuit = newCircuit();
  for (let index = 0; index < 9; index++)
    noteResult(circuit, { ...(index % 2 ? fail(index) : pass(index)), now: start });
  assert.equal(noteResult(circuit, { ...fail(20), now: start + 31_000 }), false);
  assert.equal(circuit.state, 'closed');
});

test('probes go out after 5 s, doubling up to 15 minutes', () => {
  assert.deepEqual(
    Array.from({ length: 12 }, (_, probes) => probePauseS(probes)),
    [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900],
  );
});

function opened() {
  const circuit = newCircuit();
  for (let index = 0; index < 10; index++) noteResult(circuit, { ...fail(index), now: start });
  assert.equal(circuit.state, 'open');
  assert.equal(circuit.probe_at, start + 5_000);
  return circuit;
}

test('a failed probe waits longer, a passed one lets the endpoint prove itself', () => {
  const circuit = opened();
  noteProbe(circuit, false, start + 5_000);
  assert.equal(circuit.probe_at, start + 15_000);
  noteProbe(circuit, true, start + 15_000);
  assert.equal(circuit.state, 'proving');
  assert.equal(circuit.open_since, start, 'it has been broken since then until it is closed');
  closeCircuit(circuit);
  assert.deepEqual(circuit, newCircuit());
});

test('one that breaks while it proves itself climbs the ladder further', () => {
  const circuit = opened();
  noteProbe(circuit, true, start + 5_000);
  assert.equal(noteResult(circuit, { ...fail('a'), now: start + 6_000 }), false);
  assert.equal(noteResult(circuit, { ...fail('a'), now: start + 6_000 }), true);
  assert.equal(circuit.probe_at, start + 16_000);
  assert.equal(circuit.open_since, start);
});

test('one message that fails while others pass does not break it again while it proves itself', () => {
  const circuit = opened();
  noteProbe(circuit, true, start + 5_000);
  for (let index = 0; index < 100; index++) {
    assert.equal(
      noteResult(circuit, { ...(index % 5 === 0 ? fail('poison') : pass(index)), now: start + 6_000 }),
      false,
    );
  }
});

test('results of what was still in flight change nothing while it is open', () => {
  const circuit = opened();
  const before = structuredClone(circuit);
  noteResult(circuit, { ...pass(1), now: start + 1 });
  noteResult(circuit, { ...fail(2), now: start + 1 });
  assert.deepEqual(circuit, before);
});

test('after three days it is beyond repair, restarts included', () => {
  const circuit = opened();
  assert.equal(isBeyondRepair(circuit, start + BROKEN_MAX_MS - 1), false);
  assert.equal(isBeyondRepair(circuit, start + BROKEN_MAX_MS), true);
  const restored = restoreCircuit({ open_since: start, probes: 3, probe_at: start + 40_000 });
  assert.equal(restored.state, 'open');
  assert.equal(restored.probes, 3);
  assert.equal(isBeyondRepair(restored, start + BROKEN_MAX_MS), true);
  assert.deepEqual(restoreCircuit({ open_since: null, probes: 0, probe_at: 0 }), newCircuit());
});

test('it never opens on a success, and never with fewer than ten results or three failed jobs', () => {
  const result = fc.record({ passed: fc.boolean(), job: fc.integer({ min: 0, max: 6 }).map((job) => `job_${job}`) });
  fc.assert(
    fc.property(fc.array(result, { maxLength: 80 }), fc.integer({ min: 0, max: 10_000 }), (results, gap) => {
      const at = run(results, gap);
      if (at === null) return;
      assert.ok(at >= 10);
      assert.equal(results[at - 1]?.passed, false);
      assert.ok(
        new Set(
          results
            .slice(0, at)
            .filter(({ passed }) => !passed)
            .map(({ job }) => job),
        ).size >= 3,
      );
    }),
  );
});
