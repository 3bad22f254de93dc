// The statements about proposals.

import { type Judged, lookThrough } from '../db/look-through.ts';
import type { Sent, Sql, Tx } from '../db/sql.ts';
import type { Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { JobScope } from './job-list.store.ts';
import type { Proposal } from './proposal.schema.ts';
import type { StoredProposal } from './proposal.ts';

const ABOVE_EVERY_ID = '~';

/** A proposal's document as it is kept. */
export interface ProposalRow {
  world_id: number;
  proposal_id: string;
  created_at: Date;
  event_id: string;
  event_hash: string;
  body: string;
  personal: Buffer;
}

export const proposalKind: Kind<StoredProposal> = {
  name: 'proposal',

  async load(tx: Tx, refs: readonly Ref[], keys: SubjectKeys) {
    const rows = await tx<ProposalRow[]>`
      select p.world_id, p.proposal_id, p.created_at, p.event_id, p.event_hash, p.body, p.personal
      from unnest(${refs.map((ref) => ref.world_id)}::int[], ${refs.map((ref) => ref.key)}::text[]) as n (world_id, proposal_id)
      join proposals p on p.world_id = n.world_id and p.proposal_id = n.proposal_id`;
    const texts = await keys.open(tx, rows, 'personal');
    return new Map(
      rows.map((row, index) => [
        refKey(row.world_id, row.proposal_id),
        { proposal: JSON.parse(texts[index] ?? '') as Proposal, event_id: row.event_id, hash: row.event_hash },
      ]),
    );
  },

  write(tx: Tx, lines: readonly WrittenLine<StoredProposal>[]): Sent[] {
    const of = <V>(read: (proposal: Proposal) => V) => lines.map((line) => read(line.value.proposal));
    return [
      tx`
        insert into proposals (world_id, proposal_id, job_id, channel_id, status, created_at, event_id, event_hash, body,
          personal)
        select * from unnest(
          ${lines.map((line) => line.world_id)}::int[], ${of((one) => one.id)}::text[], ${of((one) => one.job_id)}::text[],
          ${of((one) => one.channel_id)}::text[], ${of((one) => one.status)}::text[],
          ${of((one) => one.created_at)}::timestamptz[], ${lines.map((line) => line.document?.event_id ?? null)}::text[],
          ${lines.map((line) => line.document?.hash ?? null)}::text[],
          ${lines.map((line) => line.document?.body ?? null)}::text[],
          ${lines.map((line) => line.document?.personal ?? null)}::bytea[])
        on conflict (world_id, proposal_id) do update set status = excluded.status, event_id = excluded.event_id,
          event_hash = excluded.event_hash, body = excluded.body, personal = excluded.personal`.execute(),
    ];
  },
};

export async function findProposal(sql: Sql, scope: JobScope, proposalId: string): Promise<ProposalRow | null> {
  const [row] = await sql<ProposalRow[]>`
    select world_id, proposal_id, created_at, event_id, event_hash, body, personal
    from proposals
    where world_id = ${scope.world_id} and proposal_id = ${proposalId} ${inChannels(sql, scope)}`;
  return row ?? null;
}

export interface ProposalFilter {
  job_id: string | null;
  status: Proposal['status'] | null;
}

interface Candidate extends Judged {
  proposal_id: string;
}

/** The newest first. `after`: the id of the one that was seen last. */
export async function listProposals(
  sql: Sql,
  scope: JobScope,
  filter: ProposalFilter,
  after: string | null,
  limit: number,
): Promise<{ rows: ProposalRow[]; next: string | null }> {
  const { world_id, channel_ids } = scope;
  const { fitting, next } = await lookThrough<Candidate, string>({
    limit,
    after,
    read: (place, count) => sql<Candidate[]>`
      select c.proposal_id, p.world_id = ${world_id}
        ${channel_ids === null ? sql`` : sql`and p.channel_id = any(${channel_ids as string[]}::text[])`}
        ${filter.job_id === null ? sql`` : sql`and p.job_id = ${filter.job_id}`}
        ${filter.status === null ? sql`` : sql`and p.status = ${filter.status}`} as fits
      from (${runOf(sql, world_id, filter, place ?? ABOVE_EVERY_ID, count)}) c
      left join proposals p on p.world_id = ${world_id} and p.proposal_id = c.proposal_id
      order by c.proposal_id desc`,
    placeOf: ({ proposal_id }) => proposal_id,
  });
  if (fitting.length === 0) return { rows: [], next };
  const rows = await sql<ProposalRow[]>`
    select p.world_id, p.proposal_id, p.created_at, p.event_id, p.event_hash, p.body, p.personal
    from unnest(${fitting.map(({ proposal_id }) => proposal_id)}::text[]) as n (proposal_id)
    join proposals p on p.world_id = ${world_id} and p.proposal_id = n.proposal_id`;
  return { rows: rows.sort((one, other) => (one.proposal_id < other.proposal_id ? 1 : -1)), next };
}

/** Rows are compared as a whole and ordered by all of their index, so that no other will do (job-candidates.store.ts). */
function runOf(sql: Sql, worldId: number, { job_id, status }: ProposalFilter, below: string, count: number) {
  if (job_id === null && status === null)
    return sql`
      select proposal_id from proposals
      where world_id = ${worldId} and proposal_id < ${below}
      order by proposal_id desc limit ${count}`;
  const [column, value] = job_id !== null ? [sql`job_id`, job_id] : [sql`status`, status];
  return sql`
    select proposal_id from proposals
    where world_id = ${worldId} and (${column}, proposal_id) >= (${value}, '') and (${column}, proposal_id) < (${value}, ${below})
    order by ${column} desc, proposal_id desc limit ${count}`;
}

function inChannels(sql: Sql, scope: JobScope) {
  return scope.channel_ids === null ? sql`` : sql`and channel_id = any(${scope.channel_ids as string[]}::text[])`;
}
