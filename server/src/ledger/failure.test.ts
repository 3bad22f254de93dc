import assert from 'node:assert/strict';
import test from 'node:test';
import { classifyFailure, isRefused } from './failure.ts';

const failure = (code: string, rest: object = {}) => Object.assign(new Error(code), { code, ...rest });

test('what was to be written is refused when trying it again would change nothing', () => {
  for (const code of ['23514', '22021', '54000', '42703', 'XX002', 'UNDEFINED_VALUE'])
    assert.equal(isRefused(failure(code)), true, code);
  assert.equal(isRefused(new RangeError('Invalid time value')), true);
});

test('what passes by itself is not refused', () => {
  for (const code of [
    '40P01',
    '55P03',
    '53100',
    '53200',
    '57P01',
    '57P03',
    '58030',
    'CONNECTION_CLOSED',
    'ECONNREFUSED',
  ])
    assert.equal(isRefused(failure(code)), false, code);
  assert.equal(isRefused(failure('EHOSTUNREACH', { syscall: 'connect' })), false);
  assert.equal(classifyFailure(failure('EHOSTUNREACH', { syscall: 'connect' })), 'statement');
});
