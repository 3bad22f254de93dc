// From rows of the log to the text that consumers get. Both renderings are pure functions of the log and of the keys
// that still exist (events.md, personal data).

import { fillHoles, openParts } from '../ledger/personal.ts';
import { noteShown, renderingOf, type View } from '../ledger/shown.ts';
import type { SubjectKeys } from '../ledger/subject-keys.ts';
import type { LogRow } from './log.store.ts';

export interface RenderedEvent {
  text: string;
  /** A data subject of this event was erased: its fields read null. */
  redacted: boolean;
}

/** The subjects of `row` must have been fetched (SubjectKeys.fetch). */
export function renderEvent(row: LogRow, keys: SubjectKeys, view: View): RenderedEvent {
  if (row.personal.length <= 1) return { text: row.body, redacted: false };
  const parts = openParts(row.world_id, row.event_id, row.personal, (subject) => keys.keyOf(row.world_id, subject));
  noteShown(view, row.personal, () => row.job_id ?? row.data_id);
  return { text: fillHoles(row.body, parts, renderingOf(view)), redacted: parts.some((part) => part.values === null) };
}
