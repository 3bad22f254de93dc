// What one request caused: its events, the messages that were made of them, the attempts to send these.

import Type from 'typebox';
import type { Sql } from '../db/sql.ts';
import { WaypostError } from '../errors.ts';
import { findCursor } from '../events/log.store.ts';
import { type Caller, type Operation, operation } from '../http/operation.ts';
import { visibleTo } from './endpoint-desk.routes.ts';
import { traceExample } from './endpoint-example.ts';
import { TRACE_ATTEMPTS_MAX, TRACE_EVENTS_MAX, TracePage } from './trace.schema.ts';
import { listStanding, listTraceAttempts, listTracedEndpoints, listTraceEvents, type TraceRow } from './trace.store.ts';
import { nextSteps, type Sent, traceEvent } from './trace.ts';

const LIMIT_DEFAULT = 20;

export function traceOperations(reads: Sql): Operation[] {
  return [
    operation({
      operation_id: 'get_trace',
      method: 'GET',
      path: '/v1/traces/{correlation_id}',
      tag: 'events',
      summary: 'What a request caused: its events, messages and attempts',
      description:
        'By the `X-Correlation-Id` of the request, or the trace id of its `traceparent`. In the order of the log, page by page, with what to do next. With the scope webhooks:read also what was sent.',
      scope: 'events:read',
      path_params: Type.Object({
        correlation_id: Type.String({
          pattern: '^[A-Za-z0-9._:-]{1,128}$',
          description: 'Letters, digits and . _ : -, at most 128.',
        }),
      }),
      query: Type.Object(
        {
          after: Type.Optional(Type.Integer({ minimum: 0, description: '`next` of the page before.' })),
          limit: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: TRACE_EVENTS_MAX,
              description: `How many events at most; ${LIMIT_DEFAULT} when absent.`,
            }),
          ),
        },
        { additionalProperties: false },
      ),
      names_one: false,
      replies: { 200: { description: 'The trace, or a page of it.', schema: TracePage } },
      errors: ['not_found'],
      reply_example: traceExample,
      async run({ caller, path, query }) {
        const { correlation_id } = path;
        const { after = 0, limit = LIMIT_DEFAULT } = query;
        const read = async (from: number, count: number) => {
          const cursor = await findCursor(reads, caller.world_id, from);
          return listTraceEvents(reads, caller.world_id, correlation_id, caller.channel_ids, cursor, count);
        };
        const rows = await read(after, limit + 1);
        const [first] = after === 0 ? rows : await read(0, 1);
        if (first === undefined) throw noTrace(correlation_id);
        const page = rows.slice(0, limit);
        const sent = caller.scopes.has('webhooks:read') ? await findSent(reads, caller, page) : null;
        const data = page.map((row) => traceEvent(row, sent));
        const next = rows.length > limit ? String(page.at(-1)?.sequence) : null;
        const { actor, cause } = traceEvent(first, null);
        const body: TracePage = {
          correlation_id,
          request: { recorded_at: first.recorded_at.toISOString(), actor, cause, traceparent: first.traceparent },
          data,
          has_more: next !== null,
          next,
          next_steps: nextSteps(data, sent?.endpoints.map(({ endpoint }) => endpoint) ?? null, next),
        };
        return { status: 200, body };
      },
    }),
  ];
}

function noTrace(correlationId: string): WaypostError {
  return new WaypostError(
    'not_found',
    `No event in the log carries the correlation id ${correlationId}: the request was refused, changed nothing, was a repeat of an earlier one, or lies further back than the log is kept. The server's log line request.completed with this correlation_id says how it was answered.`,
  );
}

async function findSent(reads: Sql, caller: Caller, page: readonly TraceRow[]): Promise<Sent> {
  const { world_id } = caller;
  const [all, visible] = await Promise.all([listTracedEndpoints(reads, world_id), visibleTo(reads, caller)]);
  const endpoints = all.filter(({ endpoint }) => visible === null || visible.includes(endpoint.id));
  const [first] = page;
  if (first === undefined || endpoints.length === 0) return { endpoints, attempts: [], standing: [] };
  const of = {
    endpoint_ids: endpoints.map(({ endpoint }) => endpoint.id),
    sequences: page.map(({ sequence }) => sequence),
    since: first.recorded_at,
  };
  // In this order: whatever says that a message was tried is followed by the attempt.
  const standing = await listStanding(reads, world_id, of);
  const attempts = await listTraceAttempts(reads, world_id, of, TRACE_ATTEMPTS_MAX);
  return { endpoints, attempts, standing };
}
