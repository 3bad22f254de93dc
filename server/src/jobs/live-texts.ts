// `live` of documents that are read again and again: what a document allows next never changes under the id of its event,
// so it is worked out once, without which every reading would parse the whole document.

import { refKey } from '../ledger/command.ts';
import type { Job } from './job.schema.ts';
import { liveOf } from './job-reply.ts';

/** Some 300 bytes each. */
const LIVE_TEXTS_MAX = 10_000;

export interface ShownDocument {
  world_id: number;
  /** The event that carries the document. */
  event_id: string;
  /** As a caller sees it: nothing personal says what is allowed. */
  text: string;
}

/** Answers the JSON of `live` for a document as it is read, when nothing may be undone. */
export function openLiveTexts(): (document: ShownDocument, strictTransitions: boolean) => string {
  const known = new Map<string, string>();
  return ({ world_id, event_id, text }, strictTransitions) => {
    const name = `${refKey(world_id, event_id)}/${strictTransitions ? 'strict' : 'lenient'}`;
    const before = known.get(name);
    if (before !== undefined) return before;
    const live = liveOf(JSON.parse(text) as Job, { strict_transitions: strictTransitions, undo: false });
    const liveText = JSON.stringify(live);
    if (known.size >= LIVE_TEXTS_MAX) known.clear();
    known.set(name, liveText);
    return liveText;
  };
}
