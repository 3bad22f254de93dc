import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type from 'typebox';
import { columnsOf, writeCell, writeHeader, writeRow } from './csv.ts';

test('a value becomes a cell of its own kind', () => {
  const cells: [unknown, string][] = [
    [null, ''],
    [undefined, ''],
    ['', ''],
    ['Storgatan 1', 'Storgatan 1'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    [true, 'true'],
    [0, '0'],
    [-12.5, '-12.5'],
    [['x', 'y'], '"[""x"",""y""]"'],
    [[], '[]'],
    [{ k: 'v' }, '"{""k"":""v""}"'],
  ];
  for (const [value, cell] of cells) assert.equal(writeCell(value), cell, JSON.stringify(value));
});

test('a text that a spreadsheet would run as a formula stands behind an apostrophe', () => {
  for (const text of ['=1+1', '+46701234567', '-2', '@SUM(A1)', '\t=1', '\r=1'])
    assert.equal(writeCell(text).replaceAll('"', ''), `'${text}`);
  assert.equal(writeCell('=HYPERLINK("http://x","y")'), `"'=HYPERLINK(""http://x"",""y"")"`);
  for (const text of ['a=1', ' =1', '1-2', "'=1"]) assert.equal(writeCell(text), text);
});

test('columns follow the schema, with those of inner objects beside the others', () => {
  const inner = { properties: { city: Type.String(), location: Type.Unsafe({ type: ['object', 'null'] }) } };
  const schema = Type.Object({
    id: Type.String(),
    address: Type.Unsafe<object | null>({ ...inner, type: ['object', 'null'] }),
    tags: Type.Array(Type.String()),
  });
  const columns = columnsOf(schema);
  assert.equal(writeHeader(columns), 'id,address.city,address.location,tags\r\n');
  const item = { id: 'a', address: { city: 'B, C', location: { lat: 1 } }, tags: [] };
  assert.equal(writeRow(columns, item), 'a,"B, C","{""lat"":1}",[]\r\n');
  assert.equal(writeRow(columns, { id: 'a', address: null, tags: ['x'] }), 'a,,,"[""x""]"\r\n');
});
