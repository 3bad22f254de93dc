// What must be there before the day begins: a channel, drivers, and an endpoint that the receiver has answered for.

import type { Waypost } from '@waypost/sdk';
import { seedChance } from './chance.ts';
import type { Receiver } from './receiver-process.ts';
import { inventName } from './words.ts';

const DRIVERS_AT_ONCE = 8;

export interface PreparedTenant {
  driver_ids: string[];
  endpoint_id: string;
  /** The end of the log before the endpoint was owed anything. */
  after: number;
}

export async function prepareTenant(dispatch: Waypost, drivers: number, receiver: Receiver): Promise<PreparedTenant> {
  const made = await dispatch.endpoints.create({
    url: receiver.url,
    start_at: 'now',
    // What the key sees of a job, phone and e-mail in full, or nothing could be compared.
    rendering: 'personal',
    description: 'Receiver of the demo',
  });
  // A repeated create does not show the secret again; a rotation does.
  const secret = made.secret ?? (await dispatch.endpoints.rotateSecret(made.id, { overlap_s: 0 })).secret;
  if (secret === null) throw new Error('The server does not show the secret of the endpoint.');
  receiver.setSecret(secret);
  // Its cursor waits until it is verified, so this is where it begins.
  const { settled_sequence } = await dispatch.endpoints.health(made.id);
  const { delivered, attempt } = await dispatch.endpoints.verify(made.id);
  if (!delivered) throw new Error(`The receiver did not answer the test message: ${attempt.error ?? attempt.status}`);
  const driver_ids = new Array<string>(drivers);
  const numbers = driver_ids.keys();
  const chance = seedChance('drivers');
  const names = Array.from({ length: drivers }, () => inventName(chance));
  const makeNext = async (): Promise<void> => {
    for (const number of numbers) {
      const driver = await dispatch.drivers.create({ name: names[number] ?? `Driver ${number + 1}` });
      driver_ids[number] = driver.id;
    }
  };
  await Promise.all(Array.from({ length: DRIVERS_AT_ONCE }, makeNext));
  return { driver_ids, endpoint_id: made.id, after: settled_sequence };
}
