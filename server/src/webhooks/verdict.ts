// What an answer means for its message and its endpoint. A line belongs here if it decides that from the answer alone.

import type { Answer } from '../destinations/destination.ts';

export type Verdict =
  /** Over: a 2xx within the time. */
  | 'delivered'
  /** Tried again, on the ladder. */
  | 'again'
  /** The receiver will never take this message. */
  | 'abort'
  /** The attempt does not count: a change of the endpoint called it off. */
  | 'called_off';

export interface Judgement {
  verdict: Verdict;
  /** The receiver asks for silence: nothing goes out until somebody resumes the endpoint. */
  pause: 'gone' | 'receiver' | null;
  /** The receiver is overloaded: the endpoint is sent to more slowly. */
  slower: boolean;
}

export function judge(answer: Pick<Answer, 'outcome' | 'status' | 'control'>): Judgement {
  const { outcome, status, control } = answer;
  if (outcome === 'called_off') return { verdict: 'called_off', pause: null, slower: false };
  const pause = control === 'pause' ? 'receiver' : outcome === 'refused' && status === 410 ? 'gone' : null;
  if (outcome === 'delivered') return { verdict: 'delivered', pause, slower: false };
  const slower = outcome === 'refused' && (status === 429 || status === 503);
  if (control === 'abort') return { verdict: 'abort', pause, slower };
  return { verdict: 'again', pause, slower };
}
