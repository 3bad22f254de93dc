// Receiving: is this message really from the server, and what does it say? Standard Webhooks signatures with
// WebCrypto. A line belongs here if it reads a message that was sent to an endpoint.

import type { WaypostEvent } from './event.ts';
import { guessSignatureMistake, trimSecret } from './webhook-mistakes.ts';

const TOLERANCE_S = 300;
const SECRET_PREFIX = 'whsec_';

export type HeadersLike =
  | Headers
  | Map<string, string>
  | Iterable<readonly [string, string]>
  | { readonly [name: string]: string | readonly string[] | undefined };

export interface VerifyOptions {
  /** The endpoint's secret (`whsec_…`), or several while one is being rotated. */
  secret: string | readonly string[];
  headers: HeadersLike;
  /** The request body exactly as it came, before any JSON parser. */
  body: string | Uint8Array | ArrayBuffer;
  /** How far the message's time may be from now. */
  toleranceS?: number | undefined;
  nowMs?: number | undefined;
}

export type WebhookMistake =
  | 'body_parsed'
  | 'body_missing'
  | 'body_changed'
  | 'header_missing'
  | 'header_malformed'
  | 'secret_malformed'
  | 'secret_padded'
  | 'timestamp_old'
  | 'timestamp_ahead'
  | 'signature_kind'
  | 'signature_wrong';

/** The message must not be trusted. `mistake` is a guess at what to put right on the receiving side. */
export class WebhookRefused extends Error {
  override readonly name = 'WebhookRefused';
  readonly mistake: WebhookMistake;

  constructor(mistake: WebhookMistake, message: string) {
    super(message);
    this.mistake = mistake;
  }
}

/** Answers the event that the message carries, or throws `WebhookRefused`. */
export async function verifyWebhook(options: VerifyOptions): Promise<WaypostEvent> {
  const body = readBodyBytes(options.body);
  const id = needHeader(options.headers, 'webhook-id');
  const timestamp = needHeader(options.headers, 'webhook-timestamp');
  const signatures = readSignatures(needHeader(options.headers, 'webhook-signature'));
  const secrets = (typeof options.secret === 'string' ? [options.secret] : (options.secret ?? [])).map(checkSecret);
  if (secrets.length === 0) throw new WebhookRefused('secret_malformed', 'No secret was given: the list is empty.');

  const matches = await matchAny(secrets, id, timestamp, body, signatures);
  if (!matches) {
    const guess = await guessSignatureMistake({
      body,
      given: typeof options.secret === 'string' ? [options.secret] : options.secret,
      matches: (candidate, secret) =>
        matchAny(secret === undefined ? secrets : [secret], id, timestamp, candidate, signatures),
    });
    throw new WebhookRefused(guess.mistake, guess.message);
  }
  checkTimestamp(timestamp, options.toleranceS ?? TOLERANCE_S, options.nowMs ?? Date.now());
  return JSON.parse(new TextDecoder().decode(body)) as WaypostEvent;
}

/** The value of one header, whatever the framework keeps them in. */
export function headerOf(headers: HeadersLike, name: string): string | null {
  if (typeof headers !== 'object' || headers === null) return null;
  if ('get' in headers && typeof headers.get === 'function') {
    const found: unknown = headers.get(name);
    return typeof found === 'string' ? found : null;
  }
  const pairs =
    Symbol.iterator in headers ? [...(headers as Iterable<readonly [string, string]>)] : Object.entries(headers);
  for (const [key, value] of pairs) {
    if (String(key).toLowerCase() !== name) continue;
    if (typeof value === 'string') return value;
    if (Array.isArray(value) && typeof value[0] === 'string') return value[0];
  }
  return null;
}

async function matchAny(
  secrets: readonly string[],
  id: string,
  timestamp: string,
  body: Uint8Array,
  signatures: readonly Uint8Array<ArrayBuffer>[],
): Promise<boolean> {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  for (const secret of secrets) {
    const bytes = decodeBase64(secret.slice(SECRET_PREFIX.length));
    if (bytes === null || bytes.length === 0) continue;
    const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
    // `verify` compares in constant time.
    for (const signature of signatures) if (await crypto.subtle.verify('HMAC', key, signature, signed)) return true;
  }
  return false;
}

function readBodyBytes(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body.length > 0 ? body : refuseMissingBody();
  if (body instanceof ArrayBuffer) return body.byteLength > 0 ? new Uint8Array(body) : refuseMissingBody();
  if (typeof body === 'string') return body !== '' ? new TextEncoder().encode(body) : refuseMissingBody();
  if (body === undefined || body === null) return refuseMissingBody();
  throw new WebhookRefused(
    'body_parsed',
    'The body is an object: a JSON parser ran before the check. The signature covers the bytes as they were sent, so ' +
      "pass the raw text (Express: express.raw({type: 'application/json'}); fetch handlers: await request.text(); " +
      'Fastify: a content type parser with parseAs string).',
  );
}

function refuseMissingBody(): never {
  throw new WebhookRefused(
    'body_missing',
    'The body is empty. Something read the request before the check, or it was not read at all; pass the raw text.',
  );
}

function needHeader(headers: HeadersLike, name: string): string {
  const value = headerOf(headers, name);
  if (value !== null && value !== '') return value;
  const wholeRequest = typeof headers === 'object' && headers !== null && 'headers' in headers;
  const foreign = headerOf(headers, `svix-${name.slice('webhook-'.length)}`) !== null;
  throw new WebhookRefused(
    'header_missing',
    `The header ${name} is missing. ` +
      (wholeRequest
        ? 'The whole request was passed: pass its headers.'
        : foreign
          ? 'The message carries svix-* headers: it was not sent by this server.'
          : 'Every message has webhook-id, webhook-timestamp and webhook-signature; does a proxy in front remove them, ' +
            'or was this request not sent by the server at all?'),
  );
}

function readSignatures(header: string): Uint8Array<ArrayBuffer>[] {
  const parts = header.trim().split(/\s+/);
  const found: Uint8Array<ArrayBuffer>[] = [];
  for (const part of parts) {
    const signature = part.startsWith('v1,') ? decodeBase64(part.slice(3)) : null;
    if (signature !== null) found.push(signature);
  }
  if (found.length > 0) return found;
  if (parts.every((part) => part.startsWith('v1a,'))) {
    throw new WebhookRefused(
      'signature_kind',
      'The message carries Ed25519 signatures (v1a) only; this check needs one made with the shared secret (v1).',
    );
  }
  throw new WebhookRefused(
    'header_malformed',
    `webhook-signature must look like "v1,<base64>", several separated by blanks; got ${JSON.stringify(header.slice(0, 60))}.`,
  );
}

function checkSecret(secret: string): string {
  const say = (message: string): never => {
    throw new WebhookRefused('secret_malformed', message);
  };
  if (typeof secret !== 'string' || secret === '') return say('The secret is empty. Is the environment variable set?');
  const bare = trimSecret(secret);
  if (/^wp_(live|test)_/.test(bare)) {
    return say('The secret is an API key (wp_…). Messages are signed with the secret of the endpoint, whsec_….');
  }
  if (bare.startsWith('whe_')) return say('The secret is the id of the endpoint (whe_…), not its secret, whsec_….');
  if (bare.startsWith('whpk_'))
    return say('The secret is a public key (whpk_…); this check needs the secret, whsec_….');
  const full = bare.startsWith(SECRET_PREFIX) ? secret : SECRET_PREFIX + secret;
  if (decodeBase64(trimSecret(full).slice(SECRET_PREFIX.length)) === null) {
    return say('The secret is not whsec_ followed by base64. Was it cut off, or changed when it was copied?');
  }
  return full;
}

function checkTimestamp(text: string, toleranceS: number, nowMs: number): void {
  if (!/^\d+$/.test(text)) {
    throw new WebhookRefused(
      'header_malformed',
      `webhook-timestamp must be seconds since 1970; got ${JSON.stringify(text)}.`,
    );
  }
  const aheadS = Number(text) - Math.floor(nowMs / 1_000);
  if (-aheadS > toleranceS) {
    throw new WebhookRefused(
      'timestamp_old',
      `The signature is right, but the message was sent ${-aheadS} s ago and ${toleranceS} s are allowed. Check messages ` +
        'when they arrive, not when a queue hands them on; or the clock of this machine is fast; or someone sends an ' +
        'old message again.',
    );
  }
  if (aheadS > toleranceS) {
    throw new WebhookRefused(
      'timestamp_ahead',
      `The signature is right, but the message's time is ${aheadS} s ahead of this machine: its clock is slow.`,
    );
  }
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
