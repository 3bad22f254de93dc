// The Accept header (RFC 9110, 12.5.1): which of the media types that an operation offers the caller prefers.

import type { Header } from './headers.ts';

interface Wish {
  type: string;
  quality: number;
}

/** The first offered one when the header is absent or asks for none of them: an answer serves better than a refusal. */
export function chooseMediaType(accept: Header, offered: readonly string[]): string {
  const [first = 'application/json'] = offered;
  if (accept === undefined || offered.length < 2) return first;
  const wishes = String(accept).split(',').map(readWish);
  let chosen = first;
  let best = 0;
  for (const media_type of offered) {
    const quality = qualityOf(wishes, media_type);
    if (quality <= best) continue;
    chosen = media_type;
    best = quality;
  }
  return chosen;
}

function readWish(text: string): Wish {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const quality = given === undefined ? 1 : Number(given);
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** The most exact wish decides: `text/csv` before `text/*` before any. */
function qualityOf(wishes: readonly Wish[], media_type: string): number {
  const [bare = ''] = media_type.split(';');
  for (const name of [bare, bare.replace(/\/.*/, '/*'), '*/*']) {
    const wish = wishes.find(({ type }) => type === name);
    if (wish !== undefined) return wish.quality;
  }
  return 0;
}
