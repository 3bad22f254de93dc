// The figures in the documents against the constants of the code. A figure that a page states is listed here with where
// it comes from; one with a unit that is not listed fails too, so that no page says a number that nothing holds.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { FAILURES_FREE } from '../server/src/access/failed-logins.ts';
import { ROTATION_OVERLAP_MAX_S, ROTATION_OVERLAP_S } from '../server/src/access/key.ts';
import { WARNED_BEFORE_MS } from '../server/src/access/key-age.ts';
import { options } from '../server/src/config.ts';
import { REPLY_KEPT_BYTES } from '../server/src/destinations/http-destination.ts';
import { CONSUMERS_MAX, LEASE_S } from '../server/src/events/consumer.schema.ts';
import { CONNECTION_LIMITS } from '../server/src/http/connections.ts';
import { IN_FLIGHT_MAX } from '../server/src/http/overload.ts';
import { RATE_WINDOW_S } from '../server/src/http/rate-limit.ts';
import { BATCH_BODY_BYTES_MAX } from '../server/src/jobs/job-batch.routes.ts';
import { WAIT_MAX_MS } from '../server/src/ledger/lane.ts';
import { BROKEN_MAX_MS, PROBE_FIRST_S, PROBE_LAST_S } from '../server/src/webhooks/circuit.ts';
import { ENDPOINTS_MAX, TIMEOUT_DEFAULT_S } from '../server/src/webhooks/endpoint.schema.ts';
import { BUDGET_MS, TRIES_MAX } from '../server/src/webhooks/retry.ts';
import { LEASE_MS, SHARES } from '../server/src/webhooks/share.ts';

const root = dirname(import.meta.dirname);
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** What a file of the code says and keeps to itself: the number that the pattern finds in it. */
function foundIn(path: string, pattern: RegExp): number {
  const [, text] = pattern.exec(read(path)) ?? [];
  assert.ok(text !== undefined, `${path}: ${pattern}`);
  return Number(text.replaceAll('_', ''));
}

const SECOND_MS = 1_000;
const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;
const DAY_MS = DAY_S * SECOND_MS;
const rate = Number(options.rateLimit.fallback);
const wait_s = WAIT_MAX_MS / SECOND_MS;
const patience_s = foundIn('server/src/ledger/lane.ts', /\bPATIENCE_MS = ([\d_]+)/) / SECOND_MS;
const lease_s = LEASE_MS / SECOND_MS;
const daysBroken = BROKEN_MAX_MS / DAY_MS;
const tolerance_min = foundIn('sdk/src/webhooks.ts', /TOLERANCE_S = (\d+)/) / MINUTE_S;
const cluster = 'server/src/db/embedded-cluster.ts';

/** The words of a page with # in the place of figures, and what the code says. */
const claims: Readonly<Record<string, readonly [words: string, ...figures: number[]][]>> = {
  'self-hosting': [
    ['up to #: the endpoints are dealt out in # shares', SHARES, SHARES],
    ['loses its shares after # s', lease_s],
    ['bodies of # MiB', BATCH_BODY_BYTES_MAX / 1024 ** 2],
    ['# requests a second for each key', rate],
    ['takes # connections', foundIn(cluster, /max_connections: '(\d+)'/)],
    ['# MB of shared memory', foundIn(cluster, /shared_buffers: '(\d+)MB'/)],
    ["# GB for PostgreSQL's write-ahead log", foundIn(cluster, /max_wal_size: '(\d+)GB'/)],
  ],
  backup: [
    ['after # s when the disk', foundIn('server/src/ledger/erase-journal.ts', /NOTE_TIMEOUT_MS = ([\d_]+)/) / 1_000],
  ],
  upgrades: [['`WAYPOST_DRAIN_S` (# s)', Number(options.drainS.fallback)]],
  fallback: [
    ['does, # tries', foundIn('sdk/src/transport.ts', /TRIES_MAX = (\d+)/)],
    ['wait up to # s', patience_s],
    ['below # MB free', Number(options.freeMinMb.fallback)],
    ['wait longer than # s, or after all has waited # s', wait_s, patience_s],
    ['every # s to every # min; after # days', PROBE_FIRST_S, PROBE_LAST_S / MINUTE_S, daysBroken],
    ['# tries over about # days', TRIES_MAX, BUDGET_MS / DAY_MS],
    ['older than # minutes', tolerance_min],
    ['the dead one after # s', lease_s],
    ['for up to # days', foundIn('server/src/ledger/ledger.store.ts', /interval '(\d+) days'/)],
    ['gives up, after # s', foundIn('server/src/operate/open.ts', /AWAY_PATIENCE_MS = ([\d_]+)/) / SECOND_MS],
    ['was down for # days', daysBroken],
    ['the backlog, for [# days]', Number(options.logDays.fallback)],
    ['the log, [for # days]', Number(options.logDays.fallback)],
  ],
  security: [
    ['# requests a second unless', rate],
    ['measured over # s', RATE_WINDOW_S],
    ['for # h or what you say, at most # days', ROTATION_OVERLAP_S / HOUR_S, ROTATION_OVERLAP_MAX_S / DAY_S],
    ['(# days). From # days before', Number(options.keyAgeMaxDays.fallback), WARNED_BEFORE_MS / DAY_MS],
    ['after # keys', FAILURES_FREE],
    ['up to # minutes', foundIn('server/src/access/failed-logins.ts', /BACK_OFF_MAX_S = (\d+)/) / MINUTE_S],
    ['# bytes, made at', foundIn('server/src/operate/master-key.ts', /KEY_BYTES = (\d+)/)],
    ['older than # minutes', tolerance_min],
    ['first # KiB', REPLY_KEPT_BYTES / 1024],
    ['# s, # s', CONNECTION_LIMITS.headWithinMs / SECOND_MS, CONNECTION_LIMITS.requestWithinMs / SECOND_MS],
    ['of one address | # and #', CONNECTION_LIMITS.max, CONNECTION_LIMITS.perAddressMax],
    ['in a process | #', IN_FLIGHT_MAX],
    ['wait longer | # s', wait_s],
    ['consumers of a world | # and #', ENDPOINTS_MAX, CONSUMERS_MAX],
  ],
  choosing: [
    ['a lease of # s', LEASE_S],
    ['timed out (# s)', TIMEOUT_DEFAULT_S],
  ],
};
/** What is measured or comes from elsewhere. */
const OTHERS = new Set(['256 bits']);
const UNIT = /(?:\/s|(?: s| ms| min| minutes| h| days| MB| MiB| KiB| bits| bytes| tries| shares| connections)\b)/;

for (const [name, list] of Object.entries(claims))
  test(`docs/${name}.md: the figures are those of the code, and each is known`, () => {
    const text = read(`docs/${name}.md`).replaceAll(/^```[\s\S]*?^```$/gm, '');
    const held = new Set<number>();
    for (const [words, ...figures] of list) {
      const pattern = words.split('#').map(RegExp.escape).join('(\\d[\\d,.]*\\d|\\d)').replaceAll('\\x20', '\\s');
      const found = [...text.matchAll(new RegExp(pattern, 'gd'))];
      assert.ok(found.length > 0, `it says "${words}"`);
      for (const match of found) {
        const said = match.slice(1).map((figure) => Number(figure.replaceAll(',', '')));
        assert.deepEqual(said, figures, match[0]);
        for (const place of match.indices?.slice(1) ?? []) held.add(place?.[0] ?? -1);
      }
    }
    const performance = read('docs/performance.md');
    for (const match of text.matchAll(new RegExp(`(\\d[\\d,.]*)${UNIT.source}`, 'g'))) {
      if (held.has(match.index) || OTHERS.has(match[0])) continue;
      assert.ok(name === 'self-hosting' && performance.includes(match[1] ?? ''), `${match[0]} comes from somewhere`);
    }
  });
