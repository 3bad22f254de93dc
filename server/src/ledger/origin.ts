// From where a write came. The log says who did what; this stands beside it and says by which command, from which address
// and with which key. It is kept out of the events, which consumers get, and chained like them.

import { hash } from 'node:crypto';

/** Who called, as far as an event does not tell. */
export interface Origin {
  key_id: string;
  address: string;
}

/** What is kept with an event. */
export interface KeptOrigin {
  command: string;
  address: string;
  /** Null: the actor of the event is the key. */
  key_id: string | null;
}

export function writeOrigin({ command, address, key_id }: KeptOrigin): string {
  return JSON.stringify(key_id === null ? [command, address] : [command, address, key_id]);
}

export function readOrigin(text: string): KeptOrigin {
  const [command, address, key_id = null] = JSON.parse(text) as [string, string, string?];
  return { command, address, key_id };
}

/** The chain over what is kept in a world: SHA-256(chain before, SHA-256(sequence, text)). */
export function chainOrigin(before: Buffer, sequence: number, origin: string): Buffer {
  const own = hash('sha256', `${sequence}\n${origin}`, 'buffer');
  return hash('sha256', Buffer.concat([before, own]), 'buffer');
}
