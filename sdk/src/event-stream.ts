// The log as it grows, by server-sent events. A line belongs here if it reads the stream or holds on to it: a connection
// that is lost is made again at the place that was reached.

import { isRecord, WaypostProblem, WaypostUnreachable } from './errors.ts';
import type { PulledEvent } from './event.ts';
import { type CallOptions, type Transport, waitMs } from './transport.ts';

const PATH = '/v1/events/stream';
/** The server says every 15 s that it is there. */
const SILENCE_MAX_MS = 45_000;
const RECONNECT_MS = 1_000;
/** How the server ends a stream whose place it no longer has. */
const ENDINGS: ReadonlySet<string> = new Set(['expired', 'restored']);

interface Frame {
  id: string | null;
  event: string | null;
  data: string | null;
}

/**
 * Everything after a place, then what comes. Ends when `signal` is aborted; throws what connecting again cannot mend. A
 * place that a restore of the log has lost is left for the one that the server names.
 */
export async function* followLog(
  transport: Transport,
  query: { after: string | number },
  call: CallOptions = {},
): AsyncGenerator<PulledEvent, void, undefined> {
  let place: string | number = query.after;
  let wasThere = false;
  while (call.signal?.aborted !== true) {
    const connection = new AbortController();
    const leave = () => connection.abort();
    call.signal?.addEventListener('abort', leave, { once: true });
    try {
      const path = { method: 'GET', path: PATH, query: { ...query, after: place } } as const;
      const options = { ...call, accept: 'text/event-stream', signal: connection.signal };
      const { body } = await transport.open(path, options);
      wasThere = true;
      for await (const frame of readFrames(body, leave)) {
        if (frame.event !== null && frame.data !== null) yield readEvent(frame.event, frame.data);
        if (frame.id !== null) place = frame.id;
      }
    } catch (error) {
      // The log was restored, and the first event from there, `log.restored`, says what to forget.
      const again = error instanceof WaypostProblem ? error.document.go_on_after : undefined;
      if (typeof again === 'string') place = again;
      // Else cut off, silent for too long, told to stop, or away for a while: a restart must not end who follows.
      else if (isFinal(error, wasThere)) throw error;
    } finally {
      leave();
      call.signal?.removeEventListener('abort', leave);
    }
    await waitMs(RECONNECT_MS, call.signal).catch(() => {});
  }
}

function isFinal(error: unknown, wasThere: boolean): boolean {
  if (error instanceof WaypostUnreachable) return !wasThere;
  return error instanceof WaypostProblem && !(wasThere && error.status >= 500);
}

function readEvent(name: string, data: string): PulledEvent {
  const value: unknown = JSON.parse(data);
  if (!ENDINGS.has(name)) return value as PulledEvent;
  const status = 410;
  throw new WaypostProblem({
    status,
    document: isRecord(value) ? { status, ...value } : null,
    correlation_id: null,
    retry_after_s: null,
  });
}

/** Frames are separated by an empty line; lines that begin with a colon say nothing. */
async function* readFrames(
  body: ReadableStream<Uint8Array> | null,
  onSilence: () => void,
): AsyncGenerator<Frame, void> {
  if (body === null) return;
  let rest = '';
  let silence = setTimeout(onSilence, SILENCE_MAX_MS);
  try {
    for await (const text of body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
      clearTimeout(silence);
      silence = setTimeout(onSilence, SILENCE_MAX_MS);
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop() ?? '';
      yield* blocks.map(readFrame);
    }
  } finally {
    clearTimeout(silence);
  }
}

function readFrame(block: string): Frame {
  const frame: Frame = { id: null, event: null, data: null };
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^(id|event|data): (.*)$/s.exec(line) ?? [];
    if (name !== '') frame[name as keyof Frame] = value;
  }
  return frame;
}
