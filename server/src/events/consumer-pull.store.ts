// Reading and acknowledging as a named consumer: one reader at a time, from the place that is kept for it.

import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { nearestWord } from '../http/suggestion.ts';
import { timeOfId } from '../ledger/id.ts';
import { type AckInput, type AckReply, type Comparison, LEASE_S } from './consumer.schema.ts';
import { type FoundConsumer, listConsumerNames, listConsumers } from './consumer.store.ts';
import {
  acknowledge,
  countComparisons,
  findCursorRow,
  type HandedOut,
  passBy,
  type Standing,
  takeLease,
} from './consumer-cursor.store.ts';
import { findNewest, readLastOfJobs } from './log.store.ts';
import { type Place, type Pulled, pullEvents } from './pull.store.ts';
import { compileWanted, isVisible, type PullLimits } from './pull.ts';

/** How often a reader is tried again when the place moved between its look and its lease. */
const TRIES_MAX = 5;

export interface ConsumerParts {
  reads: Sql;
  /** Writes the cursors of consumers. */
  cursors: Sql;
}

/** Who reads. */
export interface Reader {
  world_id: number;
  key_id: string;
  channel_ids: readonly string[] | null;
  /** As it calls itself; null: it does not. */
  name: string | null;
}

/** One that this caller may see: a key that is bound to channels sees those of its channels alone. */
export async function requireConsumer(
  reads: Sql,
  { world_id, channel_ids }: Pick<Reader, 'world_id' | 'channel_ids'>,
  name: string,
): Promise<FoundConsumer> {
  const [found] = await listConsumers(reads, world_id, { name });
  if (found !== undefined && mayRead(channel_ids, found)) return found;
  const names = channel_ids === null ? await listConsumerNames(reads, world_id) : [];
  const near = nearestWord(name, names);
  throw new WaypostError(
    'not_found',
    `There is no consumer ${name}${near === null ? '.' : `; did you mean ${near}?`} POST /v1/consumers makes one.`,
  );
}

export function mayRead(channel_ids: readonly string[] | null, { consumer }: FoundConsumer): boolean {
  if (channel_ids === null) return true;
  return consumer.channel_ids?.every((id) => channel_ids.includes(id)) ?? false;
}

export interface ConsumerPage {
  pulled: Pulled;
  /** Null: there is nothing to acknowledge. */
  lease: { lease: string; expires_at: string } | null;
}

/** Hands out what follows the consumer's place, and gives its reader the lease. */
export async function pullAsConsumer(
  parts: ConsumerParts,
  reader: Reader,
  name: string,
  lease: string,
  limits: PullLimits,
): Promise<ConsumerPage> {
  for (let tries = 1; ; tries++) {
    const found = await requireConsumer(parts.reads, reader, name);
    if (found.lease !== null && !isSame(found.lease, reader)) throw refuseLeased(name, found.lease);
    const pulled = await pullFrom(parts.reads, reader.world_id, found, limits);
    const last = pulled.rows.at(-1)?.row.sequence;
    const at = standingOf(found);
    if (last === undefined) {
      await moveOn(parts.cursors, reader.world_id, found, at, pulled.place);
      return { pulled, lease: null };
    }
    const through = pulled.place.cursor;
    const handed: HandedOut = { lease, reader: reader.name, key_id: reader.key_id, last, through };
    const taken = await takeLease(parts.cursors, reader.world_id, found.consumer.id, at, handed);
    if (taken !== null) return { pulled, lease: { lease, expires_at: taken.expires_at } };
    if (tries === TRIES_MAX)
      throw new WaypostError(
        'busy',
        `The place of the consumer ${name} moves all the time: is it read by many at once?`,
        {
          retryAfterS: 1,
        },
      );
  }
}

/** What a sparse filter has looked through in vain is not looked through again. */
async function moveOn(
  cursors: Sql,
  worldId: number,
  { consumer, lease }: FoundConsumer,
  at: Standing,
  { cursor, previous }: Place,
): Promise<void> {
  if (cursor.sequence === at.sequence || lease !== null) return;
  const known = previous === undefined ? at.previous : (previous ?? 0);
  await passBy(cursors, worldId, consumer.id, at, { ...cursor, previous: known });
}

const isSame = (lease: NonNullable<FoundConsumer['lease']>, reader: Reader) =>
  reader.name !== null && lease.reader === reader.name && lease.key_id === reader.key_id;

const standingOf = ({ sequence, recorded_at, previous }: FoundConsumer): Standing => ({
  sequence,
  recorded_at,
  previous,
});

async function pullFrom(reads: Sql, worldId: number, found: FoundConsumer, limits: PullLimits): Promise<Pulled> {
  const { consumer, sequence, recorded_at, previous } = found;
  const { types, channel_ids } = consumer;
  const isAll = types.includes('*');
  const wanted = compileWanted({ channel_ids, types: isAll ? null : types, filter: null, job_id: null });
  const place: Place = {
    cursor: { sequence, recorded_at },
    previous: previous === null ? undefined : previous === 0 ? null : previous,
  };
  try {
    return await pullEvents(reads, worldId, { place, end: await findNewest(reads, worldId) }, wanted, limits);
  } catch (error) {
    if (!(error instanceof WaypostError) || error.code !== 'cursor_expired') throw error;
    throw new WaypostError(
      'cursor_expired',
      `The consumer ${consumer.name} stands at ${sequence}, and the log reaches back to ${error.extra.oldest_sequence} only. Compare your data with ours, then delete the consumer and make it again.`,
      { extra: { oldest_sequence: error.extra.oldest_sequence } },
    );
  }
}

function refuseLeased(name: string, lease: NonNullable<FoundConsumer['lease']>): WaypostError {
  const { reader, key_id, since, expires_at } = lease;
  return new WaypostError(
    'consumer_leased',
    `${reader === null ? 'A reader' : `The reader ${reader}`} with the key ${key_id} has the consumer ${name} since ${since}, until ${expires_at} at the latest. Several workers use several consumers.`,
    { extra: { held_by: { reader, key_id, since, expires_at } }, retryAfterS: LEASE_S / 10 },
  );
}

/** Takes an acknowledgement and compares what the consumer says of jobs with what they were at that place. */
export async function acknowledgeAs(
  parts: ConsumerParts,
  reader: Reader,
  name: string,
  input: AckInput,
): Promise<AckReply> {
  const { world_id } = reader;
  const { consumer } = await requireConsumer(parts.reads, reader, name);
  const acked = await acknowledge(parts.cursors, world_id, consumer.id, input.lease, input.sequence);
  if (acked === null) throw await explainRefusal(parts.cursors, world_id, consumer.id, name, input);
  const states = await compareStates(parts.reads, reader, input);
  // The same acknowledgement again is answered again, and counted once.
  if ((states.compared > 0 || states.unknown.length > 0) && acked.before < acked.sequence)
    await countComparisons(parts.cursors, world_id, consumer.id, {
      compared: states.compared,
      mismatched: states.mismatched.length,
      unknown: states.unknown.length,
    });
  return { name, sequence: acked.sequence, lease_expires_at: acked.lease_expires_at, states };
}

async function explainRefusal(
  cursors: Sql,
  worldId: number,
  consumerId: string,
  name: string,
  { lease, sequence }: AckInput,
): Promise<WaypostError> {
  const row = await findCursorRow(cursors, worldId, consumerId);
  if (row === null || row.lease !== lease) {
    const who = row?.reader == null ? 'Another reader' : `The reader ${row.reader}`;
    const words = row?.lease == null ? `Nobody reads ${name}` : `${who} has ${name} since ${row.leased_at}`;
    return new WaypostError(
      'stale_lease',
      `${words}: this lease no longer counts. Read again; what was not acknowledged comes again.`,
      row?.lease == null
        ? {}
        : { extra: { held_by: { reader: row.reader, key_id: row.key_id, since: row.leased_at } } },
    );
  }
  if (sequence > (row.lease_through ?? 0)) {
    const message = `must be at most ${row.lease_through}, up to which events were handed out`;
    return new WaypostError('invalid_request', `What was not read cannot be acknowledged: sequence ${message}.`, {
      faults: [{ pointer: '/sequence', code: 'beyond_page', message }],
    });
  }
  return new WaypostError(
    'ack_goes_back',
    `${name} stands at ${row.sequence}; an acknowledgement never goes back to ${sequence}.`,
    { extra: { sequence: row.sequence } },
  );
}

async function compareStates(reads: Sql, reader: Reader, { states = [], sequence }: AckInput): Promise<Comparison> {
  const stated = new Map(states.map(({ job_id, status }) => [job_id, status]));
  const jobs = [...stated.keys()].map((id) => ({ id, since: new Date(timeOfId(id) ?? 0).toISOString() }));
  const rows = jobs.length === 0 ? [] : await readLastOfJobs(reads, reader.world_id, jobs, sequence);
  const ours = new Map<string, string>();
  for (const { job_id, channel_id, body } of rows) {
    if (!isVisible(reader.channel_ids, { type: 'job', channel_id })) continue;
    const { data } = JSON.parse(body) as { data: { job?: { status?: string } } };
    if (data.job?.status !== undefined) ours.set(job_id, data.job.status);
  }
  const mismatched = [...stated].flatMap(([job_id, status]) => {
    const expected = ours.get(job_id);
    return expected === undefined || expected === status ? [] : [{ job_id, status, expected }];
  });
  const compared = ours.size;
  return {
    compared,
    matching: compared - mismatched.length,
    mismatched,
    unknown: [...stated.keys()].filter((id) => !ours.has(id)),
  };
}
