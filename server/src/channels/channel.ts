// Rules of channels: the settings that a new one has, and how they are changed. What the settings do is decided where
// they are read: ownership in jobs/ownership.ts, transitions in jobs/.

import type { Fault } from '../errors.ts';
import { WaypostError } from '../errors.ts';
import type { Accepted, Document, Instant, Moment } from '../ledger/command.ts';
import { DOCUMENT } from '../ledger/command.ts';
import { draftPlainEvent, plainDocument } from '../ledger/plain-event.ts';
import type { Channel, ChannelInput, ChannelPatch, GroupRights, Ownership } from './channel.schema.ts';
import { CHANNELS_MAX, fieldGroups } from './channel.schema.ts';
import { channelKind } from './channel.store.ts';

/** A channel as its row keeps it. */
export interface StoredChannel {
  channel: Channel;
  /** Hash and id of the last event about it; null before the first. */
  hash: string | null;
  event_id: string | null;
}

const rights = (write: string[], propose: string[] = [], write_on_board: string[] = write): GroupRights => ({
  write,
  write_on_board,
  propose,
  auto_accept: false,
});

/** The source owns what was promised until goods are on board; from then on the carrier's side does. */
export const defaultOwnership: Ownership = {
  priority: rights(['source'], ['source'], ['dispatch']),
  schedule: rights(['source'], ['source', 'recipient'], ['dispatch']),
  address: rights(['source'], ['source'], ['dispatch']),
  items: rights(['source'], ['source'], ['dispatch']),
  assignment: rights(['dispatch']),
  execution: rights(['driver', 'dispatch']),
  completion: rights(['driver', 'dispatch']),
  instructions: rights(['source', 'recipient', 'dispatch']),
};

export const VISITS_DEFAULT = 3;

/** A channel as it begins: lenient about skipped steps, no grace, three visits, jobs accepted at once. */
export function newChannel(id: string, name: string, hub_id: string | null, now: Instant): Channel {
  return {
    id,
    name,
    hub_id,
    accept: 'on_create',
    strict_transitions: false,
    undo_grace_s: 0,
    visits_max: VISITS_DEFAULT,
    reason_aliases: {},
    ownership: defaultOwnership,
    version: 1,
    created_at: now,
    updated_at: now,
  };
}

/** What the rules of settings need to know of the world around them. */
export interface SettingsContext {
  /** Whether this word is one of our reason codes. */
  isReasonCode(word: string): boolean;
  hubExists(hubId: string): boolean;
}

/** `count`: how many channels the world has. */
export function createChannel(input: ChannelInput, count: number, context: SettingsContext, moment: Moment): Accepted {
  if (count >= CHANNELS_MAX)
    throw new WaypostError('limit_reached', `A world has at most ${CHANNELS_MAX} channels.`, {
      extra: { limit: CHANNELS_MAX },
    });
  refuseFaults(input, context);
  const fresh = newChannel(moment.mint('chn'), input.name, null, moment.now);
  const channel: Channel = { ...fresh, ...input, ownership: { ...fresh.ownership, ...input.ownership } };
  return {
    ...tellChannel({ channel, hash: null, event_id: null }, 'channel.created', {}),
    reply: { status: 201, body: DOCUMENT, version: channel.version, location: `/v1/channels/${channel.id}` },
  };
}

export function patchChannel(
  stored: StoredChannel,
  patch: ChannelPatch,
  if_match: number | null,
  context: SettingsContext,
  moment: Moment,
): Accepted {
  const before = stored.channel;
  if (if_match !== null && if_match !== before.version) {
    throw new WaypostError('stale_version', `The version is ${before.version} now, not ${if_match}.`, {
      extra: { current_version: before.version },
    });
  }
  refuseFaults(patch, context);
  const changes: Record<string, [unknown, unknown]> = {};
  const after: Channel = { ...before, ...patch, ownership: { ...before.ownership, ...patch.ownership } };
  for (const name of Object.keys(patch) as (keyof ChannelPatch)[]) {
    if (name !== 'ownership' && JSON.stringify(before[name]) !== JSON.stringify(after[name]))
      changes[name] = [before[name], after[name]];
  }
  for (const group of fieldGroups) {
    if (JSON.stringify(before.ownership[group]) !== JSON.stringify(after.ownership[group]))
      changes[`ownership/${group}`] = [before.ownership[group], after.ownership[group]];
  }
  if (Object.keys(changes).length === 0) return answerUnchanged(stored);
  const channel = { ...after, version: before.version + 1, updated_at: moment.now };
  return tellChannel({ ...stored, channel }, 'channel.updated', changes);
}

function refuseFaults(settings: ChannelPatch, context: SettingsContext): void {
  const faults = findFaults(settings, context);
  if (faults.length > 0) throw new WaypostError('invalid_request', 'The settings cannot be like this.', { faults });
}

function findFaults(patch: ChannelPatch, context: SettingsContext): Fault[] {
  const faults: Fault[] = [];
  for (const [alias, code] of Object.entries(patch.reason_aliases ?? {})) {
    const pointer = `/reason_aliases/${alias.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (!context.isReasonCode(code))
      faults.push({
        pointer,
        code: 'unknown_reason_code',
        message: `${code} is not a reason code: see GET /v1/reason-codes.`,
      });
    if (context.isReasonCode(alias) && alias !== code)
      faults.push({
        pointer,
        code: 'alias_is_code',
        message: `${alias} is a reason code itself and cannot stand for another.`,
      });
  }
  for (const group of fieldGroups) {
    const wanted = patch.ownership?.[group];
    if (wanted !== undefined && (wanted.write.length === 0 || wanted.write_on_board.length === 0))
      faults.push({
        pointer: `/ownership/${group}`,
        code: 'no_owner',
        message: 'Somebody must be able to write these fields.',
      });
  }
  if (typeof patch.hub_id === 'string' && !context.hubExists(patch.hub_id))
    faults.push({ pointer: '/hub_id', code: 'unknown_reference', message: `There is no hub ${patch.hub_id}.` });
  return faults;
}

function tellChannel(stored: StoredChannel, type: string, changes: Record<string, [unknown, unknown]>): Accepted {
  const { channel } = stored;
  return {
    events: [
      draftPlainEvent({
        type,
        document: documentOfChannel(channel),
        changes,
        previous_hash: stored.hash,
        channel_id: channel.id,
      }),
    ],
    puts: [{ kind: channelKind, key: channel.id, value: stored, document_of: channel.id }],
    reply: { status: 200, body: DOCUMENT, version: channel.version, location: null },
    config_changed: true,
  };
}

function answerUnchanged(stored: StoredChannel): Accepted {
  const reply = { status: 200, body: DOCUMENT, version: stored.channel.version, location: null };
  const shown = { ...reply, document: documentOfChannel(stored.channel) };
  return { events: [], puts: [], reply: stored.event_id === null ? shown : { ...shown, event_id: stored.event_id } };
}

function documentOfChannel(channel: Channel): Document<Channel> {
  return plainDocument('channel', channel);
}
