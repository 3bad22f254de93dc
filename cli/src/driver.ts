// Who carries out what the words of the client hand out: drivers on file, or one that is made for it.

import type { Waypost } from '@waypost/sdk';
import { WordError } from './word.ts';

const DRIVERS_MAX = 5;
const EXAMPLE_NAME = 'Example driver';
const PAGE_LIMIT = 200;

export interface Carrier {
  id: string;
  name: string;
}

/** Some active drivers; a first one is made where there is none. */
export async function findDrivers(dispatch: Waypost): Promise<Carrier[]> {
  const { data } = await dispatch.drivers.list({ limit: DRIVERS_MAX, status: 'active' });
  return data.length > 0 ? data.map(carrierOf) : [carrierOf(await dispatch.drivers.create({ name: EXAMPLE_NAME }))];
}

/** One by id or name; without a word the first. */
export async function findDriver(dispatch: Waypost, word: string | undefined): Promise<Carrier> {
  if (word === undefined) return (await findDrivers(dispatch))[0] as Carrier;
  if (word.startsWith('drv_')) return carrierOf(await dispatch.drivers.get(word));
  const { data } = await dispatch.drivers.list({ limit: PAGE_LIMIT, status: 'active' });
  const found = data.filter(({ name }) => name === word);
  const [only] = found;
  if (found.length === 1 && only !== undefined) return carrierOf(only);
  const known = data.slice(0, DRIVERS_MAX).map(({ name }) => `"${name}"`);
  throw new WordError(
    found.length > 1
      ? `${found.length} drivers are called "${word}": use an id (${found.map(({ id }) => id).join(', ')}).`
      : `There is no active driver "${word}"${known.length === 0 ? '' : `; there are ${known.join(', ')}`}.`,
  );
}

function carrierOf({ id, name }: { id: string; name: string | null }): Carrier {
  return { id, name: name ?? id };
}
