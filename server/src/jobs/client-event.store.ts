// What devices reported under ids of their own: the statements with which the ledger finds and remembers them.

import { hash } from 'node:crypto';
import type { Sent, Tx } from '../db/sql.ts';
import type { Actor, Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';

export interface StoredClientEvent {
  /** Of the report's body. */
  fingerprint: Buffer;
  job_id: string;
  applied: boolean;
  reason: string | null;
  /** The events that it made; null while they have no ids, in the batch that makes them. */
  event_ids: readonly string[] | null;
}

/** Key of a client event in the working set: unique for each actor. */
export function clientEventKey(actor: Actor, clientEventId: string): string {
  return hash('sha256', `${actor.type}|${actor.id}|${clientEventId}`, 'hex');
}

interface LoadedClientEvent extends Omit<StoredClientEvent, 'event_ids'> {
  world_id: number;
  client_hash: Buffer;
  /** Separated by blanks; empty when it made none. */
  event_ids: string;
}

/** Put it with `document_of: job_id`, so that its row learns the events. */
export const clientEventKind: Kind<StoredClientEvent> = {
  name: 'client_event',

  async load(tx: Tx, refs: readonly Ref[]) {
    const rows = await tx<LoadedClientEvent[]>`
      select c.world_id, c.client_hash, c.fingerprint, c.job_id, c.applied, c.reason,
        coalesce(c.event_ids, c.event_id, '') as event_ids
      from unnest(${refs.map((ref) => ref.world_id)}::int[],
        ${refs.map((ref) => Buffer.from(ref.key, 'hex'))}::bytea[]) as n (world_id, client_hash)
      join client_events c on c.world_id = n.world_id and c.client_hash = n.client_hash`;
    return new Map(
      rows.map(({ world_id, client_hash, event_ids, ...stored }) => [
        refKey(world_id, client_hash.toString('hex')),
        { ...stored, event_ids: event_ids === '' ? [] : event_ids.split(' ') },
      ]),
    );
  },

  write(tx: Tx, lines: readonly WrittenLine<StoredClientEvent>[]): Sent[] {
    const of = <V>(read: (stored: StoredClientEvent) => V) => lines.map((line) => read(line.value));
    return [
      tx`
        insert into client_events (world_id, client_hash, fingerprint, job_id, event_id, event_ids, applied, reason,
          recorded_at)
        select * from unnest(
          ${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => Buffer.from(line.key, 'hex'))}::bytea[],
          ${of((stored) => stored.fingerprint)}::bytea[], ${of((stored) => stored.job_id)}::text[],
          ${lines.map((line) => line.document?.event_id ?? null)}::text[],
          ${lines.map((line) => line.document?.event_ids.join(' ') ?? null)}::text[],
          ${of((stored) => stored.applied)}::bool[], ${of((stored) => stored.reason)}::text[],
          ${lines.map((line) => line.now)}::timestamptz[])`.execute(),
    ];
  },
};
