// What the tests of replays share: asking for one as an operation would, and looking at what came of it.

import { refTo } from '../src/ledger/resource.ts';
import { planReplay } from '../src/webhooks/replay.routes.ts';
import type { Replay, ReplayInput } from '../src/webhooks/replay.schema.ts';
import { findReplay, openReplaysKind, replayKind } from '../src/webhooks/replay.store.ts';
import { endReplay, requestReplay, showReplay } from '../src/webhooks/replay.ts';
import type { Received, Receiver, SenderKit } from './sender-kit.ts';

export async function requestOn(kit: SenderKit, input: ReplayInput): Promise<string> {
  // Attempts are told apart by their time.
  kit.clock.advance(1);
  const plan = await planReplay(kit.db.sql, { world_id: kit.world_id, channel_ids: null } as never, input);
  const { location } = await kit.commit(
    'test.replay',
    [() => [refTo(openReplaysKind, plan.target_id)]],
    (set, moment) => requestReplay(set, moment, input, plan, null),
  );
  return location?.split('/').at(-1) ?? '';
}

export async function cancelOn(kit: SenderKit, id: string): Promise<void> {
  const load = [() => [{ kind: replayKind as never, key: id }]];
  await kit.commit('test.cancel', load, (set, moment) => endReplay(set, moment, id, 'cancelled'));
}

export async function look(kit: SenderKit, id: string): Promise<Replay> {
  const found = await findReplay(kit.db.sql, kit.world_id, id);
  if (found === null) throw new Error(`there is no replay ${id}`);
  return showReplay(found.request, found.place, found.waiting_for);
}

export async function over(kit: SenderKit, id: string): Promise<Replay> {
  await kit.eventually(async () => (await look(kit, id)).ended_at !== null);
  return look(kit, id);
}

/** What came by a replay. */
export function replayed(receiver: Receiver, id?: string): Received[] {
  return receiver.messages.filter(({ headers }) =>
    id === undefined ? headers['waypost-replay'] !== undefined : headers['waypost-replay'] === id,
  );
}

export const sequencesOf = (messages: readonly Received[]): number[] => messages.map(({ sequence }) => sequence ?? 0);
