// A parked message: one with a row of its own, which no longer holds the cursor. A line belongs here if it says what such
// a row keeps, and how a message becomes one and comes back.

import type { Message } from './lane.ts';

/** As its row says. */
export interface ParkedMessage {
  sequence: number;
  recorded_at: string;
  lane: string;
  previous: number | null;
  state: 'retry' | 'in_flight' | 'behind';
  attempts: number;
  rung: number;
  due_at: number;
  failed_since: number | null;
  first_attempt_at: number | null;
  revision: number | null;
  redrive: string | null;
  subject: string | null;
  expires_at: number | null;
}

/** `failed_since`: when the trouble of its lane began. */
export function parkedRowOf<E>(message: Message<E>, failed_since: number | null): ParkedMessage {
  const { state, event: _event, parked: _parked, since: _since, superseded_by: _newer, ...rest } = message;
  return { ...rest, failed_since, state: state === 'retry' || state === 'in_flight' ? state : 'behind' };
}

/** As it goes on: what was in flight when its row was written is sent again. */
export function messageOf<E>(row: ParkedMessage): Message<E> {
  const { state, failed_since: _failed, ...rest } = row;
  return {
    ...rest,
    replay: null,
    event: null,
    state: state === 'retry' ? 'retry' : 'waiting',
    parked: true,
    since: row.due_at,
    superseded_by: null,
  };
}
