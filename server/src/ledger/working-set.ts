// The working set of a batch: what was loaded under the lock, and what the batch's accepted commands changed since.

import type { Kind, Put, Ref, StoredDocument, WorkingSet, WrittenLine } from './command.ts';
import { refKey } from './command.ts';

interface Cell {
  loaded: unknown;
  value: unknown;
  changed: boolean;
  document: StoredDocument | null;
}

/** A rule asked for what its command did not have loaded. */
export class NotLoadedError extends Error {
  constructor(kind: string, key: string) {
    super(`${kind} ${key} was not loaded before it was read`);
    this.name = 'NotLoadedError';
  }
}

export class BatchSet {
  readonly #kinds = new Map<Kind<unknown>, Map<string, Cell>>();
  /** Those that were loaded and are computed from others. */
  readonly #computed = new Set<Kind<unknown>>();
  /** Whether any command of the batch has put anything yet. */
  isChanged = false;

  /** Which of these still have to be read, by kind. */
  missing(wanted: readonly { world_id: number; kind: Kind<unknown>; key: string }[]): Map<Kind<unknown>, Ref[]> {
    const missing = new Map<Kind<unknown>, Ref[]>();
    const asked = new Set<string>();
    for (const { world_id, kind, key } of wanted) {
      const name = refKey(world_id, key);
      if (this.#kinds.get(kind)?.has(name)) continue;
      const once = `${kind.name} ${name}`;
      if (asked.has(once)) continue;
      asked.add(once);
      const refs = missing.get(kind);
      if (refs === undefined) missing.set(kind, [{ world_id, key }]);
      else refs.push({ world_id, key });
    }
    return missing;
  }

  add(kind: Kind<unknown>, refs: readonly Ref[], found: Map<string, unknown>): void {
    const cells = this.#cellsOf(kind);
    if (kind.computed_from !== undefined) this.#computed.add(kind);
    for (const ref of refs) {
      const name = refKey(ref.world_id, ref.key);
      const value = found.get(name);
      cells.set(name, { loaded: value, value, changed: false, document: null });
    }
  }

  /** One world's view, as rules see it. */
  view(worldId: number): WorkingSet {
    return {
      world_id: worldId,
      get: <V>(kind: Kind<V>, key: string): V | undefined => {
        const cell = this.#kinds.get(kind as Kind<unknown>)?.get(refKey(worldId, key));
        if (cell === undefined) throw new NotLoadedError(kind.name, key);
        return cell.value as V | undefined;
      },
    };
  }

  /** Applies what an accepted command puts; an index entry or new object need not have been loaded. */
  put(worldId: number, put: Put): void {
    this.isChanged = true;
    this.#forgetComputedFrom(put.kind, worldId);
    const cells = this.#cellsOf(put.kind);
    const name = refKey(worldId, put.key);
    const cell = cells.get(name);
    if (cell === undefined) cells.set(name, { loaded: undefined, value: put.value, changed: true, document: null });
    else {
      cell.value = put.value;
      cell.changed = true;
    }
  }

  /** Gives a line the document of the event that was made for it. */
  attach(worldId: number, put: Put, document: StoredDocument): void {
    const cell = this.#kinds.get(put.kind)?.get(refKey(worldId, put.key));
    if (cell !== undefined) cell.document = document;
  }

  /** All changed lines by kind, one line per object however often it was put. */
  changed(nowOf: (worldId: number) => string): { kind: Kind<unknown>; lines: WrittenLine<unknown>[] }[] {
    const result: { kind: Kind<unknown>; lines: WrittenLine<unknown>[] }[] = [];
    for (const [kind, cells] of this.#kinds) {
      if (kind.write === undefined) continue;
      const lines: WrittenLine<unknown>[] = [];
      for (const [name, cell] of cells) {
        if (!cell.changed) continue;
        const slash = name.indexOf('/');
        const world_id = Number(name.slice(0, slash));
        lines.push({
          world_id,
          key: name.slice(slash + 1),
          value: cell.value,
          before: cell.loaded,
          now: nowOf(world_id),
          document: cell.document,
        });
      }
      if (lines.length > 0) result.push({ kind, lines });
    }
    return result;
  }

  #forgetComputedFrom({ name }: Kind<unknown>, worldId: number): void {
    for (const kind of this.#computed) {
      if (kind.computed_from?.includes(name) !== true) continue;
      const cells = this.#cellsOf(kind);
      for (const key of cells.keys()) if (key.startsWith(refKey(worldId, ''))) cells.delete(key);
    }
  }

  #cellsOf(kind: Kind<unknown>): Map<string, Cell> {
    let cells = this.#kinds.get(kind);
    if (cells === undefined) {
      cells = new Map();
      this.#kinds.set(kind, cells);
    }
    return cells;
  }
}
