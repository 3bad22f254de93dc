import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeJobExample } from './job-example.ts';
import { dayTerms, metadataTerm, referenceWords, tagTerm, termsOf, wordTerm } from './job-terms.ts';

test('a reference is found by its beginning, and by the numbers inside it', () => {
  const cases: Record<string, string[]> = {
    'ORD-10293': ['ord-10293', '10293'],
    'ORD10293/77812-X': ['ord10293/77812-x', '10293/77812-x', '77812-x'],
    '10293': ['10293'],
    'A-12-B': ['a-12-b'],
    '1-222-3333-44444-55555': ['1-222-3333-44444-55555', '222-3333-44444-55555', '3333-44444-55555', '44444-55555'],
    'Ä\tß 123': ['ä ß 123', '123'],
  };
  for (const [reference, words] of Object.entries(cases)) assert.deepEqual(referenceWords(reference), words, reference);
  assert.ok('w/ord-10293'.startsWith(wordTerm('Ord-1')));
});

test('a window is under each day that it touches, a long one under a term of its own', () => {
  assert.deepEqual(dayTerms('2026-11-21T22:00:00.000Z', '2026-11-22T00:00:00.000Z'), ['d/2026-11-21', 'd/2026-11-22']);
  assert.deepEqual(dayTerms('2026-11-21T08:00:00.000Z', '2026-11-21T08:00:00.000Z'), ['d/2026-11-21']);
  assert.equal(dayTerms('2026-12-28T08:00:00.000Z', '2027-01-04T08:00:00.000Z').length, 8);
  assert.deepEqual(dayTerms('2026-12-28T08:00:00.000Z', '2027-01-05T08:00:00.000Z'), ['d/long']);
});

test('a long text is known by its hash, and kinds never meet', () => {
  assert.equal(tagTerm('cold'), 't/cold');
  assert.equal(metadataTerm('a', 'b'), 'm/a=b');
  const long = metadataTerm('key', 'x'.repeat(2_000));
  assert.match(long, /^m#[0-9a-f]{32}$/);
  assert.notEqual(long, metadataTerm('key', `${'x'.repeat(1_999)}y`));
  assert.equal(metadataTerm('k', '🚚'.repeat(150)).slice(0, 4), 'm/k=');
});

test('the terms of a job are its tags, metadata, group, priority, days and words, each once', () => {
  const example = makeJobExample();
  const job = {
    ...example,
    reference: 'ORD-10293',
    group_reference: 'ORD-10293',
    priority: 'urgent' as const,
    tags: ['cold'],
    metadata: { shop: 'north' },
    pickups: [],
    deliveries: example.deliveries.map((task) => ({
      ...task,
      reference: null,
      service_window: { start: '2026-11-21T13:00:00.000Z', end: '2026-11-21T15:00:00.000Z', hard: false },
      items: task.items.map((item) => ({ ...item, reference: 'PARCEL 1', barcode: '00373' })),
    })),
  };
  const words = ['w/00373', 'w/10293', 'w/ord-10293', 'w/parcel 1'];
  assert.deepEqual(termsOf(job).sort(), [
    'd/2026-11-21',
    'g/ORD-10293',
    'm/shop=north',
    'p/urgent',
    't/cold',
    ...words,
  ]);
  assert.ok(!termsOf({ ...job, priority: 'standard' }).some((term) => term.startsWith('p/')));
});
