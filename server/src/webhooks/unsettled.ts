// The messages of one endpoint that were read and are neither settled nor parked, oldest first: the first of them holds
// the cursor. Pure; what becomes of a message is decided in window.ts.

import type { Message } from './lane.ts';

/** So many that are settled are kept at the front before the list is cut. */
const SETTLED_KEPT_MAX = 1_024;

export class Unsettled<E> {
  /** How many there are. */
  count = 0;
  /** From #first on; what is settled or parked leaves at the front. */
  #messages: Message<E>[] = [];
  #first = 0;

  add(message: Message<E>): void {
    this.#messages.push(message);
    this.count++;
  }

  /** One of them is settled or parked from now on. */
  leave(): void {
    this.count--;
  }

  /** The oldest. */
  front(): Message<E> | undefined {
    const messages = this.#messages;
    while (this.#first < messages.length && !isUnsettled(messages[this.#first])) this.#first++;
    if (this.#first > SETTLED_KEPT_MAX && this.#first * 2 > messages.length) {
      this.#messages = messages.slice(this.#first);
      this.#first = 0;
    }
    return this.#messages[this.#first];
  }

  /** All from the oldest on. */
  list(): Message<E>[] {
    return this.#messages.slice(this.#first).filter(isUnsettled);
  }
}

function isUnsettled<E>(message: Message<E> | undefined): boolean {
  return message !== undefined && !message.parked && message.state !== 'done';
}
