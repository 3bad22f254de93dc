// The trace that a piece of work belongs to, as W3C Trace Context names it. A line belongs here if it reads or writes
// such a name.

export interface TraceContext {
  /** 32 hexadecimal digits. */
  trace_id: string;
  /** 16 hexadecimal digits: the step that caused this one. */
  span_id: string;
  /** Whether whoever began the trace records it. */
  sampled: boolean;
}

const pattern = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;
const VERSION_ZERO_LENGTH = 55;
const SAMPLED = 0x01;

/** The header `traceparent`; null when it is absent or broken, which W3C asks to be ignored. */
export function readTraceparent(text: unknown): TraceContext | null {
  if (typeof text !== 'string') return null;
  const [, trace_id = '', span_id = '', flags = ''] = pattern.exec(text) ?? [];
  if (/^0*$/.test(trace_id) || /^0*$/.test(span_id)) return null;
  if (text.startsWith('00') && text.length !== VERSION_ZERO_LENGTH) return null;
  return { trace_id, span_id, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

export function writeTraceparent({ trace_id, span_id, sampled }: TraceContext): string {
  return `00-${trace_id}-${span_id}-${sampled ? '01' : '00'}`;
}
