// The keys under which personal values are sealed, one per data subject: made, read, and used to open stored documents.
// Erasing a subject bumps its world's config_version, at which its keys are forgotten here and read anew: an erased one is
// then gone.

import { hash } from 'node:crypto';
import type { Sql, Tx } from '../db/sql.ts';
import { takeRandom } from './chance.ts';
import { refKey } from './command.ts';
import { KeyCache } from './key-cache.ts';
import { findSubjectKeys } from './ledger.store.ts';
import { fillHoles, openParts, seal, subjectsIn, unsealBytes } from './personal.ts';
import { noteShown, renderingOf, type View } from './shown.ts';

const KEYS_KEPT_MAX = 100_000;
const KEY_BYTES = 32;
const MASTER_KEY_ID_BYTES = 4;

/** A document as rows keep it; `event_id` is the event whose place its sealed values are bound to. */
export interface SealedDocument {
  world_id: number;
  event_id: string;
  body: string;
  personal: Buffer;
}

export interface SubjectKeys {
  /** Makes a key for a new subject: what is stored, and (in `stage`) what this batch seals with. */
  make(worldId: number, subjectId: string): { key: Buffer; sealed_key: Buffer };
  /** Reads the keys that are not known yet, with one statement. One that cannot be opened stays unknown. */
  fetch(sql: Sql | Tx, subjects: readonly { world_id: number; subject_id: string }[]): Promise<void>;
  /** The same for all subjects that these rows speak of. */
  fetchFor(sql: Sql | Tx, rows: readonly { world_id: number; personal: Buffer }[]): Promise<void>;
  /** The key, or null when the subject is erased. Throws when it was neither fetched nor made, or is damaged. */
  keyOf(worldId: number, subjectId: string): Buffer | null;
  /** Keeps keys made by a batch that was committed. */
  keep(worldId: number, subjectId: string, key: Buffer): void;
  /** Whoever fetches from now on reads anew; who has just fetched still finds what was read. */
  forgetWorld(worldId: number): void;
  /** The JSON text of each document with its personal values in place; for a caller it is noted whose. */
  open(sql: Sql | Tx, documents: readonly SealedDocument[], view: View): Promise<string[]>;
}

export function createSubjectKeys(masterKey: Buffer, keptMax = KEYS_KEPT_MAX): SubjectKeys {
  const masterKeyId = hash('sha256', masterKey, 'buffer').subarray(0, MASTER_KEY_ID_BYTES);
  const known = new KeyCache(keptMax);
  const boundTo = (worldId: number, subjectId: string) => Buffer.from(`subject|${worldId}|${subjectId}`);

  /** A sealed key names the master key that it is sealed under, so that this one can be exchanged one day. */
  function openKey(sealedKey: Buffer, boundTo: Buffer): Buffer | undefined {
    if (!sealedKey.subarray(0, MASTER_KEY_ID_BYTES).equals(masterKeyId)) return undefined;
    try {
      return unsealBytes(masterKey, sealedKey.subarray(MASTER_KEY_ID_BYTES), boundTo);
    } catch {
      return undefined;
    }
  }

  const keys: SubjectKeys = {
    make(worldId, subjectId) {
      const key = takeRandom(KEY_BYTES);
      return { key, sealed_key: Buffer.concat([masterKeyId, seal(masterKey, key, boundTo(worldId, subjectId))]) };
    },

    async fetch(sql, subjects) {
      for (;;) {
        const missing = subjects.filter(({ world_id, subject_id }) => !known.has(world_id, subject_id));
        if (missing.length === 0) return;
        const before = known.left;
        const rows = await findSubjectKeys(sql as Tx, missing);
        if (before !== known.left) continue;
        for (const { world_id, subject_id, sealed_key } of rows) {
          const key = sealed_key === null ? null : openKey(sealed_key, boundTo(world_id, subject_id));
          // A damaged one is the fault of those who need it (`keyOf`), not of all who are fetched with it.
          if (key !== undefined) known.keep(world_id, subject_id, key);
        }
        // Those that came may have taken the room of others that are asked for.
        if (before === known.left) return;
      }
    },

    fetchFor(sql, rows) {
      const named = new Map<string, { world_id: number; subject_id: string }>();
      for (const { world_id, personal } of rows)
        for (const subject_id of subjectsIn(personal))
          named.set(refKey(world_id, subject_id), { world_id, subject_id });
      return keys.fetch(sql, [...named.values()]);
    },

    keyOf(worldId, subjectId) {
      const key = known.get(worldId, subjectId);
      if (key === undefined)
        throw new Error(
          `the key of data subject ${subjectId} in world ${worldId} does not exist or cannot be opened with WAYPOST_MASTER_KEY`,
        );
      return key;
    },

    keep: (worldId, subjectId, key) => known.keep(worldId, subjectId, key),
    forgetWorld: (worldId) => known.forgetWorld(worldId),

    async open(sql, documents, view) {
      await keys.fetchFor(sql, documents);
      return documents.map((document) => {
        const { world_id, event_id, personal } = document;
        const parts = openParts(world_id, event_id, personal, (subjectId) => keys.keyOf(world_id, subjectId));
        noteShown(view, personal, () => idIn(document.body));
        return fillHoles(document.body, parts, renderingOf(view));
      });
    },
  };
  return keys;
}

/** Documents begin with their id. */
function idIn(body: string): string {
  return /^\{"id":"([^"]+)"/.exec(body)?.[1] ?? '';
}
