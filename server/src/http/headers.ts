// What requests say in headers: correlation, idempotency, preconditions, version. Each is read strictly and refused
// with words; a line belongs here if it reads a header's value.

import { WaypostError } from '../errors.ts';
import type { TraceContext } from '../ledger/trace.ts';

const CORRELATION_ID_LENGTH_MAX = 128;
const IDEMPOTENCY_KEY_LENGTH_MAX = 255;

const correlationPattern = /^[A-Za-z0-9._:-]{1,128}$/;

export type Header = string | string[] | undefined;

function refuseHeader(name: string, words: string): WaypostError {
  return new WaypostError('invalid_header', `${name} ${words}.`, {
    faults: [{ pointer: `header/${name}`, code: 'wrong_form', message: words }],
  });
}

/** X-Correlation-Id, else the trace that the request belongs to, else null. */
export function readCorrelationId(given: Header, trace: TraceContext | null): string | null {
  if (given === undefined) return trace?.trace_id ?? null;
  if (typeof given === 'string' && correlationPattern.test(given)) return given;
  throw refuseHeader(
    'X-Correlation-Id',
    `takes 1 to ${CORRELATION_ID_LENGTH_MAX} characters out of letters, digits and . _ : -`,
  );
}

/** Idempotency-Key, quoted as in the IETF draft or bare. */
export function readIdempotencyKey(given: Header): string | null {
  if (given === undefined) return null;
  const text = String(given);
  const key = text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  if (key.length <= IDEMPOTENCY_KEY_LENGTH_MAX && /^[!#-[\]-~]+$/.test(key)) return key;
  throw refuseHeader(
    'Idempotency-Key',
    `takes 1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} visible ASCII characters without spaces, quotes or backslashes; the whole may stand in double quotes`,
  );
}

/** The version that If-Match asks for; null for none or `*`. */
export function readIfMatch(given: Header): number | null {
  if (given === undefined || given === '*') return null;
  const text = String(given);
  const version = /^"([1-9]\d{0,14})"$/.exec(text)?.[1];
  if (version !== undefined) return Number(version);
  if (text.startsWith('W/')) throw refuseHeader('If-Match', 'takes no weak tag: leave W/ out');
  if (text.includes(',')) throw refuseHeader('If-Match', 'takes one tag, not a list');
  if (/^\d+$/.test(text)) throw refuseHeader('If-Match', `needs its double quotes: write "${text}"`);
  throw refuseHeader('If-Match', 'takes the ETag of an earlier reply, such as "3", or *');
}

/** The version that Waypost-Version asks for; null when it is absent. Refuses one that does not exist. */
export function readVersion(given: Header, versions: readonly string[]): string | null {
  if (given === undefined) return null;
  const known = versions.find((version) => version === given);
  if (known !== undefined) return known;
  throw new WaypostError(
    'unsupported_version',
    `Waypost-Version ${String(given).slice(0, 40)} does not exist. There ${versions.length === 1 ? 'is' : 'are'}: ${versions.join(', ')}.`,
    {
      faults: [
        { pointer: 'header/Waypost-Version', code: 'not_allowed', message: `must be one of ${versions.join(', ')}` },
      ],
      extra: { versions },
    },
  );
}

/** Refuses bodies that are packed or written in another character set; the media type itself is checked by the router. */
export function checkBodyHeaders(contentType: Header, contentEncoding: Header): void {
  if (contentEncoding !== undefined && contentEncoding !== 'identity') {
    throw new WaypostError('unsupported_media_type', 'Packed bodies are not taken: send without Content-Encoding.');
  }
  if (contentType === undefined || contentType === 'application/json') return;
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(String(contentType))?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
    throw new WaypostError('unsupported_media_type', `Bodies are read as UTF-8, not as ${charset.slice(0, 40)}.`);
  }
}

const keyNames = /^(?:api[-_]?key|access[-_]?token|authorization|auth[-_]?token|bearer)$/i;

/** Refuses a URL that carries a key: URLs end up in logs and histories. `query` is raw, without its question mark. */
export function refuseKeyInUrl(query: string): void {
  const carries = query
    .split('&')
    .some((pair) => /wp_(?:live|test)_/.test(pair) || keyNames.test(pair.slice(0, Math.max(0, pair.indexOf('=')))));
  if (!carries) return;
  throw new WaypostError(
    'key_in_url',
    'The URL carries what looks like an API key. URLs end up in logs and histories: revoke that key and send another as Authorization: Bearer …',
  );
}
