// The statements about proposals.

import type { Sent, Sql, Tx } from '../db/sql.ts';
import type { Kind, Ref, WrittenLine } from '../ledger/command.ts';
import { refKey } from '../ledger/command.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { JobScope } from './job-list.store.ts';
import type { Proposal } from './proposal.schema.ts';
import type { StoredProposal } from './proposal.ts';

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

/** Newest first; an identifier carries its time, so it is the place to go on from. */
export function listProposals(
  sql: Sql,
  scope: JobScope,
  filter: { job_id: string | null; status: Proposal['status'] | null },
  after: string | null,
  count: number,
): Promise<ProposalRow[]> {
  return sql<ProposalRow[]>`
    select world_id, proposal_id, created_at, event_id, event_hash, body, personal
    from proposals
    where world_id = ${scope.world_id} ${inChannels(sql, scope)}
      ${after === null ? sql`` : sql`and proposal_id < ${after}`}
      ${filter.job_id === null ? sql`` : sql`and job_id = ${filter.job_id}`}
      ${filter.status === null ? sql`` : sql`and status = ${filter.status}`}
    order by proposal_id desc
    limit ${count}`;
}

function inChannels(sql: Sql, scope: JobScope) {
  return scope.channel_ids === null ? sql`` : sql`and channel_id = any(${scope.channel_ids as string[]}::text[])`;
}
