// Seeded chance: the same seed gives the same day. A line belongs here if it draws something.

export interface Chance {
  /** In [0, 1). */
  next(): number;
  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number;
  pick<T>(choices: readonly T[]): T;
  /** One of the words, as often as its weight says. */
  weigh<W extends string>(weights: Readonly<Record<W, number>>): W;
  /** A bell around zero: three throws added, about ±1 at its foot. */
  bell(): number;
  /** A stream of its own for one part of the day, so that more drawing there moves nothing elsewhere. */
  fork(name: string): Chance;
}

export function seedChance(seed: string | number): Chance {
  let state = hashText(String(seed));

  // mulberry32: 32 bits of state are plenty for a day of orders.
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));

  return {
    next,
    between,
    pick<T>(choices: readonly T[]): T {
      const chosen = choices[between(0, choices.length - 1)];
      if (chosen === undefined) throw new RangeError('nothing to pick from');
      return chosen;
    },
    weigh<W extends string>(weights: Readonly<Record<W, number>>): W {
      const words = Object.keys(weights) as W[];
      let left = next() * words.reduce((sum, word) => sum + weights[word], 0);
      for (const word of words) {
        left -= weights[word];
        if (left < 0) return word;
      }
      throw new RangeError('the weights add up to nothing');
    },
    bell: () => ((next() + next() + next()) / 3 - 0.5) * 2,
    fork: (name) => seedChance(`${seed}/${name}`),
  };
}

/** FNV-1a, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash | 0;
}
