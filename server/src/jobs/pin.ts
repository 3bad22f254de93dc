// PINs that prove a handover: how one is made, hashed and compared. A line belongs here if it touches the digits of a
// PIN. They are in no document and no event; the server keeps an HMAC-SHA-256 under its own key, which is fast enough
// for a decision under the lock and useless to a thief of the table without the key.

import { createHmac, timingSafeEqual } from 'node:crypto';

/** Wrong tries after which a PIN is refused unseen. */
export const PIN_TRIES_MAX = 5;
/** Digits of a PIN that the server makes. */
export const PIN_DIGITS = 4;
/** Digits taken from the end of the recipient's phone number. */
export const PIN_PHONE_DIGITS = 4;

/** Binds the hash to its task, so that equal PINs of two tasks have nothing in common in the table. */
export function hashPin(key: Uint8Array, taskId: string, pin: string): Buffer {
  return createHmac('sha256', key).update(`${taskId}\u0000${pin}`).digest();
}

/** Compares in constant time. */
export function pinMatches(key: Uint8Array, taskId: string, pin: string, hash: Uint8Array): boolean {
  return timingSafeEqual(hashPin(key, taskId, pin), hash);
}

/** The PIN for a number drawn evenly from [0, 1): always PIN_DIGITS long, leading zeros included. */
export function pinOf(chance: number): string {
  return Math.floor(chance * 10 ** PIN_DIGITS)
    .toString()
    .padStart(PIN_DIGITS, '0');
}

/** The last digits of an E.164 number; null when there are not enough of them to prove anything. */
export function pinOfPhone(phone: string | null): string | null {
  const digits = (phone ?? '').replace(/\D/g, '');
  return digits.length > PIN_PHONE_DIGITS ? digits.slice(-PIN_PHONE_DIGITS) : null;
}
