// Reading the part of a list that fits: candidates come in the order of an index, each is judged where it is read, and
// no page looks at more than so many. A line belongs here if it holds for every such list.

/** Candidates that one page looks at. */
export const LOOKED_AT_MAX = 2_000;
const BLOCK_MIN = 20;
export const BLOCK_MAX = 500;

/** A candidate with the judgement on it; null where what it names is gone. */
export interface Judged {
  fits: boolean | null;
}

export interface Looking<C extends Judged, Place> {
  /** How many are wanted. One more is looked for, so that the last page knows that it is the last. */
  limit: number;
  after: Place | null;
  /** At most `count` candidates after a place, in order. */
  read(place: Place | null, count: number): Promise<readonly C[]>;
  placeOf(candidate: C): Place;
  /** Sizes of the statements after the first, which reads one candidate more than is wanted. */
  block?: { min?: number; max?: number };
}

export interface Looked<C, Place> {
  fitting: C[];
  /** Where to go on; null when nothing can follow. */
  next: Place | null;
}

/** Reads candidates until enough fit, none are left or enough were looked at. */
export async function lookThrough<C extends Judged, Place>(looking: Looking<C, Place>): Promise<Looked<C, Place>> {
  const { limit, after, read, placeOf, block } = looking;
  const fitting: C[] = [];
  let place = after;
  let size = limit + 1;
  for (let looked = 0; looked < LOOKED_AT_MAX; looked += size) {
    if (looked > 0) {
      // Twice as many as would do if they fit as often as those before.
      const likely = Math.ceil((2 * (limit + 1 - fitting.length) * looked) / Math.max(1, fitting.length));
      size = Math.max(block?.min ?? BLOCK_MIN, Math.min(block?.max ?? BLOCK_MAX, likely));
    }
    const candidates = await read(place, size);
    for (const candidate of candidates) if (candidate.fits === true) fitting.push(candidate);
    const last = fitting.length > limit ? fitting[limit - 1] : candidates.at(-1);
    const isEnd = candidates.length < size && fitting.length <= limit;
    place = last === undefined || isEnd ? null : placeOf(last);
    if (place === null || fitting.length > limit) break;
  }
  return { fitting: fitting.slice(0, limit), next: place };
}
