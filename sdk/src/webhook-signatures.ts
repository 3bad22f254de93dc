// Standard Webhooks signatures with WebCrypto: HMAC-SHA256 under a secret (v1), Ed25519 under a public key (v1a). A line
// belongs here if it compares a signature with what it was made of.

export const SECRET_PREFIX = 'whsec_';
export const PUBLIC_KEY_PREFIX = 'whpk_';

export interface Signature {
  kind: 'v1' | 'v1a';
  bytes: Uint8Array<ArrayBuffer>;
}

/** Whether one of the signatures was made with one of the secrets, or with the private half of one of the public keys. */
export async function matchAny(
  secrets: readonly string[],
  id: string,
  timestamp: string,
  body: Uint8Array,
  signatures: readonly Signature[],
): Promise<boolean> {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  for (const secret of secrets) {
    const isPublic = secret.startsWith(PUBLIC_KEY_PREFIX);
    const bytes = decodeBase64(secret.slice((isPublic ? PUBLIC_KEY_PREFIX : SECRET_PREFIX).length));
    if (bytes === null || bytes.length === 0) continue;
    const algorithm = isPublic ? { name: 'Ed25519' } : { name: 'HMAC', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']);
    for (const { kind, bytes: signature } of signatures) {
      if ((kind === 'v1a') !== isPublic) continue;
      // `verify` compares in constant time.
      if (await crypto.subtle.verify(algorithm.name, key, signature, signed)) return true;
    }
  }
  return false;
}

export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
