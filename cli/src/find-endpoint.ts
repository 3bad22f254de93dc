// The endpoint that a person means: by its id or URL, or the only one that there is.

import type { Waypost } from '@waypost/sdk';
import type { Endpoint } from '@waypost/sdk/endpoints';
import { EXIT, WordError } from './word.ts';

export async function findEndpoint(client: Waypost, word: string | undefined): Promise<Endpoint> {
  if (word?.startsWith('whe_')) return client.endpoints.get(word);
  const all: Endpoint[] = [];
  for await (const endpoint of client.endpoints.iterate()) all.push(endpoint);
  const found = word === undefined ? all : all.filter(({ url }) => url === word || url === `${word}/`);
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  const known = all.map(({ id, url }) => `${id} (${url})`).join(', ');
  if (all.length === 0)
    throw new WordError('There is no endpoint yet: ./waypost endpoints create http://127.0.0.1:9090/', EXIT.refused);
  throw new WordError(
    found.length === 0 ? `No endpoint has the URL ${word}; there are: ${known}.` : `Say which endpoint: ${known}.`,
  );
}
