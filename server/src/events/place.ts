// Places in the log as consumers keep them. After a restore numbers are given a second time, under a new epoch, so a
// place is a number of an epoch. A line belongs here if it reads or writes one, or says whether it still means the same.

/** The first epoch writes bare numbers, `10291`; later ones put themselves before: `27993600-10291`. */
export const PLACE_PATTERN = '^([1-9][0-9]{0,9}-)?(0|[1-9][0-9]{0,15})$';

export const FIRST_EPOCH = 1;

export interface LogPlace {
  log_epoch: number;
  sequence: number;
}

/** Where an epoch begins: after the last event of those before it that was not lost. */
export interface Epoch {
  log_epoch: number;
  last_sequence: number;
}

export function readPlace(text: string): LogPlace {
  const [sequence = '0', epoch = String(FIRST_EPOCH)] = text.split('-').reverse();
  return { log_epoch: Number(epoch), sequence: Number(sequence) };
}

export function writePlace({ log_epoch, sequence }: LogPlace): string {
  return log_epoch === FIRST_EPOCH ? String(sequence) : `${log_epoch}-${sequence}`;
}

/**
 * The last sequence up to which a place of an epoch means what it means now, given all epochs but the first. An epoch that
 * is not among them was itself lost in a restore from before it: then nobody knows where it began, and nothing is sure.
 */
export function keptOf(log_epoch: number, epochs: readonly Epoch[]): number {
  const isKnown = log_epoch === FIRST_EPOCH || epochs.some((epoch) => epoch.log_epoch === log_epoch);
  if (!isKnown) return 0;
  const later = epochs.filter((epoch) => epoch.log_epoch > log_epoch);
  return Math.min(Number.POSITIVE_INFINITY, ...later.map(({ last_sequence }) => last_sequence));
}

/** The epoch of an event, by its text: a member that stands before all that callers wrote. */
export function epochOf(text: string): number {
  return Number(/,"log_epoch":(\d+)/.exec(text)?.[1] ?? FIRST_EPOCH);
}
