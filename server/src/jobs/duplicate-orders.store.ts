// The statements with which the ledger counts orders that come again.

import type { Sent, Tx } from '../db/sql.ts';
import type { Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { DuplicateOrders } from './duplicate-orders.ts';

/** The newest day of each channel, by channel id. */
export const duplicateOrdersKind: Kind<DuplicateOrders> = {
  name: 'duplicate_orders',

  async load(tx: Tx, refs: readonly Ref[]) {
    const rows = await tx<(DuplicateOrders & { world_id: number; channel_id: string })[]>`
      select d.world_id, d.channel_id, to_char(d.day, 'YYYY-MM-DD') as day, d.identical, d.different
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, channel_id)
      cross join lateral (
        select c.world_id, c.channel_id, c.day, c.identical, c.different from duplicate_orders c
        where c.world_id = n.world_id and c.channel_id = n.channel_id
        order by c.day desc limit 1
      ) d`;
    return new Map(rows.map(({ world_id, channel_id, ...counted }) => [refKey(world_id, channel_id), counted]));
  },

  write(tx: Tx, lines: readonly WrittenLine<DuplicateOrders>[]): Sent[] {
    const of = <V>(read: (counted: DuplicateOrders) => V) => lines.map((line) => read(line.value));
    return [
      tx`
        insert into duplicate_orders (world_id, channel_id, day, identical, different)
        select * from unnest(
          ${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.key)}::text[],
          ${of((counted) => counted.day)}::date[], ${of((counted) => counted.identical)}::int[],
          ${of((counted) => counted.different)}::int[])
        on conflict (world_id, channel_id, day) do update
          set identical = excluded.identical, different = excluded.different`.execute(),
    ];
  },
};
