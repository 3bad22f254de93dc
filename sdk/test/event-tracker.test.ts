import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createEventTracker, readMessage } from '../src/event-tracker.ts';

/** A chain as a filtered endpoint sees it: sequences with holes, each naming the one before. */
function chainOf(sequences: number[]) {
  return sequences.map((sequence, index) => ({ sequence, previous: sequences[index - 1] ?? null }));
}
const chain = chainOf([3, 4, 9, 12, 13]);
const at = (index: number) => chain[index] ?? assert.fail();

test('a whole chain has no gap, whatever the filter left out', () => {
  const tracker = createEventTracker();
  for (const message of chain) assert.equal(tracker.take(message, 0), 'new');
  assert.deepEqual(tracker.listGaps(1_000, 0), []);
  assert.deepEqual(tracker.readState(), { through: 13, beyond: [] });
});

test('a missing event is named by the one after it, and the place to fetch from is known', () => {
  const tracker = createEventTracker();
  tracker.take(at(0), 0);
  tracker.take(at(1), 0);
  tracker.take(at(3), 500);
  assert.deepEqual(tracker.listGaps(1_000, 100), [{ sequence: 9, after: '4', noticed_ms: 500 }]);
  assert.deepEqual(tracker.listGaps(1_000, 501), [], 'it may still be on its way');
  assert.equal(tracker.take(at(2), 2_000), 'new');
  assert.deepEqual(tracker.listGaps(9_000, 0), []);
  assert.equal(tracker.readState().through, 12);
});

test('a first message that is missing is noticed too', () => {
  const tracker = createEventTracker();
  tracker.take(at(1), 7);
  assert.deepEqual(tracker.listGaps(7, 0), [{ sequence: 3, after: '0', noticed_ms: 7 }]);
});

test('repeats are duplicates, before and behind what is complete', () => {
  const tracker = createEventTracker();
  tracker.take(at(0), 0);
  tracker.take(at(3), 0);
  assert.equal(tracker.take(at(0), 0), 'duplicate');
  assert.equal(tracker.take(at(3), 0), 'duplicate');
});

test('a message without a sequence is no part of the chain', () => {
  assert.equal(createEventTracker().take({ sequence: null, previous: null }, 0), 'untracked');
});

test('what has left the log is given up, and what came beyond it counts', () => {
  const tracker = createEventTracker();
  for (const index of [0, 3, 4]) tracker.take(at(index), 0);
  tracker.take({ sequence: 20, previous: 17 }, 0);
  assert.equal(tracker.readPlace(), '3');
  tracker.giveUp(2);
  assert.equal(tracker.readPlace(), '3', 'nothing of it is missing');
  tracker.giveUp(12);
  assert.equal(tracker.readPlace(), '13');
  assert.deepEqual(tracker.listGaps(0, 0), [{ sequence: 17, after: '13', noticed_ms: 0 }], 'this one can still be had');
  tracker.giveUp(18);
  assert.deepEqual(tracker.readState(), { through: 20, beyond: [] });
  assert.equal(tracker.take({ sequence: 9, previous: 4 }, 0), 'duplicate');
  assert.equal(tracker.take({ sequence: 21, previous: 20 }, 0), 'new');
});

test('after a restore the numbers come again: what was lost is forgotten, what is kept is a duplicate', () => {
  const tracker = createEventTracker();
  for (const message of chain) tracker.take(message, 0);
  const epochs = [{ log_epoch: 500, last_sequence: 10 }];
  assert.equal(tracker.take({ sequence: 9, previous: 4, epochs }, 0), 'duplicate');
  assert.deepEqual(tracker.readState(), { through: 10, beyond: [], epoch: 500 });
  assert.equal(tracker.readPlace(), '500-10');
  assert.equal(tracker.take({ sequence: 11, previous: 9, epochs }, 0), 'new');
  assert.equal(tracker.take({ sequence: 14, previous: 12, epochs }, 0), 'new');
  assert.deepEqual(tracker.listGaps(0, 0), [{ sequence: 12, after: '500-11', noticed_ms: 0 }]);
  const later = createEventTracker(JSON.parse(JSON.stringify(tracker.readState())));
  assert.equal(later.take({ sequence: 12, previous: 11, epochs }, 0), 'new');
  assert.equal(later.readPlace(), '500-14');
  // Restored once more, from a backup made before that epoch: nobody knows where it began.
  assert.equal(later.take({ sequence: 3, previous: null, epochs: [{ log_epoch: 900, last_sequence: 8 }] }, 0), 'new');
  assert.equal(later.readPlace(), '900-3');
});

test('the state survives a restart', () => {
  const before = createEventTracker();
  before.take(at(0), 0);
  before.take(at(3), 0);
  const after = createEventTracker(JSON.parse(JSON.stringify(before.readState())));
  assert.equal(after.take(at(3), 0), 'duplicate');
  assert.equal(after.take(at(1), 0), 'new');
  assert.equal(after.take(at(2), 0), 'new');
  assert.equal(after.take(at(4), 0), 'new');
  assert.deepEqual(after.readState(), { through: 13, beyond: [] });
});

test('a tracker that was restarted still knows the holes that it had noticed', () => {
  const before = createEventTracker();
  before.take(at(0), 0);
  before.take(at(3), 0);
  const after = createEventTracker(before.readState(), 60);
  assert.deepEqual(after.listGaps(60, 0), [{ sequence: 9, after: '3', noticed_ms: 60 }]);
});

test('a gap that stays open costs the same however many events come behind it', () => {
  const tracker = createEventTracker();
  const owed = chainOf(Array.from({ length: 10_000 }, (_, index) => 3 + 2 * index));
  for (const message of owed.slice(1)) tracker.take(message, 7);
  assert.deepEqual(tracker.readState(), { through: 0, beyond: [[3, 20_001]] });
  assert.deepEqual(tracker.listGaps(7, 0), [{ sequence: 3, after: '0', noticed_ms: 7 }]);
  for (const message of owed.slice(1)) assert.equal(tracker.take(message, 8), 'duplicate');
  const later = createEventTracker(JSON.parse(JSON.stringify(tracker.readState())));
  assert.equal(later.has(4_999), true);
  assert.equal(later.take(owed[0] ?? assert.fail(), 9), 'new');
  assert.deepEqual(later.readState(), { through: 20_001, beyond: [] });
});

test('a state that names each event, as it was kept before, is read as it was meant', () => {
  const tracker = createEventTracker({
    through: 4,
    beyond: [
      [12, 13],
      [9, 12],
      [20, 21],
    ],
  });
  assert.deepEqual(
    tracker.listGaps(0, 0).map(({ sequence }) => sequence),
    [9, 20],
  );
  assert.equal(tracker.take(at(4), 0), 'duplicate');
  assert.equal(tracker.take(at(2), 0), 'new');
  assert.equal(tracker.readPlace(), '13');
});

test('a gap before a restored place is still known, and what came across that place is cut there', () => {
  const tracker = createEventTracker({ through: 3, beyond: [[9, 14]] }, 5);
  tracker.restore([{ log_epoch: 500, last_sequence: 12 }]);
  assert.deepEqual(tracker.readState(), { through: 3, beyond: [[9, 12]], epoch: 500 });
  assert.deepEqual(tracker.listGaps(5, 0), [{ sequence: 9, after: '500-3', noticed_ms: 5 }]);
  const epochs = [{ log_epoch: 500, last_sequence: 12 }];
  assert.equal(tracker.take({ sequence: 13, previous: 12, epochs }, 0), 'new', 'its number came again');
  assert.equal(tracker.take({ sequence: 9, previous: 3, epochs }, 0), 'new');
  assert.equal(tracker.readPlace(), '500-13');
});

test('in whatever order and however often messages come: complete means no gap, a missing one is always found', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 2, maxLength: 40 }),
      fc.infiniteStream(fc.nat()),
      fc.nat(),
      (numbers, chances, missing) => {
        const messages = chainOf(numbers.sort((a, b) => a - b));
        const left = missing % (messages.length - 1);
        const sent = messages.filter((_, index) => index !== left).flatMap((message) => [message, message]);
        sent.sort(() => ((chances.next().value ?? 0) % 3) - 1);
        const tracker = createEventTracker();
        for (const message of sent) tracker.take(message, 0);
        const gaps = tracker.listGaps(0, 0);
        assert.deepEqual(
          gaps.map((gap) => gap.sequence),
          [messages[left]?.sequence],
        );
        assert.equal(tracker.take(messages[left] ?? assert.fail(), 0), 'new');
        assert.deepEqual(tracker.listGaps(0, 0), []);
        assert.deepEqual(tracker.readState(), { through: numbers.at(-1), beyond: [] });
      },
    ),
  );
});

test('what a message says is read from its headers', () => {
  const headers = new Headers({
    'webhook-id': 'evt_1',
    'waypost-sequence': '12',
    'waypost-epochs': '500:10, 900:11',
    'waypost-previous': '9',
    'waypost-attempt': '3',
  });
  assert.deepEqual(readMessage(headers), {
    id: 'evt_1',
    sequence: 12,
    previous: 9,
    epochs: [
      { log_epoch: 500, last_sequence: 10 },
      { log_epoch: 900, last_sequence: 11 },
    ],
    attempt: 3,
    replay: null,
  });
  assert.deepEqual(readMessage({ 'webhook-id': 'x', 'waypost-replay': 'rpl_1' }), {
    id: 'x',
    sequence: null,
    previous: null,
    epochs: [],
    attempt: 1,
    replay: 'rpl_1',
  });
});
