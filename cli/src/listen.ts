// The word `listen`: events come to this machine by stream, are signed with a secret that it prints, and are handed to a
// program of the developer's exactly as a webhook would be.

import { randomBytes } from 'node:crypto';
import type { PulledEvent } from '@waypost/sdk/event';
import { Webhook } from 'standardwebhooks';
import { eventLine } from './event-line.ts';
import { findLogEnd } from './log-end.ts';
import { formatMs } from './terminal.ts';
import { countOption, EXIT, listOption, readCount, textOption, type Word, type WordCall, WordError } from './word.ts';

const TIMEOUT_MS = 15_000;
const SECRET_BYTES = 32;
const REPLY_SHOWN_MAX = 200;

/** What became of one event. */
interface Handed {
  status: number | null;
  duration_ms: number;
  reply: string;
}

export const listen: Word = {
  usage: 'listen [--forward URL] [--replay N|A..B] [--types …] [--secret …] [--limit N]',
  sentence: 'Receives events on this machine and hands each, signed like a webhook, to a program of yours.',
  options: {
    forward: { value: 'URL', meaning: 'where to hand them to, such as http://localhost:3000/hooks' },
    replay: { value: 'N|A..B', meaning: 'first the last N numbers of the log, or from A on; with B it ends there' },
    types: { value: 'A,B', meaning: 'only these types or topics, with job.* for all that begin so' },
    secret: { value: 'SECRET', meaning: 'whsec_…, to sign with; a new one by default' },
    limit: { value: 'N', meaning: 'end after so many' },
  },
  names: [0, 0],
  async run(call) {
    const { terminal, signal } = call;
    const client = call.open();
    const forward = readForward(textOption(call, 'forward'));
    const secret = readSecret(textOption(call, 'secret'));
    const limit = countOption(call, 'limit', 1, Number.POSITIVE_INFINITY);
    const types = listOption(call, 'types');
    const end = await findLogEnd(client);
    const { begin, last } = readRange(textOption(call, 'replay'), end.sequence);
    if (forward !== null) terminal.note(`Signing with ${secret}: verify with it as with the secret of an endpoint.`);
    const what =
      last === Number.POSITIVE_INFINITY ? `Listening from ${begin + 1} on` : `Reading ${begin + 1} to ${last}`;
    terminal.note(`${what}${forward === null ? '' : `, handing to ${forward}`}. Ctrl-C ends it.`);
    let seen = 0;
    let failed = 0;
    const query = { after: end.place(begin), ...(types !== undefined && { types }) };
    // What ends is read; only what goes on is followed.
    const source = last === Number.POSITIVE_INFINITY ? client.events.follow : client.events.iterate;
    for await (const event of source(query, { signal })) {
      if (event.sequence > last) break;
      terminal.say(eventLine(event, terminal.paint));
      const handed = forward === null ? null : await hand(event, forward, secret);
      if (handed !== null) failed += tellHanded(call, handed);
      terminal.giveLine({ event, handed });
      if (++seen >= limit || event.sequence >= last) break;
    }
    if (seen === 0 && last !== Number.POSITIVE_INFINITY)
      terminal.note(
        'None of them is for you: a key that is bound to channels sees theirs, and --types chooses among these.',
      );
    return failed === 0 ? EXIT.done : EXIT.refused;
  },
};

/** `20`: the last twenty. `100..200`: these; `100..`: from there on. What follows the log has no last one. */
function readRange(text: string | undefined, end: number): { begin: number; last: number } {
  const [, from, until = ''] = /^(\d+)\.\.(\d*)$/.exec(text ?? '') ?? [];
  if (from === undefined) {
    const count = text === undefined ? 0 : readCount(text, '--replay', 1);
    return { begin: Math.max(0, end - count), last: Number.POSITIVE_INFINITY };
  }
  const begin = readCount(from, '--replay A..B', 1) - 1;
  if (begin > end) throw new WordError(`The log ends at ${end}: nothing begins at ${from} yet.`);
  const last = until === '' ? Number.POSITIVE_INFINITY : Math.min(readCount(until, '--replay A..B', begin + 1), end);
  return { begin, last };
}

function readForward(text: string | undefined): URL | null {
  if (text === undefined) return null;
  // As people write it: a port, or a host without its scheme.
  const whole = /^\d+$/.test(text) ? `http://localhost:${text}/` : /^https?:\/\//.test(text) ? text : `http://${text}`;
  if (URL.canParse(whole)) return new URL(whole);
  throw new WordError(`--forward takes a URL such as http://localhost:3000/hooks, not "${text}".`);
}

function readSecret(text: string | undefined): string {
  if (text === undefined) return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
  if (/^whsec_[A-Za-z0-9+/]{16,}={0,2}$/.test(text)) return text;
  throw new WordError('--secret takes whsec_ followed by base64, as endpoints have it.');
}

/** The message as a sender would make it: what a pull tells beside the event is a header there. */
async function hand({ previous, ...event }: PulledEvent, forward: URL, secret: string): Promise<Handed> {
  const body = JSON.stringify(event);
  const at = new Date();
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'webhook-id': event.id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(event.id, at, body),
    'waypost-sequence': String(event.sequence),
    'waypost-previous': String(previous),
    'waypost-attempt': '1',
  };
  const began = performance.now();
  const took = () => Math.round(performance.now() - began);
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(forward, { method: 'POST', headers, body, signal, redirect: 'manual' });
    return { status: response.status, reply: await response.text(), duration_ms: took() };
  } catch (error) {
    const { name, cause, message } = error as Error & { cause?: { code?: string; message?: string } };
    const reason =
      name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1_000} s` : (cause?.code ?? cause?.message ?? message);
    return { status: null, reply: reason, duration_ms: took() };
  }
}

/** Answers 1 when a sender would try it again. */
function tellHanded({ terminal }: WordCall, { status, reply, duration_ms }: Handed): number {
  const isDelivered = status !== null && status >= 200 && status < 300;
  const words = status === null ? `no answer: ${reply}` : `${status} in ${formatMs(duration_ms)}`;
  const first = (status === null ? '' : reply.trim()).split('\n')[0]?.slice(0, REPLY_SHOWN_MAX) ?? '';
  terminal.say(
    `                → ${terminal.paint(isDelivered ? 'green' : 'red', words)}${first === '' ? '' : `  ${first}`}`,
  );
  return isDelivered ? 0 : 1;
}
