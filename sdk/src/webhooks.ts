// Receiving: is this message really from the server, and what does it say? A line belongs here if it reads a message
// that was sent to an endpoint. What a signature covers is in webhook-signatures.ts.

import type { WaypostEvent } from './event.ts';
import { guessSignatureMistake, trimSecret } from './webhook-mistakes.ts';
import { decodeBase64, matchAny, PUBLIC_KEY_PREFIX, SECRET_PREFIX, type Signature } from './webhook-signatures.ts';

const TOLERANCE_S = 300;
const PUBLIC_KEY_BYTES = 32;

export type HeadersLike =
  | Headers
  | Map<string, string>
  | Iterable<readonly [string, string]>
  | { readonly [name: string]: string | readonly string[] | undefined };

export interface VerifyOptions {
  /** The endpoint's secret (`whsec_…`) or public key (`whpk_…`), or several while one is being rotated: one must fit. */
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

/** Answers the event that the message carries, native or as a CloudEvent, or throws `WebhookRefused`. */
export async function verifyWebhook(options: VerifyOptions): Promise<WaypostEvent> {
  const body = readBodyBytes(options.body);
  const id = needHeader(options.headers, 'webhook-id');
  const timestamp = needHeader(options.headers, 'webhook-timestamp');
  const signed = needHeader(options.headers, 'webhook-signature');
  const secrets = (typeof options.secret === 'string' ? [options.secret] : (options.secret ?? [])).map(readSecret);
  if (secrets.length === 0) throw new WebhookRefused('secret_malformed', 'No secret was given: the list is empty.');
  const signatures = readSignatures(signed, secrets);

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
  const carried = JSON.parse(new TextDecoder().decode(body));
  // A CloudEvent in structured mode holds the event in its data; in binary mode the body is the event.
  const isEnvelope = headerOf(options.headers, 'content-type')?.startsWith('application/cloudevents+json') === true;
  return (isEnvelope ? carried.data : carried) as WaypostEvent;
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

/** Those in the header that can be checked with what is given. */
function readSignatures(header: string, secrets: readonly string[]): Signature[] {
  const parts = header.trim().split(/\s+/);
  const found: Signature[] = [];
  for (const part of parts) {
    const [kind, text = ''] = part.split(',');
    const bytes = decodeBase64(text);
    if (bytes !== null && (kind === 'v1' || kind === 'v1a')) found.push({ kind, bytes });
  }
  if (found.length === 0) {
    throw new WebhookRefused(
      'header_malformed',
      `webhook-signature must look like "v1,<base64>", several separated by blanks; got ${JSON.stringify(header.slice(0, 60))}.`,
    );
  }
  const isPublic = secrets.map((secret) => secret.startsWith(PUBLIC_KEY_PREFIX));
  if (!found.some(({ kind }) => isPublic.includes(kind === 'v1a'))) {
    const what =
      found[0]?.kind === 'v1a'
        ? 'Ed25519 (v1a) only: check it with the public key of its endpoint, whpk_…'
        : 'the shared secret (v1) only: check it with the secret of its endpoint, whsec_…';
    throw new WebhookRefused('signature_kind', `The message is signed with ${what}; or change what it signs with.`);
  }
  return found;
}

/** The secret or public key with its prefix, or a refusal that says what was given instead. */
function readSecret(secret: string): string {
  const say = (message: string): never => {
    throw new WebhookRefused('secret_malformed', message);
  };
  if (typeof secret !== 'string' || secret === '') return say('The secret is empty. Is the environment variable set?');
  const bare = trimSecret(secret);
  if (/^wp_(live|test)_/.test(bare)) {
    return say('The secret is an API key (wp_…). Messages are signed with the secret of the endpoint, whsec_….');
  }
  if (bare.startsWith('whe_')) return say('The secret is the id of the endpoint (whe_…), not its secret, whsec_….');
  if (bare.startsWith(PUBLIC_KEY_PREFIX)) {
    if (decodeBase64(bare.slice(PUBLIC_KEY_PREFIX.length))?.length === PUBLIC_KEY_BYTES) return bare;
    return say('The public key is not whpk_ and 32 bytes in base64. Was it cut off?');
  }
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
