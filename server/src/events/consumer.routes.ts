// Named consumers over HTTP: make, list, read, delete, acknowledge. Reading as one is GET /v1/events?consumer=.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { defineCursor } from '../http/cursor.ts';
import { listOperation } from '../http/list.ts';
import { type Call, type Operation, operation, replyOf } from '../http/operation.ts';
import { walkBy } from '../http/paging.ts';
import { commandOf } from '../http/resource.routes.ts';
import type { Ledger } from '../ledger/ledger.ts';
import {
  AckInput,
  AckReply,
  Consumer,
  ConsumerDocument,
  ConsumerInput,
  ConsumerName,
  consumerExample,
  documentExample,
  LEASE_S,
} from './consumer.schema.ts';
import { type FoundConsumer, listConsumers } from './consumer.store.ts';
import { createConsumer, deleteConsumer, loadsToCreate, loadsToDelete, type Start } from './consumer.ts';
import { dropCursor } from './consumer-cursor.store.ts';
import { acknowledgeAs, mayRead, requireConsumer } from './consumer-pull.store.ts';
import { findCursor, findNewest, findOldest } from './log.store.ts';
import { refuseExpired } from './pull.ts';

export interface ConsumerDesk {
  reads: Sql;
  /** Writes the cursors of consumers. */
  cursors: Sql;
  ledger: Pick<Ledger, 'commit'>;
}

const TAG = 'consumers';
const path_params = Type.Object({ consumer_name: ConsumerName });
const pageCursor = defineCursor('consumers', { name: 'text' });

export function consumerOperations(desk: ConsumerDesk): Operation[] {
  return [postConsumer(desk), getConsumers(desk), getConsumer(desk), deleteOne(desk), postAck(desk)];
}

function postConsumer({ reads, ledger }: ConsumerDesk): Operation {
  return operation({
    operation_id: 'create_consumer',
    method: 'POST',
    path: '/v1/consumers',
    tag: TAG,
    summary: 'Make a consumer: a reader of the log whose place is kept here',
    description:
      'Its filters are fixed: the same request again is answered with what stands (200), another under the same name is 409. Read with `GET /v1/events?consumer=`, then acknowledge. A consumer holds nothing back: what the log no longer keeps is gone for it too.',
    scope: 'consumers:write',
    body: ConsumerInput,
    replies: {
      200: { description: 'It exists already and reads the same.', schema: ConsumerDocument },
      201: { description: 'The consumer.', schema: ConsumerDocument },
    },
    errors: ['consumer_exists', 'limit_reached', 'unknown_reference', 'cursor_expired'],
    body_example: { name: 'erp', types: ['job.*'], description: 'Statuses for the ERP' },
    reply_example: documentExample,
    async run(call) {
      const { caller, body } = call;
      const start = await findStart(reads, caller.world_id, body.start_at ?? 'now');
      const command = commandOf(call as Call, 'consumer.create', loadsToCreate(body), (set, moment) =>
        createConsumer(set, moment, body, start, caller.channel_ids),
      );
      return replyOf(await ledger.commit(command), call.rendering);
    },
  });
}

async function findStart(reads: Sql, worldId: number, start_at: 'now' | 'beginning' | number): Promise<Start> {
  if (start_at === 'now') return null;
  const [newest, oldest] = await Promise.all([findNewest(reads, worldId), findOldest(reads, worldId)]);
  const first = start_at === 'beginning' ? oldest : start_at;
  if (first > newest.sequence + 1) {
    const message = `must be at most ${newest.sequence + 1}: the log ends at ${newest.sequence}`;
    throw new WaypostError('invalid_request', `start_at ${message}.`, {
      faults: [{ pointer: '/start_at', code: 'beyond_end', message }],
    });
  }
  if (first < oldest) throw refuseExpired(oldest);
  return findCursor(reads, worldId, first - 1);
}

function getConsumers({ reads }: ConsumerDesk): Operation {
  return listOperation({
    operation_id: 'list_consumers',
    path: '/v1/consumers',
    tag: TAG,
    many: 'consumers',
    summary: 'List consumers, with how far behind they are',
    description: 'By name.',
    scope: 'events:read',
    item: Consumer,
    example: consumerExample,
    walk: ({ caller: { world_id, channel_ids } }) =>
      walkBy({
        cursor: pageCursor,
        read: (after, limit) => listConsumers(reads, world_id, { after: after?.name ?? '', limit }),
        placeOf: ({ consumer }) => ({ name: consumer.name }),
        show: async (rows) => {
          const [newest, oldest] = await Promise.all([findNewest(reads, world_id), findOldest(reads, world_id)]);
          const ends = { newest: newest.sequence, oldest };
          return rows.filter((row) => mayRead(channel_ids, row)).map((row) => show(row, ends));
        },
      }),
  });
}

function show(found: FoundConsumer, ends: { newest: number; oldest: number }): Consumer {
  const { consumer, sequence, acked_at, lease, next_age_s } = found;
  return {
    ...consumer,
    sequence,
    acked_at,
    status: sequence < ends.oldest - 1 ? 'expired' : 'active',
    lag: { events: Math.max(ends.newest - sequence, 0), seconds: next_age_s ?? 0 },
    lease:
      lease === null
        ? null
        : { reader: lease.reader, key_id: lease.key_id, since: lease.since, expires_at: lease.expires_at },
  };
}

function getConsumer({ reads }: ConsumerDesk): Operation {
  return operation({
    operation_id: 'get_consumer',
    method: 'GET',
    path: '/v1/consumers/{consumer_name}',
    tag: TAG,
    summary: 'Get a consumer: where it stands and who reads',
    scope: 'events:read',
    path_params,
    replies: { 200: { description: 'The consumer.', schema: Consumer } },
    errors: [],
    reply_example: consumerExample,
    async run({ caller, path }) {
      const found = await requireConsumer(reads, caller, path.consumer_name);
      const { world_id } = caller;
      const [newest, oldest] = await Promise.all([findNewest(reads, world_id), findOldest(reads, world_id)]);
      return { status: 200, body: show(found, { newest: newest.sequence, oldest }), version: 1 };
    },
  });
}

function deleteOne({ reads, cursors, ledger }: ConsumerDesk): Operation {
  return operation({
    operation_id: 'delete_consumer',
    method: 'DELETE',
    path: '/v1/consumers/{consumer_name}',
    tag: TAG,
    summary: 'Delete a consumer and its place',
    scope: 'consumers:write',
    path_params,
    replies: { 204: { description: 'Deleted.', schema: null } },
    errors: [],
    async run(call) {
      const { caller, path } = call;
      const { consumer } = await requireConsumer(reads, caller, path.consumer_name);
      const { id } = consumer;
      const command = commandOf(call as unknown as Call, 'consumer.delete', loadsToDelete(id), (set, moment) =>
        deleteConsumer(set, moment, id, call.if_match),
      );
      const outcome = await ledger.commit(command);
      await dropCursor(cursors, caller.world_id, id);
      return replyOf(outcome, call.rendering);
    },
  });
}

function postAck(desk: ConsumerDesk): Operation {
  return operation({
    operation_id: 'acknowledge_events',
    method: 'POST',
    path: '/v1/consumers/{consumer_name}/ack',
    tag: TAG,
    summary: 'Say up to where a consumer has stored what it read',
    description: `With the sequence of the page's last event the lease ends and anybody may read on. With an earlier one it begins anew: ${LEASE_S} seconds more for the rest. \`states\` says what you hold of some jobs; it is compared with what they were at that place.`,
    scope: 'consumers:write',
    names_one: false,
    path_params,
    body: AckInput,
    replies: { 200: { description: 'Where it stands now.', schema: AckReply } },
    errors: ['stale_lease', 'ack_goes_back'],
    body_example: {
      sequence: 10_293,
      lease: '6f1c3c1e-3f0b-4a53-9a60-0f4dd6d6a2a1',
      states: [{ job_id: 'job_01kaj2w0d4f8tb3h5gk9mzq7xe', status: 'completed' }],
    },
    reply_example: {
      name: 'erp',
      sequence: 10_293,
      lease_expires_at: null,
      states: { compared: 1, matching: 1, mismatched: [], unknown: [] },
    },
    async run({ caller, path, body }) {
      const { world_id, key_id, channel_ids } = caller;
      const reader = { world_id, key_id, channel_ids, name: null };
      return { status: 200, body: await acknowledgeAs(desk, reader, path.consumer_name, body) };
    },
  });
}
