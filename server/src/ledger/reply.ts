// What the caller of a command is told: the draft of a reply becomes text, now and again for a repeated request.

import type { Outcome, ReplyDraft } from './command.ts';
import { DOCUMENT, EVENT_IDS, SPREAD } from './command.ts';
import { fillHoles, type Part } from './personal.ts';

const DOCUMENT_MARK = JSON.stringify(DOCUMENT);
const SPREAD_MARK = `${JSON.stringify(SPREAD)}:0`;
const EVENT_IDS_MARK = JSON.stringify(EVENT_IDS);

/** A reply with marks where the document goes: what an idempotency key remembers. It holds nothing secret or personal. */
export function writeEnvelope(draft: ReplyDraft, withSecret: boolean): string {
  if (!withSecret || draft.secret === undefined) return JSON.stringify(draft.body ?? null);
  return JSON.stringify({ ...(draft.body as object), ...draft.secret });
}

export interface ReplyParts {
  status: number;
  version: number | null;
  location: string | null;
  envelope: string;
  document_text: string | null;
  parts: readonly Part[];
  event_ids: readonly string[];
  headers?: Readonly<Record<string, string>> | undefined;
  replayed: boolean;
  api_version: string | null;
}

export function makeOutcome(reply: ReplyParts): Outcome {
  return {
    status: reply.status,
    version: reply.version,
    location: reply.location,
    event_ids: reply.event_ids,
    headers: reply.headers ?? {},
    replayed: reply.replayed,
    api_version: reply.api_version,
    render: (rendering) => {
      const document = reply.document_text === null ? null : fillHoles(reply.document_text, reply.parts, rendering);
      return fillEnvelope(reply.envelope, document, reply.event_ids);
    },
  };
}

/** The document goes in last: it is long, and no mark is looked for in it. */
function fillEnvelope(envelope: string, document: string | null, eventIds: readonly string[]): string {
  const text = replaceMark(envelope, EVENT_IDS_MARK, () => JSON.stringify(eventIds));
  if (text.includes(SPREAD_MARK)) return replaceMark(text, SPREAD_MARK, () => (document ?? '{}').slice(1, -1));
  return replaceMark(text, DOCUMENT_MARK, () => document ?? 'null');
}

function replaceMark(text: string, mark: string, make: () => string): string {
  const at = text.indexOf(mark);
  return at === -1 ? text : text.slice(0, at) + make() + text.slice(at + mark.length);
}
