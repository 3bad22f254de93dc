// What the numbers mean with which Kafka says no: in words for whoever looks after the broker, and whether the message may
// have been kept in spite of it. Pure.

export const OK = 0;
export const UNSUPPORTED_MECHANISM = 33;

/** The plan of who leads what is not what it was. */
const MOVED = [3, 5, 6, 9, 72, 74, 75, 100];
/** The number of the message means nothing to this partition (any more): it does not have it. */
const NUMBER_UNKNOWN = [45, 47, 59];
const DUPLICATE = 46;
/** It gives out no numbers yet. */
const NOT_READY = [14, 15, 16, 41];

/** Nothing was written, for certain. All other answers leave it open. */
const NOT_WRITTEN = [...MOVED, ...NUMBER_UNKNOWN, 2, 10, 17, 18, 19, 29, 31, 32, 35, 43, 44, 76, 87];

export const isDuplicate = (code: number): boolean => code === DUPLICATE;
export const isNotReady = (code: number): boolean => NOT_READY.includes(code);
export const isMoved = (code: number): boolean => MOVED.includes(code);
export const isNumberUnknown = (code: number): boolean => NUMBER_UNKNOWN.includes(code);
export const isCertainlyNotWritten = (code: number): boolean => NOT_WRITTEN.includes(code);

const WORDS: Readonly<Record<number, (topic: string) => string>> = {
  3: (topic) => `there is no topic ${topic}, or the user may not see it: create it, because Waypost makes none`,
  5: (topic) => `no broker leads this partition of the topic ${topic} for now`,
  6: (topic) => `another broker leads this partition of the topic ${topic} now`,
  7: (topic) => `not all replicas of the topic ${topic} that are in sync had the message in time`,
  10: (topic) => `the message is larger than the topic ${topic} takes: raise its max.message.bytes to 2 MB`,
  14: () => 'the broker has just started and does not take messages yet',
  17: (topic) => `${topic} is no name for a topic`,
  19: (topic) => `fewer replicas of the topic ${topic} are in sync than its min.insync.replicas wants`,
  20: (topic) => `fewer replicas of the topic ${topic} have the message than its min.insync.replicas wants`,
  29: (topic) => `the user may not write to the topic ${topic}: it needs the rights Describe and Write`,
  31: () => 'the user may not write so that repeats are dropped: it needs the right IdempotentWrite on the cluster',
  44: (topic) => `a policy of the broker refuses what is published to the topic ${topic}`,
  56: (topic) => `the disk of the broker does not take what is published to the topic ${topic}`,
  87: (topic) => `the broker refuses the message as it is: the topic ${topic} may be for something else`,
};

export function wordsForCode(code: number, topic: string): string {
  return WORDS[code]?.(topic) ?? `the broker refused what was published to the topic ${topic} (Kafka's error ${code})`;
}
