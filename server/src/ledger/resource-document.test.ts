import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Hole } from './command.ts';
import { type Documented, diffDocuments, documentOf } from './resource-document.ts';

interface Thing {
  id: string;
  version: number;
  created_at: string;
  updated_at: string;
  name: string | null;
  place: { lat: number; lng: number } | null;
  access: { notes: string | null; stairs: number } | null;
  tags: string[];
}
const thing: Thing = {
  id: 'x',
  version: 1,
  created_at: 'then',
  updated_at: 'then',
  name: 'A',
  place: { lat: 1, lng: 2 },
  access: { notes: 'N', stairs: 3 },
  tags: ['a'],
};
const rules: Documented<Thing> = {
  noun: 'thing',
  personal: { name: 'value', place: 'value', 'access/notes': 'phone' },
  subjectOf: () => 'sub',
};
const hole: Hole = (kind, subject, value) => ({ kind, subject, value });
const holeOf = (value: unknown, kind = 'value') => ({ kind, subject: 'sub', value });

describe('what differs between two documents', () => {
  const differ = (after: Partial<Thing>) => diffDocuments(thing, { ...thing, ...after });
  test('nothing differs: nothing is told, not even another version or time', () => {
    assert.deepEqual(differ({ version: 2, updated_at: 'now' }), {});
  });
  test('objects are told member by member, lists whole', () => {
    assert.deepEqual(differ({ access: { notes: 'M', stairs: 3 }, tags: ['a', 'b'] }), {
      'access/notes': ['N', 'M'],
      tags: [['a'], ['a', 'b']],
    });
  });
  test('what becomes null or an object is told whole', () => {
    assert.deepEqual(differ({ place: null }), { place: [{ lat: 1, lng: 2 }, null] });
    assert.deepEqual(diffDocuments({ place: null }, { place: thing.place }), { place: [null, thing.place] });
  });
  test('names are escaped as in JSON pointers', () => {
    assert.deepEqual(diffDocuments({ 'a/b~c': 1 }, { 'a/b~c': 2 }), { 'a~1b~0c': [1, 2] });
  });
});

describe('what is personal in a document', () => {
  const document = documentOf(rules, thing);
  test('is cut out of a copy, and the document stays as it was', () => {
    assert.deepEqual(document.cut(thing, hole), {
      ...thing,
      name: holeOf('A'),
      place: holeOf({ lat: 1, lng: 2 }),
      access: { notes: holeOf('N', 'phone'), stairs: 3 },
    });
    assert.equal(thing.name, 'A');
  });
  test('null stays null', () => {
    const bare = { ...thing, name: null, place: null, access: null };
    assert.deepEqual(document.cut(bare, hole), bare);
  });
  test('is cut out of changes at, below and above its pointer', () => {
    const cutAt = (pointer: string, value: unknown) => document.cutChange(pointer, thing, hole)?.(value);
    assert.deepEqual(cutAt('name', 'B'), holeOf('B'));
    assert.deepEqual(cutAt('place/lat', 9), holeOf(9));
    assert.deepEqual(cutAt('access', { notes: 'M', stairs: 1 }), { notes: holeOf('M', 'phone'), stairs: 1 });
    assert.equal(cutAt('name', null), null);
    for (const pointer of ['tags', 'access/stairs', 'names'])
      assert.equal(document.cutChange(pointer, thing, hole), null);
  });
});
