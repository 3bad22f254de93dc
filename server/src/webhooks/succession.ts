// Which message names which as the one before it, and which is the newest about its subject: what has to be known to leave
// a message out of an endpoint's chain. A message that was tried has been heard to name its previous one, and keeps it.
// A line belongs here if it is about the chain of what is owed; sending and order are in window.ts and lane.ts.

import type { Message } from './lane.ts';

interface Link<E> {
  message: Message<E>;
  /** The one after it, which names it as its previous. */
  namer: Message<E> | null;
  /** What the one after it names once this is left out: the one before, or the one before that if that was left out. */
  before: number | null;
}

export class Succession<E> {
  /** Messages that may be left out, by sequence; null while there was none. */
  #leavable: Map<number, Link<E>> | null = null;
  #newest: Map<string, Message<E>> | null = null;

  /** The message that one about this subject would make outdated. */
  findOlder(subject: string | null): Message<E> | null {
    return subject === null ? null : (this.#newest?.get(subject) ?? null);
  }

  add(message: Message<E>): void {
    const { previous, sequence, subject, expires_at } = message;
    const before = previous === null ? undefined : this.#leavable?.get(previous);
    if (before !== undefined) before.namer = message;
    if (subject === null && expires_at === null) return;
    this.#leavable ??= new Map();
    this.#leavable.set(sequence, { message, namer: null, before: previous });
    if (subject === null) return;
    this.#newest ??= new Map();
    this.#newest.set(subject, message);
  }

  /** It is over. */
  remove(message: Message<E>): void {
    const { sequence, subject } = message;
    if (this.#leavable?.get(sequence)?.message !== message) return;
    this.#leavable.delete(sequence);
    if (subject === null) return;
    if (this.#newest?.get(subject) === message) this.#newest.delete(subject);
  }

  /**
   * Takes a message out of the chain. Answers which one stands before what follows now, and the message that follows, if
   * it is still on its way: unless it was tried, it names that one from now on.
   */
  leaveOut(message: Message<E>): { before: number | null; namer: Message<E> | null } {
    const { namer, before } = this.#leavable?.get(message.sequence) ?? { namer: null, before: message.previous };
    this.remove(message);
    if (namer === null || namer.state === 'done') return { before, namer: null };
    const next = this.#leavable?.get(namer.sequence);
    if (next !== undefined) next.before = before;
    const last = before === null ? undefined : this.#leavable?.get(before);
    if (last !== undefined) last.namer = namer;
    if (namer.attempts === 0) namer.previous = before;
    return { before, namer };
  }
}
