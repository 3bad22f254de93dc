// Whose personal values are shown in full to whom, so that it can be audited: whoever renders for a caller hands over
// where that is noted. A line belongs here if it is about that note.

import type { Rendering } from './command.ts';

/** So many objects of one reply are named; the others are counted. */
export const SHOWN_IDS_MAX = 200;
/** The format byte alone: nothing personal is in the row. */
const EMPTY_BYTES = 1;

export class Shown {
  count = 0;
  readonly ids: string[] = [];

  add(id: string): void {
    this.count++;
    if (this.ids.length < SHOWN_IDS_MAX) this.ids.push(id);
  }
}

/** A caller for whom it is rendered: every call of the API is one. */
export interface Showing {
  readonly rendering: Rendering;
  readonly shown: Shown;
}

/** How to render: for a caller, or for nobody who would have to be noted. */
export type View = Rendering | Showing;

export function renderingOf(view: View): Rendering {
  return typeof view === 'string' ? view : view.rendering;
}

/** Masked values and rows without personal ones do not count. */
export function noteShown(view: View, personal: Uint8Array, idOf: () => string): void {
  if (typeof view === 'string' || view.rendering === 'plain' || personal.length <= EMPTY_BYTES) return;
  view.shown.add(idOf());
}
