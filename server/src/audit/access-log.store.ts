// The statements about the second chain: appending to it, and reading it.

import { inOrder, type Sql, type Tx, textsOf } from '../db/sql.ts';
import type { Instant } from '../ledger/command.ts';
import type { ChainEnd, ChainedRow } from './access-chain.ts';

/** Chains that the first row of a new one witnesses: those that moved last. */
const WITNESSED_MAX = 200;

export async function readTime(sql: Sql): Promise<Instant> {
  const [row] = await sql<{ now: Date }[]>`select date_trunc('milliseconds', clock_timestamp()) as now`;
  return row?.now.toISOString() ?? '';
}

export function readOtherChains(sql: Sql, processId: string): Promise<ChainEnd[]> {
  return sql<ChainEnd[]>`
    select process_id, number, chain from access_chains where process_id <> ${processId}
    order by recorded_at desc, process_id limit ${WITNESSED_MAX}`;
}

/** Rows and the end of their chain, both or neither. The same rows a second time change nothing: an answer may get lost. */
export async function appendEntries(sql: Sql, rows: readonly ChainedRow[]): Promise<void> {
  const last = rows.at(-1);
  if (last === undefined) return;
  await sql.begin(async (tx) => {
    await inOrder([insertRows(tx, rows), moveChain(tx, last)]);
  });
}

function insertRows(tx: Tx, rows: readonly ChainedRow[]) {
  return tx`
    insert into access_entries (world_id, recorded_at, process_id, number, body, chain)
    select * from unnest(${rows.map((row) => row.world_id)}::int[], ${rows.map((row) => row.recorded_at)}::timestamptz[],
      ${rows.map((row) => row.process_id)}::text[], ${rows.map((row) => row.number)}::bigint[],
      ${textsOf(
        tx,
        rows.map((row) => row.body),
      )}, ${rows.map((row) => row.chain)}::bytea[])
    on conflict (world_id, recorded_at, process_id, number) do nothing`;
}

function moveChain(tx: Tx, { process_id, number, recorded_at, chain }: ChainedRow) {
  return tx`
    insert into access_chains (process_id, opened_at, number, recorded_at, chain)
    values (${process_id}, ${recorded_at}::timestamptz, ${number}, ${recorded_at}::timestamptz, ${chain})
    on conflict (process_id) do update set number = excluded.number, recorded_at = excluded.recorded_at, chain = excluded.chain
    where access_chains.number <= excluded.number`;
}

export function listChains(sql: Sql): Promise<(ChainEnd & { opened_at: Date })[]> {
  return sql<(ChainEnd & { opened_at: Date })[]>`
    select process_id, number, chain, opened_at from access_chains order by opened_at, process_id`;
}

interface Row extends Omit<ChainedRow, 'recorded_at'> {
  recorded_at: Date;
}

const chainedRow = (row: Row): ChainedRow => ({ ...row, recorded_at: row.recorded_at.toISOString() });

/** The rows of a chain in their order. */
export async function readChainBlock(sql: Sql, processId: string, after: number, limit: number): Promise<ChainedRow[]> {
  const rows = await sql<Row[]>`
    -- all worlds: because the chain of a process goes through the worlds that it served
    select world_id, recorded_at, process_id, number, body, chain from access_entries
    where process_id = ${processId} and number > ${after}
    order by number limit ${limit}`;
  return rows.map(chainedRow);
}

/** Chains of which rows are kept but not their end. */
export async function listEndlessChains(sql: Sql): Promise<string[]> {
  const rows = await sql<{ process_id: string }[]>`
    -- all worlds: because the chain of a process goes through the worlds that it served
    select distinct e.process_id from access_entries e
    where not exists (select from access_chains c where c.process_id = e.process_id)`;
  return rows.map(({ process_id }) => process_id);
}
