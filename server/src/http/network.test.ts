import assert from 'node:assert/strict';
import test from 'node:test';
import { liesWithin, openNetworks, parseNetwork, plainAddress } from './network.ts';

test('networks are CIDR or one address, of either family', () => {
  for (const [text, bits] of [
    ['10.20.0.0/16', 16],
    ['192.168.1.7', 32],
    ['0.0.0.0/0', 0],
    ['2001:db8::/48', 48],
    ['::1', 128],
  ] as const)
    assert.equal(parseNetwork(text)?.bits, bits, text);
  for (const text of [
    '',
    '10.20/16',
    '10.20.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    'example.com',
    '10.0.0.0/-1',
  ])
    assert.equal(parseNetwork(text), null, text);
  for (const text of ['010.0.0.1', '0x7f.0.0.1', '127.1', 'fe80::1%eth0', '10.0.0.0/8 '])
    assert.equal(parseNetwork(text), null);
});

test('an address lies in its network and in no other', () => {
  const has = openNetworks(['10.20.0.0/16', '192.168.1.7', '2001:db8:1::/48']);
  for (const address of ['10.20.0.0', '10.20.255.255', '192.168.1.7', '2001:db8:1:ffff::1'])
    assert.equal(has(address), true);
  for (const address of ['10.21.0.0', '192.168.1.8', '2001:db8:2::1', '', 'nonsense'])
    assert.equal(has(address), false);
  assert.equal(openNetworks([])('10.0.0.1'), false);
});

test('a network lies within a larger one of its family, or the same', () => {
  assert.equal(liesWithin('10.20.30.0/24', ['192.0.2.0/24', '10.20.0.0/16']), true);
  assert.equal(liesWithin('10.20.0.0/16', ['10.20.0.0/16']), true);
  assert.equal(liesWithin('10.20.0.0/15', ['10.20.0.0/16']), false);
  assert.equal(liesWithin('10.21.0.0/24', ['10.20.0.0/16']), false);
  assert.equal(liesWithin('::/0', ['0.0.0.0/0']), false);
  assert.equal(liesWithin('0.0.0.0/0', []), false);
});

test('an IPv4 address reads the same on a socket that takes both kinds', () => {
  assert.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1');
  for (const address of ['192.0.2.1', '2001:db8::1', '::ffff:1', '']) assert.equal(plainAddress(address), address);
});
