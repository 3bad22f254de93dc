// How long a command that comes now would wait: learned from how long batches took, so that a write which would wait too
// long is refused before it is queued. A batch costs something for itself and something for each of its commands; how much
// is a straight line through the last batches, the latest of which count most.

/**
 * Until sizes differ by about so many commands, this part of what a batch costs is taken to be its commands' cost, and no
 * more than so much for each: the first batches of a process are slow because they prepare statements and compile code.
 */
const DOUBT_COMMANDS = 1;
const DOUBT_SHARE = 0.1;
const DOUBT_COMMAND_MS_MAX = 5;
/** A batch is at most so many times as large as the one before it: a database that has become slow is learned in small. */
const GROWTH_MAX = 8;
/** Each batch weighs so much less than the one after it: about thirty count. */
const FADING = 0.97;

export class Pace {
  #lastCommands = 1;
  #weight = 0;
  #commands = 0;
  #ms = 0;
  #commandsSquared = 0;
  #commandsMs = 0;

  /** A batch of so many commands took so long, its wait for the locks included. */
  learn(commands: number, tookMs: number): void {
    this.#lastCommands = commands;
    this.#weight = this.#weight * FADING + 1;
    this.#commands = this.#commands * FADING + commands;
    this.#ms = this.#ms * FADING + tookMs;
    this.#commandsSquared = this.#commandsSquared * FADING + commands * commands;
    this.#commandsMs = this.#commandsMs * FADING + commands * tookMs;
  }

  /** How long so many batches with so many commands together will take; nothing is known before the first batch. */
  expectMs(batches: number, commands: number): number {
    const { perBatchMs, perCommandMs } = this.#line();
    return batches * perBatchMs + commands * perCommandMs;
  }

  /** How many commands the next batch may hold so that it takes about this long; at least one, at most `most`. */
  fit(withinMs: number, most: number): number {
    return this.fitGrown(withinMs, Math.min(most, GROWTH_MAX * this.#lastCommands));
  }

  /** The same for one that goes out once batches have grown: one or two before it saw to that. */
  fitGrown(withinMs: number, most: number): number {
    const { perBatchMs, perCommandMs } = this.#line();
    // Where a batch costs much for itself, making it smaller helps nobody: its commands may cost as much as it does.
    const commandsMs = Math.max(withinMs - perBatchMs, perBatchMs);
    if (perCommandMs * most <= commandsMs) return most;
    return Math.max(1, Math.floor(commandsMs / perCommandMs));
  }

  #line(): { perBatchMs: number; perCommandMs: number } {
    if (this.#weight === 0) return { perBatchMs: 0, perCommandMs: 0 };
    const meanCommands = this.#commands / this.#weight;
    const meanMs = this.#ms / this.#weight;
    const spread = this.#commandsSquared / this.#weight - meanCommands * meanCommands;
    const together = this.#commandsMs / this.#weight - meanCommands * meanMs;
    // Batches that were all of one size say nothing about others.
    const doubt = DOUBT_COMMANDS * DOUBT_COMMANDS;
    const doubted = Math.min((DOUBT_SHARE * meanMs) / meanCommands, DOUBT_COMMAND_MS_MAX);
    const slope = (together + doubt * doubted) / (Math.max(0, spread) + doubt);
    const perCommandMs = Math.min(Math.max(0, slope), meanMs / meanCommands);
    return { perBatchMs: meanMs - perCommandMs * meanCommands, perCommandMs };
  }

  /** What is left of a batch that has run for so long. One that overruns is taken to need as long again. */
  remainingMs(commands: number, ranMs: number): number {
    const expected = this.expectMs(1, commands);
    return ranMs < expected ? expected - ranMs : ranMs;
  }
}
