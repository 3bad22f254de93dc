// Spans: each piece of work that is worth seeing begins one and ends it, through the API of OpenTelemetry. Where nobody
// collects them this costs nothing and passes on the trace that the caller named.

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import type { TraceContext } from './trace.ts';

const kinds = { serves: SpanKind.SERVER, works: SpanKind.INTERNAL, sends: SpanKind.CLIENT } as const;
const current = new AsyncLocalStorage<TraceContext>();

export interface Span {
  /** What is caused by this work belongs to; null where there is no trace. */
  readonly context: TraceContext | null;
  /**
   * `attributes` is asked where somebody collects them. `failure`: what went wrong on our side or the other's; null when it
   * went as it should.
   */
  end(attributes: () => Attributes, failure: string | null): void;
}

export function startSpan(name: string, kind: keyof typeof kinds, parent: TraceContext | null): Span {
  const around =
    parent === null
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, {
          traceId: parent.trace_id,
          spanId: parent.span_id,
          traceFlags: parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
          isRemote: true,
        });
  // Asked for each time: one that is kept stays with the collector of its first span.
  return new ApiSpan(trace.getTracer('waypost').startSpan(name, { kind: kinds[kind] }, around), parent);
}

/** Runs work whose commands belong to a trace. */
export function runWithin<T>(context: TraceContext | null, work: () => T): T {
  return context === null ? work() : current.run(context, work);
}

/** Runs work that goes on for many, whoever happened to begin it. */
export function runApart<T>(work: () => T): T {
  return current.exit(work);
}

/** The trace of the work that is going on; null when there is none. */
export function traceNow(): TraceContext | null {
  return current.getStore() ?? null;
}

class ApiSpan implements Span {
  readonly context: TraceContext | null;
  readonly #span: OtelSpan;

  constructor(span: OtelSpan, parent: TraceContext | null) {
    this.#span = span;
    // Without a collector the API hands on what it was given, or something that is no trace.
    const { traceId: trace_id, spanId: span_id, traceFlags } = span.spanContext();
    const isNew = parent?.span_id !== span_id && !/^0+$/.test(span_id);
    this.context = isNew ? { trace_id, span_id, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 } : parent;
  }

  end(attributes: () => Attributes, failure: string | null): void {
    if (this.#span.isRecording()) {
      this.#span.setAttributes(attributes());
      if (failure !== null) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    }
    this.#span.end();
  }
}
