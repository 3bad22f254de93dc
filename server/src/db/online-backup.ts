// PostgreSQL's own protocol for copying the files of a server while it runs ("Making a Base Backup Using the Low Level
// API" in its manual): between its start and its stop files may be copied in any state, and the write-ahead log of that
// time makes them whole again.

import { randomBytes } from 'node:crypto';
import type { Sql, Tx } from './sql.ts';

/** Directories that the server fills anew when it starts: only they themselves are copied. */
const EMPTIED = [
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
];
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|backup_label(\.old)?|tablespace_map(\.old)?|backup_manifest)$|(^|\/)pg_internal\.init(\.\d+)?$/;

/** Whether a file, or what is in a directory, belongs to a backup. */
export function belongsToBackup(path: string, isDir: boolean): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name.startsWith('pgsql_tmp')) return false;
  return isDir ? !EMPTIED.includes(path) : !LEFT_OUT.test(path);
}

export interface CopySteps {
  /** Everything but pg_wal. */
  copyData(): Promise<void>;
  /** Files of pg_wal without which the rest is nothing, and the content of the file `backup_label`. */
  copyLog(wal: readonly string[], label: string): Promise<void>;
}

/**
 * Runs the copying. All on one connection, as PostgreSQL asks for; a slot, which ends with it, keeps the log until it was
 * copied. Whoever gives the pool ends it, whatever happened: a session that is in the middle of a backup is good for
 * nothing else.
 */
export async function backUpOnline(sql: Sql, { copyData, copyLog }: CopySteps): Promise<void> {
  const session = await sql.reserve();
  try {
    const slot = `waypost_${randomBytes(6).toString('hex')}`;
    await session`select pg_create_physical_replication_slot(${slot}, true, true)`;
    const [started] = await session<{ lsn: string }[]>`select pg_backup_start('waypost', fast => true)::text as lsn`;
    await copyData();
    const [stopped] = await session<{ lsn: string; label: string }[]>`
      select lsn::text as lsn, labelfile as label from pg_backup_stop(wait_for_archive => false)`;
    if (started === undefined || stopped === undefined) throw new Error('the database did not say what to back up');
    const { timeline, segment_bytes } = await readWalShape(session);
    await copyLog(listWalFiles(timeline, segment_bytes, started.lsn, stopped.lsn), stopped.label);
  } finally {
    session.release();
  }
}

async function readWalShape(session: Tx): Promise<{ timeline: number; segment_bytes: number }> {
  const [shape] = await session<{ timeline: number; segment_bytes: number }[]>`
    select c.timeline_id as timeline, i.bytes_per_wal_segment as segment_bytes
    from pg_control_checkpoint() c, pg_control_init() i`;
  if (shape === undefined) throw new Error('the database has no control file');
  return shape;
}

/** The files that hold the log from one place up to another, and those that say how a timeline began. */
export function listWalFiles(timeline: number, segmentBytes: number, startLsn: string, stopLsn: string): string[] {
  const size = BigInt(segmentBytes);
  const perFile = 0x1_0000_0000n / size;
  const hex = (value: bigint | number) => value.toString(16).toUpperCase().padStart(8, '0');
  const [first, last] = [readLsn(startLsn) / size, (readLsn(stopLsn) - 1n) / size];
  const names: string[] = timeline > 1 ? [`${hex(timeline)}.history`] : [];
  for (let segment = first; segment <= last; segment++)
    names.push(`${hex(timeline)}${hex(segment / perFile)}${hex(segment % perFile)}`);
  return names;
}

function readLsn(lsn: string): bigint {
  const [high = '', low = ''] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
