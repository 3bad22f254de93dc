// How many commands of which world wait in a lane, and in which batch one that comes now would go out: as takeBatch of
// lane.ts takes them, at most so many of one world while others wait.

/** While others wait, a batch takes so many commands of one world at most. */
export const WORLD_COMMANDS_MAX = 50;
export const BATCH_BYTES_MAX = 1_048_576;
/** What a command counts for that no request brought. */
export const OWN_COMMAND_BYTES = 512;

interface Counted {
  world_id: number;
  bytes?: number;
}

export class Census {
  readonly #byWorld = new Map<number, number>();
  #commands = 0;
  #bytes = 0;
  /** Of each world as many as one batch takes. */
  #firstOfAll = 0;

  constructor(waiting: readonly { command: Counted }[]) {
    for (const { command } of waiting) this.add(command);
  }

  add({ world_id, bytes = OWN_COMMAND_BYTES }: Counted): void {
    const count = (this.#byWorld.get(world_id) ?? 0) + 1;
    this.#byWorld.set(world_id, count);
    this.#commands++;
    this.#bytes += bytes;
    if (count <= WORLD_COMMANDS_MAX) this.#firstOfAll++;
  }

  /** How many batches go out until one that comes now is answered, and how many commands they hold, itself included. */
  until(worldId: number, batchCommandsMax: number): { batches: number; commands: number } {
    const own = this.#byWorld.get(worldId) ?? 0;
    const isAlone = own === this.#commands;
    const rounds = Math.ceil((own + 1) / (isAlone ? batchCommandsMax : WORLD_COMMANDS_MAX));
    // A world with little waiting passes by those with much: these give way after their share of a batch.
    const before = rounds === 1 && !isAlone ? this.#firstOfAll : this.#commands;
    const share = this.#commands === 0 ? 0 : before / this.#commands;
    const byBytes = Math.ceil((this.#bytes * share) / BATCH_BYTES_MAX);
    return { batches: Math.max(rounds, Math.ceil((before + 1) / batchCommandsMax), byBytes), commands: before + 1 };
  }
}
