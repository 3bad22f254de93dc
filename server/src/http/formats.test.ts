import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formats } from './formats.ts';

const takes: Record<string, { good: string[]; bad: string[] }> = {
  'date-time': {
    good: [
      '2026-11-21T13:00:00Z',
      '2026-11-21T13:00:00.5+01:00',
      '2028-02-29T23:59:59.999999999-12:30',
      '2000-02-29T00:00:00Z',
    ],
    bad: [
      '2026-11-21T13:00:00',
      '2026-11-21',
      '2026-02-30T10:00:00Z',
      '2026-02-29T10:00:00Z',
      '2100-02-29T10:00:00Z',
      '2026-13-01T10:00:00Z',
      '2026-00-01T10:00:00Z',
      '2026-04-31T10:00:00Z',
      '2026-11-21T24:00:00Z',
      '2026-11-21T13:60:00Z',
      '2026-11-21T13:00:60Z',
      '2026-11-21 13:00:00Z',
      '2026-11-21t13:00:00z',
      '2026-11-21T13:00Z',
      '2026-11-21T13:00:00+24:00',
      '2026-11-21T13:00:00+0100',
      '2026-11-21T13:00:00.Z',
      '26-11-21T13:00:00Z',
      '1732194000',
      '',
      'now',
      '2026-11-21T13:00:00Z ',
      '0000-01-01T00:00:00Z',
      '9999-12-31T23:59:59-23:59',
      '2026-1-1T00:00:00Z',
      '2026-11-21T13:00:00.1234567890Z',
    ],
  },
  date: {
    good: ['2026-11-21', '2028-02-29'],
    bad: ['2026-02-30', '2026-11-21T00:00:00Z', '21.11.2026', '2026-6-1', ''],
  },
  uri: {
    good: [
      'https://shop.example/hooks?a=1',
      'http://127.0.0.1:8080',
      'http://[::1]:80/x',
      'https://shop.example/%C3%A5',
    ],
    bad: [
      'shop.example',
      'ftp://shop.example',
      'https://',
      'https://user:pw@shop.example/',
      'https://shop.example/#x',
      '//shop.example',
      'https://shop.example/a b',
      'javascript:alert(1)',
      'https:\\\\shop.example',
      'HTTPS://shop.example',
      'https://bücher.example',
      '',
      'http://shop.example:99999/',
    ],
  },
  email: {
    good: ['name@shop.example', "o'neil+tag@a-b.co", 'å@bücher.example'],
    bad: [
      'name',
      'name@shop',
      'a b@shop.example',
      '@shop.example',
      'name@',
      'a@b@shop.example',
      'name@shop.example.',
      'n\u0000@shop.example',
    ],
  },
  'time-zone': {
    good: ['Europe/Stockholm', 'UTC', 'America/Argentina/Buenos_Aires'],
    bad: ['Stockholm', '+01:00', 'europe/stockholm', 'CEST', '', 'Europe/Stockholm '],
  },
  'country-code': { good: ['SE', 'US', 'XK'], bad: ['se', 'SWE', 'ZZ', 'EU', ''] },
  'language-tag': { good: ['sv', 'pt-BR', 'zh-Hant-TW'], bad: ['PT-br', 'swedishlanguage', 's', '', 'sv_SE'] },
};

for (const [name, { good, bad }] of Object.entries(takes)) {
  test(`${name} takes what it should and nothing else`, () => {
    for (const text of good) assert.ok(formats[name]?.test(text), `refused ${text}`);
    for (const text of bad) assert.ok(!formats[name]?.test(text), `took ${text}`);
  });
}

test('every format is in the table of this test', () => {
  assert.deepEqual(Object.keys(takes).sort(), Object.keys(formats).sort());
});

test('a date-time that fails is explained', () => {
  const explain = (text: string) => formats['date-time']?.explain?.(text) ?? '';
  assert.match(explain('2026-11-21T13:00:00'), /offset is missing/);
  assert.match(explain('2026-11-21T13:00:00 01:00'), /%2B/);
  assert.match(explain('2026-02-30T10:00:00Z'), /2026-02-30 is not a day/);
  assert.match(explain('2026-11-21'), /no time/);
  assert.match(explain('1732194000'), /1970/);
  assert.match(explain('2026-11-21T13:00:60Z'), /leap/);
  assert.match(explain('0001-01-01T10:00:00Z'), /year/);
});

test('every date-time that is taken is an instant of fixed width in UTC', () => {
  const two = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'));
  const text = fc
    .tuple(
      fc.integer({ min: 1890, max: 3010 }),
      two(13),
      two(32),
      two(24),
      two(60),
      two(60),
      fc.constantFrom('Z', '+23:59', '-23:59', '+01:00'),
    )
    .map(([y, mo, d, h, mi, s, zone]) => `${y}-${mo}-${d}T${h}:${mi}:${s}${zone}`);
  fc.assert(
    fc.property(text, (each) => {
      if (!formats['date-time']?.test(each)) return;
      const at = new Date(each);
      assert.match(at.toISOString(), /^\d{4}-/);
      const [, day] = /^\d{4}-\d\d-(\d\d)/.exec(each) ?? [];
      const offsetMs = each.endsWith('Z')
        ? 0
        : (each.at(-6) === '-' ? -1 : 1) * (Number(each.slice(-5, -3)) * 60 + Number(each.slice(-2))) * 60_000;
      assert.equal(new Date(at.getTime() + offsetMs).getUTCDate(), Number(day), 'the day was moved');
    }),
    { numRuns: 5_000 },
  );
});
