// Making a channel and changing its settings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaypostError } from '../errors.ts';
import { CHANNELS_MAX, type ChannelPatch } from './channel.schema.ts';
import { createChannel, newChannel, patchChannel, type SettingsContext, type StoredChannel } from './channel.ts';

const NOW = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-21T11:00:00.000Z';
const stored: StoredChannel = { channel: newChannel('chn_1', 'Shop', null, NOW), hash: 'h1', event_id: 'evt_1' };
const context: SettingsContext = {
  isReasonCode: (word) => word === 'damaged' || word === 'lost',
  hubExists: (id) => id === 'hub_1',
};
const patch = (change: ChannelPatch, if_match: number | null = null) =>
  patchChannel(stored, change, if_match, context, { now: LATER, mint: () => 'unused' });

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
    () => patch({ visits_max: 4 }, 2),
    (error) => error instanceof WaypostError && error.code === 'stale_version',
  );
  assert.equal(patch({ visits_max: 4 }, 1).events.length, 1);
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

test('a new channel has what is stated and the defaults for the rest, and its event tells all of it', () => {
  const moment = { now: LATER, mint: () => 'chn_2' };
  const schedule = { ...stored.channel.ownership.schedule, auto_accept: true };
  const { events, puts, reply } = createChannel(
    { name: 'ERP', hub_id: 'hub_1', visits_max: 2, ownership: { schedule } },
    CHANNELS_MAX - 1,
    context,
    moment,
  );
  const [put] = puts;
  assert.ok(put);
  const { channel } = put.value as StoredChannel;
  const fresh = newChannel('chn_2', 'ERP', 'hub_1', LATER);
  assert.deepEqual(channel, { ...fresh, visits_max: 2, ownership: { ...fresh.ownership, schedule } });
  assert.deepEqual(
    [events.length, events[0]?.type, events[0]?.channel_id, events[0]?.previous_hash, reply.status, reply.location],
    [1, 'channel.created', 'chn_2', null, 201, '/v1/channels/chn_2'],
  );
});

test('a new channel meets the same walls as a change, and the limit of its world', () => {
  const moment = { now: LATER, mint: () => 'chn_2' };
  const codeOf = (make: () => unknown) => {
    try {
      make();
      return null;
    } catch (error) {
      return error instanceof WaypostError ? error.code : 'other';
    }
  };
  assert.equal(
    codeOf(() => createChannel({ name: 'X', hub_id: 'hub_2' }, 0, context, moment)),
    'invalid_request',
  );
  assert.equal(
    codeOf(() => createChannel({ name: 'X' }, CHANNELS_MAX, context, moment)),
    'limit_reached',
  );
});
