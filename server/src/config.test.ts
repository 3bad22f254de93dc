import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isLoopback, options, readConfig } from './config.ts';
import { listSettings, renderConfigPage } from './operate/settings.ts';

const refused = (env: Record<string, string>) => {
  try {
    readConfig(env);
  } catch (error) {
    return (error as Error).message;
  }
  return assert.fail(`accepted ${JSON.stringify(env)}`);
};

test('nothing set is a server for this machine alone on port 8080', () => {
  const config = readConfig({ PATH: '/usr/bin' });
  assert.equal(config.port, 8080);
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.databaseUrl, null);
  assert.deepEqual(config.egressAllow, []);
  assert.equal(config.plainHttp, false);
  assert.equal(config.dataDir, join(import.meta.dirname, '../../data'));
});

test('every setting is read from its own variable', () => {
  const key = Buffer.alloc(32, 1);
  const config = readConfig({
    WAYPOST_PORT: '0',
    WAYPOST_HOST: '::1',
    WAYPOST_DATA_DIR: '/tmp/elsewhere',
    DATABASE_URL: 'postgres://u:p@db:5432/w',
    WAYPOST_PUBLIC_URL: 'https://waypost.example/',
    WAYPOST_EGRESS_ALLOW: '10.0.0.0/8, 192.168.1.7,fd00::/8',
    WAYPOST_MASTER_KEY: key.toString('base64'),
    WAYPOST_LOG_LEVEL: 'warn',
    WAYPOST_LANES: '4',
    WAYPOST_KEY_AGE_MAX_DAYS: '30',
    WAYPOST_KEY_AGE_ENFORCED: 'true',
    WAYPOST_CONNECTIONS_MAX: '500',
    WAYPOST_CONNECTIONS_PER_ADDRESS: '0',
    WAYPOST_IN_FLIGHT_MAX: '500',
    WAYPOST_TLS_CERT: '/c.pem',
    WAYPOST_TLS_KEY: '/k.pem',
    WAYPOST_TRUST_PROXY: '10.1.2.3',
    WAYPOST_RATE_LIMIT: '50',
    WAYPOST_OTLP_URL: 'http://127.0.0.1:4318/',
    WAYPOST_LOG_DAYS: '0',
    WAYPOST_LOG_HOLD_DAYS: '14',
    WAYPOST_ATTEMPT_DAYS: '7',
    WAYPOST_JOB_HISTORY_DAYS: '800',
    WAYPOST_DRAIN_S: '25',
    WAYPOST_METRICS_TOKEN: 'a-token-to-scrape',
    WAYPOST_HEALTH_PORT: '9464',
    WAYPOST_PLAIN_HTTP: 'true',
  });
  assert.deepEqual(config, {
    port: 0,
    host: '::1',
    dataDir: '/tmp/elsewhere',
    backupDir: null,
    databaseUrl: 'postgres://u:p@db:5432/w',
    publicUrl: 'https://waypost.example',
    egressAllow: ['10.0.0.0/8', '192.168.1.7/32', 'fd00::/8'],
    masterKey: key,
    logLevel: 'warn',
    lanes: 4,
    keyAgeMaxDays: 30,
    keyAgeEnforced: true,
    connectionsMax: 500,
    freeMinMb: 1_024,
    logDays: 0,
    logHoldDays: 14,
    attemptDays: 7,
    jobHistoryDays: 800,
    connectionsPerAddress: 0,
    inFlightMax: 500,
    tlsCert: '/c.pem',
    tlsKey: '/k.pem',
    trustProxy: ['10.1.2.3/32'],
    rateLimit: 50,
    otlpUrl: 'http://127.0.0.1:4318',
    drainS: 25,
    metricsToken: 'a-token-to-scrape',
    healthPort: 9464,
    plainHttp: true,
  });
});

test('an empty variable is an unset one', () => {
  assert.deepEqual(readConfig({ WAYPOST_PORT: '', DATABASE_URL: '', WAYPOST_EGRESS_ALLOW: '' }), readConfig({}));
});

const wrong: [string, string[]][] = [
  ['WAYPOST_PORT', ['-1', '65536', '80a', '1e3', ' 80', '8080.5']],
  ['WAYPOST_HOST', ['example.com', '1.2.3', '::g']],
  ['DATABASE_URL', ['db:5432', 'mysql://u@h/d', 'postgres://u:p@db:5432', 'postgres://u:p@db:5432/']],
  [
    'WAYPOST_PUBLIC_URL',
    ['waypost.example', 'ftp://waypost.example', 'https://u:p@waypost.example', 'https://waypost.example?a=b'],
  ],
  [
    'WAYPOST_EGRESS_ALLOW',
    ['10.0.0.0/33', '10.0.0/8', 'shop.example', '10.0.0.0/8,,', '10.0.0.0/8/8', '::/129', '10.0.0.0/'],
  ],
  [
    'WAYPOST_MASTER_KEY',
    ['short', Buffer.alloc(31).toString('base64'), Buffer.alloc(33).toString('base64'), 'x'.repeat(44)],
  ],
  ['WAYPOST_LOG_LEVEL', ['loud', 'INFO']],
  ['WAYPOST_LANES', ['0', '17', 'two']],
  ['WAYPOST_LOG_DAYS', ['8', '-1', '4000']],
  ['WAYPOST_LOG_HOLD_DAYS', ['-1', '4000', 'some']],
  ['WAYPOST_ATTEMPT_DAYS', ['3', 'ever']],
  ['WAYPOST_JOB_HISTORY_DAYS', ['-1']],
  ['WAYPOST_TRUST_PROXY', ['true', 'proxy']],
  ['WAYPOST_OTLP_URL', ['127.0.0.1:4318', 'grpc://collector']],
  ['WAYPOST_DRAIN_S', ['-1', '301', '10s']],
  ['WAYPOST_METRICS_TOKEN', ['short', 'with a space in between', 'with-an-accent-é']],
  ['WAYPOST_HEALTH_PORT', ['-1', '65536', 'x']],
  ['WAYPOST_PLAIN_HTTP', ['yes', '1', 'TRUE']],
];
for (const [name, values] of wrong) {
  test(`${name} refuses wrong values with a sentence that names it`, () => {
    for (const value of values) {
      const sentence = refused({ [name]: value });
      assert.match(sentence, new RegExp(`^${name} must be .*\\.$`));
      const isSecret = Object.values(options).some((option) => option.name === name && option.secret);
      assert.equal(sentence.includes(JSON.stringify(value)), !isSecret, 'shows what was given unless it is secret');
    }
  });
}

test('all faults are told at once', () => {
  assert.equal(refused({ WAYPOST_PORT: 'x', WAYPOST_LANES: 'y', WAYPOST_PROT: '1' }).split('\n').length, 3);
});

test('a misspelt setting is refused with the one that was meant', () => {
  assert.equal(
    refused({ WAYPOST_DATADIR: '/x' }),
    'WAYPOST_DATADIR is not a setting of Waypost. Did you mean WAYPOST_DATA_DIR?',
  );
  assert.match(refused({ WAYPOST_COMPLETELY_ELSE: '/x' }), /`waypost config` lists them all/);
});

test('the variables of the client are not ours to refuse', () => {
  assert.equal(readConfig({ WAYPOST_URL: 'http://x', WAYPOST_KEY: 'wp_test_x' }).port, 8080);
});

test('listening beyond this machine needs TLS, a proxy, or the word for it', () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.5']) {
    assert.match(refused({ WAYPOST_HOST: host }), /API keys would travel unencrypted/);
    assert.equal(readConfig({ WAYPOST_HOST: host, WAYPOST_PLAIN_HTTP: 'true' }).host, host);
    assert.equal(readConfig({ WAYPOST_HOST: host, WAYPOST_TRUST_PROXY: '10.0.0.1' }).host, host);
    assert.equal(readConfig({ WAYPOST_HOST: host, WAYPOST_TLS_CERT: '/c', WAYPOST_TLS_KEY: '/k' }).host, host);
  }
});

test('a certificate without its key is refused, and a key without its certificate', () => {
  assert.match(refused({ WAYPOST_TLS_CERT: '/c' }), /belong together/);
  assert.match(refused({ WAYPOST_TLS_KEY: '/k' }), /belong together/);
});

test('loopback is 127/8, ::1 and localhost, and nothing else', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.equal(isLoopback(host), true, host);
  for (const host of ['0.0.0.0', '::', '128.0.0.1', '10.0.0.1', 'fe80::1']) assert.equal(isLoopback(host), false, host);
});

test('the list of settings never shows a secret', () => {
  const secrets = {
    DATABASE_URL: 'postgres://u:hunter2@db/w',
    WAYPOST_MASTER_KEY: Buffer.alloc(32, 3).toString('base64'),
  };
  const { lines, value } = listSettings(readConfig(secrets));
  for (const secret of ['hunter2', secrets.WAYPOST_MASTER_KEY]) {
    assert.equal(lines.join('\n').includes(secret), false);
    assert.equal(JSON.stringify(value).includes(secret), false);
  }
});

test('docs/config.md is what the table says (node tools/run.mjs tools/config-docs.ts makes it anew)', () => {
  assert.equal(readFileSync(join(import.meta.dirname, '../../docs/config.md'), 'utf8'), renderConfigPage());
});
