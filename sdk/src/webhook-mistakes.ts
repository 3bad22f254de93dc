// Why does a signature not match? Tries the changes that receivers commonly make to body and secret by accident, and
// says which one explains it. Runs only for messages that are refused anyway.

import type { WebhookMistake } from './webhooks.ts';

interface Suspect {
  body: Uint8Array;
  given: readonly string[];
  matches(body: Uint8Array, secret?: string): Promise<boolean>;
}

export async function guessSignatureMistake(suspect: Suspect): Promise<{ mistake: WebhookMistake; message: string }> {
  for (const secret of suspect.given) {
    const trimmed = trimSecret(secret);
    if (trimmed === secret) continue;
    const full = trimmed.startsWith('whsec_') ? trimmed : `whsec_${trimmed}`;
    if (await suspect.matches(suspect.body, full)) {
      return {
        mistake: 'secret_padded',
        message: 'The secret has blanks, a line end or quotes around it; without them the signature matches.',
      };
    }
  }
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(suspect.body);
  for (const [changed, what] of listBodyChanges(text)) {
    if (changed !== text && (await suspect.matches(new TextEncoder().encode(changed)))) {
      return { mistake: 'body_changed', message: `${what} Pass the bytes as they were sent.` };
    }
  }
  return {
    mistake: 'signature_wrong',
    message:
      'No signature matches. Most likely this is the secret of another endpoint, or the secret was rotated and the ' +
      'overlap is over (the secret is shown when the endpoint is created and when it is rotated; to change over, check ' +
      'with both). Otherwise something between changed the body or the message is forged.',
  };
}

function* listBodyChanges(text: string): Generator<[string, string]> {
  yield [text.replace(/\r?\n$/, ''), 'A line end was added to the body.'];
  yield [`${text}\n`, 'The line end of the body was removed.'];
  yield [text.trim(), 'There are blanks around the body that were not sent.'];
  yield [text.replace(/^\uFEFF/, ''), 'A byte order mark was put before the body.'];
  yield [text.replaceAll('\r\n', '\n'), 'The line ends of the body were changed.'];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return;
  }
  yield [
    JSON.stringify(parsed),
    'The body was parsed and written again with other blanks (indented, or in Python style).',
  ];
  if (typeof parsed === 'string') yield [parsed, 'The body was encoded as JSON a second time.'];
}

/** Blanks and quotes around a secret come from files and shells. */
export function trimSecret(secret: string): string {
  return secret.trim().replace(/^(["'])(.*)\1$/, '$2');
}
