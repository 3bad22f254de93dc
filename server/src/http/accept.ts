// The Accept header (RFC 9110, 12.5.1): which of the media types that an operation offers the caller prefers.

import { WaypostError } from '../errors.ts';
import type { Header } from './headers.ts';

interface Wish {
  type: string;
  quality: number;
}

/** The first offered one when the header is absent. Where there is a choice, asking for none of it is refused. */
export function chooseMediaType(accept: Header, offered: readonly string[]): string {
  const [first = 'application/json'] = offered;
  if (accept === undefined || accept === '' || offered.length < 2) return first;
  const wishes = String(accept).split(',').map(readWish);
  let chosen: string | null = null;
  let best = 0;
  for (const media_type of offered) {
    const quality = qualityOf(wishes, media_type);
    if (quality <= best) continue;
    chosen = media_type;
    best = quality;
  }
  if (chosen !== null) return chosen;
  throw new WaypostError(
    'not_acceptable',
    `This is answered as ${offered.map(bareOf).join(', ')}; the Accept header asks for none of these.`,
    { extra: { offered: offered.map(bareOf) } },
  );
}

const bareOf = (media_type: string) => media_type.replace(/;.*/, '');

function readWish(text: string): Wish {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const quality = given === undefined ? 1 : Number(given);
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** The most exact wish decides: `text/csv` before `text/*` before any. */
function qualityOf(wishes: readonly Wish[], media_type: string): number {
  const bare = bareOf(media_type);
  for (const name of [bare, bare.replace(/\/.*/, '/*'), '*/*']) {
    const wish = wishes.find(({ type }) => type === name);
    if (wish !== undefined) return wish.quality;
  }
  return 0;
}
