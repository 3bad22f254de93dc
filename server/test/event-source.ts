// A client of server-sent events for tests: collects the frames of one stream as they come.

import assert from 'node:assert/strict';
import { until } from './until.ts';

export interface Frame {
  id: string | null;
  event: string | null;
  data: string | null;
  comment: string | null;
}

export interface Source {
  status: number;
  headers: Headers;
  frames: Frame[];
  /** The events among the frames. */
  // biome-ignore lint/suspicious/noExplicitAny: events are looked into freely by tests
  events(): any[];
  lastId(): string | null;
  waitFor(count: number): Promise<void>;
  /** Resolves with `whole` or `cut` when the server ends the stream. */
  ended: Promise<'whole' | 'cut'>;
  close(): void;
}

export async function openSource(
  url: string,
  key: string,
  query = '',
  headers: Record<string, string> = {},
): Promise<Source> {
  const client = new AbortController();
  const reply = await fetch(`${url}/v1/events/stream${query}`, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    signal: client.signal,
  });
  const frames: Frame[] = [];
  assert.equal(reply.status, 200, reply.status === 200 ? '' : await reply.text());
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const events: any[] = [];
  return {
    status: reply.status,
    headers: reply.headers,
    frames,
    events: () => events,
    lastId: () => frames.findLast(({ id }) => id !== null)?.id ?? null,
    async waitFor(count) {
      await until(() => events.length >= count, `${count} events, of which ${events.length} had come`);
    },
    ended: collect(reply, (frame) => {
      frames.push(frame);
      if (frame.event !== null && frame.data !== null) events.push(JSON.parse(frame.data));
    }),
    close: () => client.abort(),
  };
}

async function collect(reply: Response, take: (frame: Frame) => void): Promise<'whole' | 'cut'> {
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of reply.body ?? []) {
      const parts = (text + decoder.decode(chunk, { stream: true })).split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) take(readFrame(part));
    }
    return 'whole';
  } catch {
    return 'cut';
  }
}

function readFrame(text: string): Frame {
  const frame: Frame = { id: null, event: null, data: null, comment: null };
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).replace(/^ /, '');
    const name = colon === 0 ? 'comment' : line.slice(0, colon);
    if (Object.hasOwn(frame, name)) frame[name as keyof Frame] = value;
  }
  return frame;
}
