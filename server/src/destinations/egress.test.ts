import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkAddress, checkUrl, literalAddress, parseCidr } from './egress.ts';

const strict = { allow: [], loopback_for_test: false };

const refused: Record<string, string[]> = {
  unspecified: ['0.0.0.0', '0.1.2.3', '::', '0:0:0:0:0:0:0:0'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1'],
  metadata: ['169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '168.63.129.16', '192.0.0.192'],
  link_local: ['169.254.0.1', '169.254.255.255', 'fe80::1', 'febf::1'],
  private: ['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fdff::1'],
  shared: ['100.64.0.1', '100.127.255.255'],
  protocol: ['192.0.0.1', '192.52.193.1', '2001:1::1', '2001:1ff::1'],
  documentation: ['192.0.2.1', '198.51.100.7', '203.0.113.9', '2001:db8::1', '3fff::1'],
  benchmarking: ['198.18.0.1', '198.19.255.255', '2001:2::1'],
  '6to4': ['192.88.99.1', '2002:7f00:1::'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  broadcast: ['255.255.255.255'],
  reserved: ['240.0.0.1', '255.255.255.254'],
  ipv4_mapped: ['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8', '0:0:0:0:0:ffff:a00:1'],
  ipv4_compatible: ['::127.0.0.1', '::8.8.8.8', '::7f00:1'],
  nat64: ['64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b:1::1'],
  discard: ['100::1', '100:0:0:1::5'],
  teredo: ['2001::1', '2001:0:1234::1'],
  segment_routing: ['5f00::1'],
  site_local: ['fec0::1'],
  not_global: ['4000::1', '200::1', '1::1', 'e000::1'],
};

for (const [rule, addresses] of Object.entries(refused)) {
  test(`${rule} addresses are refused by that name`, () => {
    for (const address of addresses) {
      const refusal = checkAddress(address, strict, 'live');
      assert.equal(refusal?.rule, rule, address);
      assert.match(refusal.sentence, /WAYPOST_EGRESS_ALLOW/, 'it says what to do');
      assert.ok(refusal.sentence.includes(address), 'it names the address');
    }
  });
}

test('public addresses pass, also beside the borders of the special ranges', () => {
  const open = [
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.0.3.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450::8',
    '2001:200::1',
    '2001:4860:4860::8888',
    '2003::1',
    '2001:db7::1',
    '2001:db9::1',
  ];
  for (const address of open) assert.equal(checkAddress(address, strict, 'live'), null, address);
});

test('what is not an address is refused', () => {
  for (const text of ['', 'localhost', '1.2.3', '01.02.03.04', '1.2.3.4.5', 'fe80::1%eth0', '::g', '256.1.1.1']) {
    assert.equal(checkAddress(text, strict, 'live')?.rule, 'not_an_address', text);
  }
});

test('the operator opens exactly what the list names', () => {
  const rules = { allow: ['10.1.0.0/16', '192.168.7.9', 'fd00:1::/32'].map(parseCidr), loopback_for_test: false };
  for (const open of ['10.1.0.1', '10.1.255.255', '192.168.7.9', 'fd00:1::5']) {
    assert.equal(checkAddress(open, rules, 'live'), null, open);
  }
  for (const closed of ['10.2.0.1', '10.0.255.255', '192.168.7.8', 'fd00:2::5', '127.0.0.1', '::ffff:10.1.0.1']) {
    assert.notEqual(checkAddress(closed, rules, 'live'), null, closed);
  }
});

test('loopback is open to the test world only, and only while the server listens there', () => {
  const rules = { allow: [], loopback_for_test: true };
  assert.equal(checkAddress('127.0.0.1', rules, 'test'), null);
  assert.equal(checkAddress('::1', rules, 'test'), null);
  assert.equal(checkAddress('127.0.0.1', rules, 'live')?.rule, 'loopback');
  assert.equal(checkAddress('127.0.0.1', strict, 'test')?.rule, 'loopback');
  assert.equal(checkAddress('10.0.0.1', rules, 'test')?.rule, 'private');
  assert.equal(checkAddress('::ffff:127.0.0.1', rules, 'test')?.rule, 'ipv4_mapped');
  assert.equal(checkAddress('0.0.0.0', rules, 'test')?.rule, 'unspecified');
});

test('every IPv4 address is refused in each IPv6 dress', () => {
  fc.assert(
    fc.property(fc.ipV4(), (v4) => {
      for (const dress of [`::ffff:${v4}`, `::${v4}`, `64:ff9b::${v4}`]) {
        assert.notEqual(checkAddress(dress, strict, 'live'), null, dress);
      }
    }),
  );
});

test('an address belongs to the range of its own first bits, whatever their number', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(128), (address, length) => {
      const bits = Math.min(length, address.includes(':') ? 128 : 32);
      const rules = { allow: [parseCidr(`${address}/${bits}`)], loopback_for_test: false };
      assert.equal(checkAddress(address, rules, 'live'), null);
    }),
  );
});

test('other ways to write a number come out as the address that they mean', () => {
  const same: Record<string, string> = {
    'http://2130706433/': '127.0.0.1',
    'http://0x7f000001/': '127.0.0.1',
    'http://0177.0.0.1/': '127.0.0.1',
    'http://0x7f.1/': '127.0.0.1',
    'http://127.1/': '127.0.0.1',
    'http://127.0.0.1./': '127.0.0.1',
    'http://%31%32%37.0.0.1/': '127.0.0.1',
    'http://127。0。0。1/': '127.0.0.1',
    'http://①②⑦.⓪.⓪.①/': '127.0.0.1',
    'http://0/': '0.0.0.0',
    'http://3232235777/': '192.168.1.1',
    'http://[::1]/': '::1',
    'http://[0:0::0:1]/': '::1',
    'http://[::ffff:127.0.0.1]/': '::ffff:7f00:1',
  };
  for (const [text, address] of Object.entries(same)) {
    const { url } = checkUrl(text);
    assert.ok(url, text);
    const literal = literalAddress(url);
    assert.equal(literal, address, text);
    assert.notEqual(checkAddress(literal, strict, 'live'), null, text);
  }
});

test('names are left for resolving', () => {
  for (const text of ['https://shop.example/hooks', 'http://localhost:8080/', 'https://127.0.0.1.nip.io/']) {
    const { url } = checkUrl(text);
    assert.ok(url);
    assert.equal(literalAddress(url), null);
  }
});

test('a URL is refused by the rule that it breaks', () => {
  const broken: Record<string, string> = {
    'ftp://shop.example/': 'scheme',
    'file:///etc/passwd': 'scheme',
    'gopher://shop.example/': 'scheme',
    'javascript:alert(1)': 'scheme',
    'https://user@shop.example/': 'userinfo',
    'https://user:word@shop.example/': 'userinfo',
    'https://:word@shop.example/': 'userinfo',
    'https://shop.example/#part': 'fragment',
    'https://shop.example/a b': 'malformed',
    'https://shop.exa\tmple/': 'malformed',
    '//shop.example/': 'malformed',
    'shop.example': 'malformed',
    'http://': 'malformed',
    'http://[::1%25eth0]/': 'malformed',
    'http://256.1.1.1/': 'malformed',
    [`https://shop.example/${'a'.repeat(2_048)}`]: 'too_long',
  };
  for (const [text, rule] of Object.entries(broken)) assert.equal(checkUrl(text).refusal?.rule, rule, text);
});

test('a range that cannot be read is told in a sentence', () => {
  for (const text of ['10.0.0.0/33', 'lan', '10.0.0/8', 'fd00::/129', '10.0.0.0/8/8', '10.0.0.0/-1', '10.0.0.0/']) {
    assert.throws(() => parseCidr(text), /is not a range of addresses such as/, text);
  }
});
