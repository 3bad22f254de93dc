import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import test from 'node:test';
import { openProxies } from './forwarded.ts';

const from = (remoteAddress: string, headers: Record<string, string> = {}) =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage;
const { clientOf, originOf } = openProxies(['10.0.0.0/8', '2001:db8::/32']);
const client = (remote: string, forwarded?: string) =>
  clientOf(from(remote, forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }));

test('without proxies the client is who connects, whatever it says', () => {
  const none = openProxies([]);
  const request = from('203.0.113.7', {
    'x-forwarded-for': '198.51.100.1',
    'x-forwarded-host': 'evil',
    'x-forwarded-proto': 'https',
  });
  assert.equal(none.clientOf(request), '203.0.113.7');
  assert.equal(none.originOf(request), null);
  assert.equal(none.clientOf(from('::ffff:203.0.113.7')), '203.0.113.7');
});

test('a trusted proxy says who the client is, and strangers say nothing', () => {
  assert.equal(client('10.1.2.3', '203.0.113.7'), '203.0.113.7');
  assert.equal(client('::ffff:10.1.2.3', '203.0.113.7'), '203.0.113.7');
  assert.equal(client('203.0.113.9', '198.51.100.1'), '203.0.113.9');
  assert.equal(client('10.1.2.3'), '10.1.2.3');
});

test('what a client puts in front of the list is not believed', () => {
  assert.equal(client('10.1.2.3', '1.2.3.4, 203.0.113.7'), '203.0.113.7');
  assert.equal(client('10.1.2.3', '1.2.3.4, 203.0.113.7, 10.9.9.9'), '203.0.113.7', 'through two proxies of ours');
  assert.equal(client('10.1.2.3', '10.9.9.9, 10.8.8.8'), '10.9.9.9', 'a client inside is the farthest');
  assert.equal(client('10.1.2.3', '203.0.113.7, unknown, 10.9.9.9'), '10.9.9.9', 'beyond nonsense nobody vouches');
  assert.equal(client('10.1.2.3', ''), '10.1.2.3');
});

test('ports and brackets are read', () => {
  assert.equal(client('10.1.2.3', '203.0.113.7:4711'), '203.0.113.7');
  assert.equal(client('2001:db8::9', '[2a00::1]:4711'), '2a00::1');
  assert.equal(client('10.1.2.3', '2a00::1'), '2a00::1');
});

test('the origin is what the nearest proxy says, when it is one', () => {
  const origin = (remote: string, host: string, proto: string) =>
    originOf(from(remote, { 'x-forwarded-host': host, 'x-forwarded-proto': proto }));
  assert.equal(origin('10.1.2.3', 'shop.example', 'https'), 'https://shop.example');
  assert.equal(origin('10.1.2.3', 'evil.example, shop.example:8443', 'HTTPS'), 'https://shop.example:8443');
  assert.equal(origin('10.1.2.3', '[2a00::1]:80', 'http'), 'http://[2a00::1]:80');
  assert.equal(origin('203.0.113.9', 'shop.example', 'https'), null);
  assert.equal(origin('10.1.2.3', 'shop.example/path', 'https'), null);
  assert.equal(origin('10.1.2.3', 'shop.example', 'javascript'), null);
  assert.equal(originOf(from('10.1.2.3')), null);
});
