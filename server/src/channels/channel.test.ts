// Changing the settings of a channel.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaypostError } from '../errors.ts';
import type { ChannelPatch } from './channel.schema.ts';
import { newChannel, type PatchContext, patchChannel, type StoredChannel } from './channel.ts';

const NOW = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-21T11:00:00.000Z';
const stored: StoredChannel = { channel: newChannel('chn_1', 'Shop', null, NOW), hash: 'h1', event_id: 'evt_1' };
const context: PatchContext = {
  if_match: null,
  isReasonCode: (word) => word === 'damaged' || word === 'lost',
  hubExists: (id) => id === 'hub_1',
};
const patch = (change: ChannelPatch, more: Partial<PatchContext> = {}) =>
  patchChannel(stored, change, { ...context, ...more }, { now: LATER, mint: () => 'unused' });

function faultsOf(change: ChannelPatch): string[] {
  try {
    patch(change);
    return [];
  } catch (error) {
    assert.ok(error instanceof WaypostError && error.code === 'invalid_request');
    return error.faults.map(({ pointer, code }) => `${pointer} ${code}`);
  }
}

test('what differs is told in one event and counted as one version', () => {
  const schedule = { ...stored.channel.ownership.schedule, write: ['erp'] };
  const { events, puts } = patch({ hub_id: 'hub_1', visits_max: 3, ownership: { schedule } });
  assert.equal(events.length, 1);
  assert.deepEqual(Object.keys(events[0]?.changes ?? {}), ['hub_id', 'ownership/schedule']);
  assert.equal(events[0]?.previous_hash, 'h1');
  const [put] = puts;
  assert.ok(put);
  const { channel } = put.value as StoredChannel;
  assert.equal(channel.version, 2);
  assert.equal(channel.updated_at, LATER);
  assert.deepEqual(channel.ownership.priority, stored.channel.ownership.priority);
});

test('nothing that differs is no event', () => {
  const { events, puts, reply } = patch({ visits_max: 3, reason_aliases: {} });
  assert.equal(events.length + puts.length, 0);
  assert.equal(reply.event_id, 'evt_1');
});

test('a stale version is refused', () => {
  assert.throws(
    () => patch({ visits_max: 4 }, { if_match: 2 }),
    (error) => error instanceof WaypostError && error.code === 'stale_version',
  );
  assert.equal(patch({ visits_max: 4 }, { if_match: 1 }).events.length, 1);
});

test('settings that cannot be are refused, all at once', () => {
  const nobody = { write: [], write_on_board: ['dispatch'], propose: [], auto_accept: false };
  assert.deepEqual(
    faultsOf({
      reason_aliases: { 'a/b': 'nonsense', lost: 'damaged', lost_it: 'lost' },
      hub_id: 'hub_2',
      ownership: { items: nobody },
    }),
    [
      '/reason_aliases/a~1b unknown_reason_code',
      '/reason_aliases/lost alias_is_code',
      '/ownership/items no_owner',
      '/hub_id unknown_reference',
    ],
  );
  assert.deepEqual(faultsOf({ hub_id: null }), []);
});
