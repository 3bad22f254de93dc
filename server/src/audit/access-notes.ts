// What is waiting to be written into the second chain. It stays small whatever arrives: past a number of entries of one
// kind, those that are alike are put together and counted, so that a flood neither fills memory nor hides how much it was.
// Pure: a data structure.

import type { AccessEntry, Noted } from './access-entry.ts';

/** Entries of one kind that are kept one by one until the next write. */
export const SINGLE_MAX = 100;
/** Different ones that are put together; past this only world and kind are told apart. */
export const GROUPS_MAX = 200;
export const OBJECTS_MAX = 200;

export class AccessNotes {
  #singles: Noted[] = [];
  readonly #perAction = new Map<string, number>();
  readonly #groups = new Map<string, Noted>();

  get size(): number {
    return this.#singles.length + this.#groups.size;
  }

  add(noted: Noted): void {
    const { action } = noted.entry;
    const count = this.#perAction.get(action) ?? 0;
    this.#perAction.set(action, count + 1);
    if (count < SINGLE_MAX) this.#singles.push(noted);
    else this.#join(noted);
  }

  /** Everything that waits, in the order in which it came; what was put together comes last. */
  take(): Noted[] {
    const taken = [...this.#singles, ...this.#groups.values()];
    this.#singles = [];
    this.#groups.clear();
    this.#perAction.clear();
    return taken;
  }

  #join({ world_id, entry }: Noted): void {
    const { action, key_id, address, operation, reason } = entry;
    const exact = JSON.stringify([world_id, action, key_id, address, operation, reason]);
    const isKnown = this.#groups.has(exact) || this.#groups.size < GROUPS_MAX;
    const name = isKnown ? exact : JSON.stringify([world_id, action]);
    // Even the coarse groups could be many: the last one takes whatever is left.
    const isRoom = this.#groups.has(name) || this.#groups.size < 2 * GROUPS_MAX;
    const key = isRoom ? name : JSON.stringify([action]);
    const group = this.#groups.get(key);
    if (group === undefined) {
      const known = isRoom
        ? { world_id, entry: isKnown ? entry : withoutDetail(entry) }
        : { world_id: 0, entry: withoutDetail(entry) };
      this.#groups.set(key, { ...known, entry: { ...known.entry, correlation_id: null } });
      return;
    }
    group.entry = joinEntries(group.entry, entry);
  }
}

/** What entries have in common of which only world and kind are told apart. */
function withoutDetail(entry: AccessEntry): AccessEntry {
  return { ...entry, actor: null, key_id: null, key_shown: null, address: null, operation: null, reason: null };
}

function joinEntries(first: AccessEntry, next: AccessEntry): AccessEntry {
  const objects =
    first.objects.length >= OBJECTS_MAX ? first.objects : [...new Set([...first.objects, ...next.objects])];
  return {
    ...first,
    until: next.until,
    count: first.count + next.count,
    objects: objects.slice(0, OBJECTS_MAX),
    key_shown: first.key_shown === next.key_shown ? first.key_shown : null,
  };
}
