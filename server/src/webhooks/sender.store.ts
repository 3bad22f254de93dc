// The statements of senders about their leases, the news, and what they have to know of endpoints. What they write with
// each flush is in flush.store.ts.

import type { Sql, Tx } from '../db/sql.ts';
import type { Revision } from './message-format.ts';
import type { SealedKeys } from './sealed-secret.ts';
import { LEASE_MS } from './share.ts';

/** Worlds are asked for news by so many buckets. */
export const NEWS_BUCKETS = 256;
/** A sender that was not seen for so long does not count any more. */
const SENDER_FORGOTTEN_MS = 60_000;

export interface HeadNews {
  world_id: number;
  sequence: number;
  config_version: number;
}

/**
 * The heads of the buckets whose sum is another than the one that is known: whatever happens in a world makes the sum of
 * its bucket larger. While nothing happens anywhere, nothing is answered, however many worlds there are.
 */
export function readHeads(sql: Sql, known: readonly number[]): Promise<HeadNews[]> {
  return sql<HeadNews[]>`
    -- all worlds: because a sender learns from the heads which world has news
    select world_id, sequence, config_version from heads where world_id % ${NEWS_BUCKETS} = any(array(
      select bucket from (
        select world_id % ${NEWS_BUCKETS} as bucket, sum(sequence + config_version) as sum from heads group by 1) b
      where sum <> (${known as number[]}::bigint[])[bucket + 1]))`;
}

export interface Lease {
  share: number;
  epoch: number;
}

/** Says that this sender is alive; answers how many are, and the database's clock. */
export async function noteSender(sql: Sql, sender: string): Promise<{ senders: number; now: Date }> {
  await sql`
    insert into senders (sender, seen_at) values (${sender}, clock_timestamp())
    on conflict (sender) do update set seen_at = excluded.seen_at`;
  const [row] = await sql<{ senders: number; now: Date }[]>`
    select count(*) filter (where seen_at > clock_timestamp() - ${`${LEASE_MS} ms`}::interval
        and seen_at < clock_timestamp() + ${`${LEASE_MS} ms`}::interval)::int as senders,
      clock_timestamp() as now
    from senders`;
  // Where the clock was set back, a lease would end when the clock is there again: its holder may long be dead by then.
  await sql`
    update sender_leases set expires_at = clock_timestamp() + ${`${LEASE_MS} ms`}::interval
    where expires_at > clock_timestamp() + ${`${2 * LEASE_MS} ms`}::interval`;
  if (row === undefined) throw new Error('the senders cannot be counted');
  return row;
}

export async function forgetSenders(sql: Sql, self: string): Promise<void> {
  await sql`delete from senders where sender = ${self} or seen_at < clock_timestamp() - ${`${SENDER_FORGOTTEN_MS} ms`}::interval`;
}

/** Renews the leases that are still ours and answers these. */
export function renewLeases(sql: Sql, holder: string, leases: readonly Lease[]): Promise<Lease[]> {
  return sql<Lease[]>`
    update sender_leases l set expires_at = clock_timestamp() + ${`${LEASE_MS} ms`}::interval
    from unnest(${leases.map((lease) => lease.share)}::smallint[], ${leases.map((lease) => lease.epoch)}::bigint[]) as n (share, epoch)
    where l.share = n.share and l.epoch = n.epoch and l.holder = ${holder}
    returning l.share, l.epoch`;
}

/** How many shares nobody holds. */
export async function countFreeLeases(sql: Sql): Promise<number> {
  const [row] = await sql<{ free: number }[]>`
    select count(*)::int as free from sender_leases where holder is null or expires_at < clock_timestamp()`;
  return row?.free ?? 0;
}

/** Takes up to `count` shares that nobody holds, each under a new epoch. */
export function claimLeases(sql: Sql, holder: string, count: number): Promise<Lease[]> {
  return sql<Lease[]>`
    update sender_leases l set holder = ${holder}, epoch = l.epoch + 1, expires_at = clock_timestamp() + ${`${LEASE_MS} ms`}::interval
    where l.share = any(array(
      select share from sender_leases where holder is null or expires_at < clock_timestamp()
      order by share limit ${count} for update skip locked))
    returning l.share, l.epoch`;
}

export async function releaseLeases(sql: Sql, holder: string, leases: readonly Lease[]): Promise<void> {
  await sql`
    update sender_leases l set holder = null, expires_at = null
    from unnest(${leases.map((lease) => lease.share)}::smallint[], ${leases.map((lease) => lease.epoch)}::bigint[]) as n (share, epoch)
    where l.share = n.share and l.epoch = n.epoch and l.holder = ${holder}`;
}

export interface EndpointRow extends SealedKeys {
  world_id: number;
  world: 'live' | 'test';
  tenant_id: string;
  endpoint_id: string;
  share: number;
  start_sequence: number;
  start_recorded_at: Date;
  headers: Buffer | null;
  credentials: Buffer | null;
  body: string;
  /** The header `waypost-epochs`; null while the log has only its first epoch. */
  epochs: string | null;
}

/** The endpoints of these shares, in one world or in all. */
export function readEndpoints(sql: Sql, shares: readonly number[], worldId: number | null): Promise<EndpointRow[]> {
  return sql<EndpointRow[]>`
    -- all worlds: because a share holds endpoints of every world
    select e.world_id, w.world, w.tenant_id, e.endpoint_id, e.share, e.start_sequence, e.start_recorded_at, e.secret,
      e.previous_secret, e.signing_key, e.previous_signing_key, e.headers, e.credentials, e.body,
      (select string_agg(l.log_epoch || ':' || l.last_sequence, ', ' order by l.log_epoch)
       from log_epochs l where l.world_id = e.world_id) as epochs
    from endpoints e join worlds w on w.world_id = e.world_id
    where e.deleted_at is null and e.share = any(${shares as number[]}::smallint[])
      ${worldId === null ? sql`` : sql`and e.world_id = ${worldId}`}`;
}

export interface CursorRow {
  world_id: number;
  endpoint_id: string;
  sequence: number;
  recorded_at: Date;
  previous: number | null;
  broken_since: Date | null;
  probes: number;
  probe_at: Date | null;
  read_to: number | null;
  filters: string | null;
  /** How often another than its sender has moved it. */
  expiries: number;
}

/**
 * Makes the cursors ours: from now on whoever held the lease before finds no row to update. A new endpoint begins at its
 * start. No row comes back for an endpoint whose lease a third one has taken meanwhile.
 */
export function claimCursors(sql: Sql, endpoints: readonly (EndpointRow & { epoch: number })[]): Promise<CursorRow[]> {
  return sql<CursorRow[]>`
    insert into cursors as c (world_id, endpoint_id, epoch, log_epoch, sequence, recorded_at)
    select n.world_id, n.endpoint_id, n.epoch, h.log_epoch, n.sequence, n.recorded_at
    from unnest(${endpoints.map((each) => each.world_id)}::int[], ${endpoints.map((each) => each.endpoint_id)}::text[],
      ${endpoints.map((each) => each.epoch)}::bigint[], ${endpoints.map((each) => each.start_sequence)}::bigint[],
      ${endpoints.map((each) => each.start_recorded_at.toISOString())}::timestamptz[])
      as n (world_id, endpoint_id, epoch, sequence, recorded_at)
    join heads h on h.world_id = n.world_id
    on conflict (world_id, endpoint_id) do update set epoch = excluded.epoch where c.epoch <= excluded.epoch
    returning world_id, endpoint_id, sequence, recorded_at, previous, broken_since, probes, probe_at, read_to, filters, expiries`;
}

export interface EndpointKey {
  world_id: number;
  endpoint_id: string;
}

export interface ParkedRow extends EndpointKey {
  sequence: number;
  recorded_at: Date;
  state: 'retry' | 'in_flight' | 'behind';
  lane: string;
  previous: number | null;
  attempts: number;
  rung: number;
  due_at: Date;
  failed_since: Date | null;
  first_attempt_at: Date | null;
  revision: number | null;
  redrive: string;
  subject: string | null;
  expires_at: Date | null;
}

export function readParked(sql: Sql, endpoints: readonly EndpointKey[]): Promise<ParkedRow[]> {
  return sql<ParkedRow[]>`
    select p.world_id, p.endpoint_id, p.sequence, p.recorded_at, p.state, p.lane, p.previous, p.attempts, p.rung, p.due_at,
      p.failed_since, p.first_attempt_at, p.revision, p.redrive, p.subject, p.expires_at
    from unnest(${endpoints.map((each) => each.world_id)}::int[], ${endpoints.map((each) => each.endpoint_id)}::text[]) as n (world_id, endpoint_id)
    join parked_messages p on p.world_id = n.world_id and p.endpoint_id = n.endpoint_id
    order by p.world_id, p.endpoint_id, p.sequence`;
}

/**
 * What lies ahead of the cursors and is over already: delivered, dead or left out. A new owner passes it by. The order of
 * the attempts finds them by their key: by time, all of the last hour would be read.
 */
export function readSettledAhead(
  sql: Sql,
  cursors: readonly Pick<CursorRow, 'world_id' | 'endpoint_id' | 'sequence' | 'recorded_at'>[],
): Promise<(EndpointKey & { sequence: number; is_left_out: boolean })[]> {
  const worlds = cursors.map((each) => each.world_id);
  const ids = cursors.map((each) => each.endpoint_id);
  const sequences = cursors.map((each) => each.sequence);
  const times = cursors.map((each) => each.recorded_at.toISOString());
  return sql<(EndpointKey & { sequence: number; is_left_out: boolean })[]>`
    select n.world_id, n.endpoint_id, a.sequence, false as is_left_out
    from unnest(${worlds}::int[], ${ids}::text[], ${sequences}::bigint[], ${times}::timestamptz[]) as n (world_id, endpoint_id, sequence, recorded_at)
    cross join lateral (
      select sequence from attempts
      where world_id = n.world_id and endpoint_id = n.endpoint_id and sequence > n.sequence
        and started_at >= n.recorded_at - interval '1 hour' and outcome = 'delivered' and redrive is null and replay is null
      order by sequence offset 0
    ) a
    union
    select d.world_id, d.endpoint_id, d.sequence, false
    from unnest(${worlds}::int[], ${ids}::text[], ${sequences}::bigint[]) as n (world_id, endpoint_id, sequence)
    join dead_letters d on d.world_id = n.world_id and d.endpoint_id = n.endpoint_id and d.sequence > n.sequence
    union
    select l.world_id, l.endpoint_id, l.sequence, true
    from unnest(${worlds}::int[], ${ids}::text[], ${sequences}::bigint[], ${times}::timestamptz[]) as n (world_id, endpoint_id, sequence, recorded_at)
    join left_out_messages l on l.world_id = n.world_id and l.endpoint_id = n.endpoint_id and l.sequence > n.sequence
      and l.left_out_at >= n.recorded_at - interval '1 hour'`;
}

export function readRevisions(sql: Sql, endpoints: readonly EndpointKey[]) {
  return sql<(EndpointKey & Revision & { revision: number })[]>`
    select r.world_id, r.endpoint_id, r.revision, r.rendering, r.format, r.schema_version, r.transform
    from unnest(${endpoints.map((each) => each.world_id)}::int[], ${endpoints.map((each) => each.endpoint_id)}::text[]) as n (world_id, endpoint_id)
    join endpoint_revisions r on r.world_id = n.world_id and r.endpoint_id = n.endpoint_id`;
}

/**
 * What senders keep of endpoints that were deleted: how far they were, and what waited for them. Their dead letters stay
 * for people to look at, and nothing is on its way to them any more.
 */
export async function forgetDeleted(sql: Sql, shares: readonly number[], worldId: number | null): Promise<void> {
  const gone = (tx: Sql | Tx) => tx`
    select e.world_id, e.endpoint_id from endpoints e
    where e.deleted_at is not null and e.share = any(${shares as number[]}::smallint[])
      ${worldId === null ? tx`` : tx`and e.world_id = ${worldId}`}`;
  await sql.begin(async (tx) => {
    await tx`
      -- all worlds: because a share holds endpoints of every world
      delete from cursors c using (${gone(tx)}) as n
      where c.world_id = n.world_id and c.endpoint_id = n.endpoint_id`;
    await tx`
      -- all worlds: because a share holds endpoints of every world
      delete from parked_messages p using (${gone(tx)}) as n
      where p.world_id = n.world_id and p.endpoint_id = n.endpoint_id`;
    await tx`
      -- all worlds: because a share holds endpoints of every world
      update dead_letters d set state = 'dead' from (${gone(tx)}) as n
      where d.world_id = n.world_id and d.endpoint_id = n.endpoint_id and d.state = 'redriving'`;
  });
}
