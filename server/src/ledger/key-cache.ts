// Keys of data subjects as they were read or made, kept in memory for a while: null where a subject is erased. A line
// belongs here if it says how long a key is known; what a key opens is in subject-keys.ts.

export type CachedKey = Buffer | null;

export class KeyCache {
  readonly #keptMax: number;
  readonly #worlds = new Map<number, Map<string, CachedKey>>();
  #kept = 0;
  /** Gone in this turn of the event loop, perhaps between a reading and the use for which it was waited. */
  readonly #leaving = new Map<number, Map<string, CachedKey>>();
  #left = 0;

  constructor(keptMax: number) {
    this.#keptMax = keptMax;
  }

  /** Grows whenever keys leave: who has looked before has to look again, and what was read before may be outdated. */
  get left(): number {
    return this.#left;
  }

  has(worldId: number, subjectId: string): boolean {
    return this.#worlds.get(worldId)?.has(subjectId) ?? false;
  }

  /** Undefined: not known, not even a moment ago. */
  get(worldId: number, subjectId: string): CachedKey | undefined {
    const key = this.#worlds.get(worldId)?.get(subjectId);
    return key === undefined ? this.#leaving.get(worldId)?.get(subjectId) : key;
  }

  keep(worldId: number, subjectId: string, key: CachedKey): void {
    if (this.#kept >= this.#keptMax) this.#makeRoom();
    const keys = this.#worlds.get(worldId) ?? new Map<string, CachedKey>();
    this.#worlds.set(worldId, keys);
    if (!keys.has(subjectId)) this.#kept++;
    keys.set(subjectId, key);
  }

  forgetWorld(worldId: number): void {
    // Counted even where nothing is known: what is being read now may be outdated when it comes.
    this.#left++;
    const keys = this.#worlds.get(worldId);
    if (keys === undefined) return;
    this.#worlds.delete(worldId);
    this.#kept -= keys.size;
    this.#leave(worldId, keys);
  }

  /** A tenth leaves: the oldest of the worlds that have been known for longest. */
  #makeRoom(): void {
    this.#left++;
    let tooMany = Math.ceil(this.#keptMax / 10);
    for (const [worldId, keys] of this.#worlds) {
      const oldest = new Map([...keys.entries().take(tooMany)]);
      for (const subjectId of oldest.keys()) keys.delete(subjectId);
      if (keys.size === 0) this.#worlds.delete(worldId);
      this.#leave(worldId, oldest);
      this.#kept -= oldest.size;
      tooMany -= oldest.size;
      if (tooMany === 0) return;
    }
  }

  #leave(worldId: number, keys: Map<string, CachedKey>): void {
    if (this.#leaving.size === 0) setImmediate(() => this.#leaving.clear());
    const before = this.#leaving.get(worldId);
    this.#leaving.set(worldId, before === undefined ? keys : new Map([...before, ...keys]));
  }
}
