import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WaypostError } from '../errors.ts';
import { readJson } from './json.ts';
import { findJsonFaults } from './json-fault.ts';

interface Refusal {
  code: string;
  detail: string;
  faults: { pointer: string; code: string }[];
  line: unknown;
  column: unknown;
}

function read(text: string | Buffer): { value: unknown } | Refusal {
  try {
    return { value: readJson(Buffer.from(text as string)) };
  } catch (error) {
    assert.ok(error instanceof WaypostError, String(error));
    const faults = error.faults.map(({ pointer, code }) => ({ pointer, code }));
    return { code: error.code, detail: error.message, faults, line: error.extra.line, column: error.extra.column };
  }
}

function refusal(text: string | Buffer): Refusal {
  const found = read(text);
  assert.ok(!('value' in found), `${text} was read`);
  return found;
}

test('well-formed JSON is read as JSON.parse reads it', () => {
  for (const text of [
    '{}',
    '[]',
    ' {"a": [1, -2.5, true, null, "x"]}\r\n',
    '"text"',
    '12',
    '0.1',
    '{"":1}',
    '{"a:b":"c:{["}',
  ]) {
    assert.deepEqual(read(text), { value: JSON.parse(text) });
  }
});

test('escapes that only look dangerous are read', () => {
  const text = String.raw`{"path":"C:\\bin\\u0000","tab":"\t\n\r\u0009\u000a","pair":"\ud83d\ude00","b":"\\b"}`;
  assert.deepEqual(read(text), { value: JSON.parse(text) });
});

test('text that is no JSON is 400 with line, column and a guess', () => {
  const table: [text: string, place: string, words: RegExp][] = [
    ['{', '1:2', /end of the text/],
    ['{"a":1,}', '1:8', /comma before }/],
    ['[1 2]', '1:4', /comma or \]/],
    ["{'a':1}", '1:2', /double quotes/],
    ['{a:1}', '1:2', /name in double quotes/],
    ['{"a":True}', '1:6', /written true/],
    ['{"a":None}', '1:6', /written null/],
    ['{"a":NaN}', '1:6', /no such number/],
    ['{"a":+1}', '1:6', /JSON numbers/],
    ['{"a":01}', '1:6', /JSON numbers/],
    ['{"a":.5}', '1:6', /JSON numbers/],
    ['{\n  "a": 1 // note\n}', '2:10', /comma or }/],
    ['// note', '1:1', /no comments/],
    ['{"a":"x\ny"}', '1:8', /control character/],
    [String.raw`{"a":"\q"}`, '1:8', /must not be followed/],
    [String.raw`{"a":"\u12g4"}`, '1:8', /hexadecimal/],
    ['{"a":1} {}', '1:9', /follows the end/],
    ['\ufeff{}', '1:1', /U\+FEFF/],
    ['{"a" 1}', '1:6', /colon/],
    ['{"a":"x', '1:8', /inside a string/],
    ['undefined', '1:1', /written null/],
    ['1e', '1:1', /JSON numbers/],
    ['', 'undefined:undefined', /empty/],
    ['   ', '1:4', /end of the text/],
  ];
  for (const [text, place, words] of table) {
    const found = refusal(text);
    assert.equal(found.code, 'malformed_json', text);
    assert.equal(`${found.line}:${found.column}`, place, text);
    assert.match(found.detail, words, text);
  }
});

test('a key that comes twice is 400 and named by its pointer, at any depth and however it is escaped', () => {
  assert.deepEqual(refusal('{"a":1,"b":2,"a":3}').faults, [{ pointer: '/a', code: 'duplicate_key' }]);
  assert.deepEqual(refusal('{"x":[{"y":1},{"y":1,"\\u0079":2}]}').faults, [
    { pointer: '/x/1/y', code: 'duplicate_key' },
  ]);
  assert.deepEqual(refusal('{"a/b~":1,"a/b~":1}').faults, [{ pointer: '/a~1b~0', code: 'duplicate_key' }]);
  assert.equal(refusal('{"a":1,"a":1}').code, 'malformed_json');
});

test('__proto__ as a key is refused', () => {
  assert.deepEqual(refusal('{"a":{"__proto__":{"admin":true}}}').faults, [
    { pointer: '/a/__proto__', code: 'forbidden_key' },
  ]);
  assert.deepEqual(refusal('{"\\u005f_proto__":1}').faults, [{ pointer: '/__proto__', code: 'forbidden_key' }]);
  assert.deepEqual(read('{"a":"__proto__"}'), { value: { a: '__proto__' } });
});

test('nesting is taken to 32 levels and refused beyond', () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  assert.ok('value' in read(nested(32)));
  assert.deepEqual(
    refusal(nested(33)).faults.map((fault) => fault.code),
    ['too_deep'],
  );
  assert.equal(refusal('['.repeat(1_000_000)).code, 'malformed_json');
  assert.equal(refusal('{"a":'.repeat(200_000)).code, 'malformed_json');
});

test('control characters and half characters are 422 with the pointer of the text, in values and in names', () => {
  for (const written of ['\\u0000', '\\u0001', '\\u0008', '\\b', '\\f', '\\u001f', '\\u001F']) {
    const found = refusal(`{"a":["x","${written}"]}`);
    assert.equal(found.code, 'invalid_request', written);
    assert.deepEqual(found.faults, [{ pointer: '/a/1', code: 'control_character' }], written);
    assert.equal(refusal(`{"${written}":1}`).code, 'invalid_request', written);
  }
  for (const written of ['\\ud800', '\\uDBFF', '\\udc00', '\\udc00\\ud800']) {
    assert.deepEqual(refusal(`{"a":"${written}"}`).faults, [{ pointer: '/a', code: 'lone_surrogate' }], written);
  }
});

test('numbers that would not be kept exactly are 422, every one of them named', () => {
  for (const number of [
    '9007199254740992',
    '-9007199254740992',
    '1e400',
    '-1e400',
    '1e16',
    '123456789012345678901234567890',
  ]) {
    assert.deepEqual(refusal(`{"a":${number}}`).faults, [{ pointer: '/a', code: 'number_out_of_range' }], number);
  }
  for (const number of ['0.12345678901234567890', '1e-400', `0.${'0'.repeat(200)}1`]) {
    assert.deepEqual(refusal(`{"a":${number}}`).faults, [{ pointer: '/a', code: 'number_too_precise' }], number);
  }
  for (const number of [
    '9007199254740991',
    '-9007199254740991',
    '1e3',
    '57.706600000000002',
    '-0.1',
    '1.5E-7',
    '0',
    '-0',
    '1e-300',
  ]) {
    assert.deepEqual(read(`{"a":${number}}`), { value: { a: Number(number) } }, number);
  }
  assert.equal(refusal('{"a":1e400,"b":[1e400],"c":"\\u0000"}').faults.length, 3);
});

test('an escaped key is read as it is written, whatever keys were read before', () => {
  // JSON.parse of Node 26 expects the keys that it read last and compares them with the text before unescaping.
  assert.deepEqual(
    refusal('{"a":[],"\\\\":[]}').faults.map(({ code }) => code),
    ['forbidden_key'],
  );
  assert.deepEqual(read('{"a":[],"\\n":[]}'), { value: { a: [], '\n': [] } });
  assert.deepEqual(read('{"a":[],"\\u00e9":[]}'), { value: { a: [], é: [] } });
});

test('at most 100 faults are told, and long names are cut', () => {
  assert.equal(refusal(`[${Array(5_000).fill('1e400').join()}]`).faults.length, 100);
  const name = 'n'.repeat(100_000);
  assert.ok((refusal(`{"${name}":1,"${name}":1}`).faults[0]?.pointer.length ?? 0) < 100);
});

test('bytes that are no UTF-8 are 400 with their place', () => {
  const found = refusal(Buffer.concat([Buffer.from('{\n"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]));
  assert.equal(found.code, 'malformed_json');
  assert.deepEqual([found.line, found.column], [2, 6]);
  assert.equal(refusal(Buffer.from([0xed, 0xa0, 0x80])).code, 'malformed_json');
});

/** A slow second opinion: tokens by regular expression, keys by a stack, values by JSON.parse with its source texts. */
function isAcceptable(text: string): boolean {
  try {
    JSON.parse(text);
  } catch {
    return false;
  }
  const stack: (Set<string> | null)[] = [];
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  for (const [index, token] of tokens.entries()) {
    if (token === '{' || token === '[') stack.push(token === '{' ? new Set() : null);
    if (stack.length > 32) return false;
    if (token === '}' || token === ']') stack.pop();
    if (token.startsWith('"')) {
      const value = JSON.parse(token) as string;
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
      if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(value) || !value.isWellFormed()) return false;
      const keys = stack.at(-1);
      if (tokens[index + 1] === ':' && keys !== null && keys !== undefined) {
        if (keys.has(value) || value === '__proto__' || value.includes('\\')) return false;
        keys.add(value);
      }
    } else if (/^[-\d]/.test(token)) {
      const value = Number(token);
      const digits = token
        .replace(/e.*/i, '')
        .replace(/[-.]/g, '')
        .replace(/^0+|0+$/g, '');
      if (!Number.isFinite(value) || Math.abs(value) > 2 ** 53 - 1) return false;
      if (digits.length > 17 || token.length > 100 || (value === 0 && digits !== '')) return false;
    }
  }
  return true;
}

const oddText = fc.constantFrom(
  'a',
  '',
  '__proto__',
  'x:y',
  '{"',
  '\\',
  '\u0001',
  '\b',
  '\t',
  '\ud800',
  '😀',
  'b"',
  'é',
);
const oddNumber = fc.constantFrom(
  '0',
  '-0',
  '1e400',
  '9007199254740991',
  '9007199254740993',
  '0.1',
  '1E2',
  '12345678.123456789',
  '123456789012.1234567',
  '1e-400',
);
const jsonText = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    oddNumber,
    oddText.map((text) => JSON.stringify(text)),
    fc.constantFrom('true', 'false', 'null', '""', '[]', '{}'),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(' ,')}]`),
    fc
      .array(fc.tuple(oddText, tie('value')), { maxLength: 4 })
      .map((members) => `{${members.map(([name, value]) => `${JSON.stringify(name)} :${value}`).join(', ')}}`),
  ),
})).value;

test('any JSON text is accepted exactly when a slow second opinion accepts it', () => {
  fc.assert(
    fc.property(jsonText, (text) => {
      const found = read(text);
      assert.equal('value' in found, isAcceptable(text), JSON.stringify(found));
      if ('value' in found) assert.deepEqual(found.value, JSON.parse(text));
    }),
    { numRuns: 3_000 },
  );
});

test('any damaged JSON text is accepted exactly when a slow second opinion accepts it', () => {
  const damage = fc.tuple(
    jsonText,
    fc.nat(),
    fc.constantFrom('', ',', '"', '}', '\\', '0', 'e', ':', ' ', '\u0000', 'u0001'),
  );
  fc.assert(
    fc.property(damage, fc.boolean(), ([text, place, piece], replaces) => {
      const at = place % (text.length + 1);
      const damaged = (text.slice(0, at) + piece + text.slice(at + (replaces ? 1 : 0))).toWellFormed();
      const found = read(damaged);
      assert.equal('value' in found, isAcceptable(damaged), `${damaged}\n${JSON.stringify(found)}`);
    }),
    { numRuns: 3_000 },
  );
});

test('the slow reader names a fault for every text that JSON.parse refuses', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[],:"\\ 01-.eEtrufalsn/x\n'), maxLength: 12 }), (text) => {
      let parses = true;
      try {
        JSON.parse(text);
      } catch {
        parses = false;
      }
      if (!parses) assert.ok(findJsonFaults(text).malformed, text);
    }),
    { numRuns: 5_000 },
  );
});
