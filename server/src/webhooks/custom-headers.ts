// Headers of an endpoint's own: what may be sent beside ours. Their values may be somebody's token, so they are kept
// sealed and never shown. Pure; a line belongs here if it decides which names and values there may be.

import type { Fault } from '../errors.ts';

export const HEADERS_MAX = 20;
export const HEADER_NAME_LENGTH_MAX = 64;
export const HEADER_VALUE_LENGTH_MAX = 1_024;
/** Names and values together: many receivers take no more than 8 KiB of headers in all. */
export const HEADERS_LENGTH_MAX = 4_096;

/** A token of RFC 9110. */
export const HEADER_NAME = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
/** Visible characters, with blanks between. */
export const HEADER_VALUE = '^[!-~]([ -~]*[!-~])?$';

/** What connections are made of, what we say ourselves, and what a proxy on the way would act on. */
const RESERVED = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'traceparent',
  'tracestate',
  'upgrade',
  'user-agent',
]);
const RESERVED_BEGINNINGS = ['ce-', 'webhook-', 'waypost-', 'x-forwarded-'];

export type CustomHeaders = Readonly<Record<string, string>>;

/** What is wrong with names and values that are well-formed each for itself. */
export function headerFaults(headers: CustomHeaders | undefined): Fault[] {
  const names = Object.keys(headers ?? {});
  const seen = new Set<string>();
  const faults = names.flatMap((name) => {
    const lower = name.toLowerCase();
    const pointer = `/headers/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const isReserved = RESERVED.has(lower) || RESERVED_BEGINNINGS.some((beginning) => lower.startsWith(beginning));
    const isTwice = seen.has(lower);
    seen.add(lower);
    if (isReserved) return [{ pointer, code: 'reserved', message: `${name} is set by Waypost itself.` }];
    return isTwice ? [{ pointer, code: 'duplicate', message: `${name} stands there twice: case does not count.` }] : [];
  });
  const length = Object.entries(headers ?? {}).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  if (length > HEADERS_LENGTH_MAX) {
    const message = `All headers together take ${length} characters; ${HEADERS_LENGTH_MAX} are allowed.`;
    faults.push({ pointer: '/headers', code: 'too_large', message });
  }
  return faults;
}

/** Names in lower case and values in turn, as they go out. */
export function headerList(headers: CustomHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) => [name.toLowerCase(), value]);
}
