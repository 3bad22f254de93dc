// Replies that are sent piece by piece: how fast they go and how they end. A line belongs here if it is about what
// happens between the first byte of a stream and its last.

import type { ServerResponse } from 'node:http';
import { type Desk, type Exchange, headersOf, leaveFlight, pushStandingHeaders, tellCompletion } from './exchange.ts';
import type { ByteStream, Reply } from './operation.ts';
import { errorFields } from './problem.ts';
import { type Credential, openStream, watchDeparture } from './stream-book.ts';

/** TCP asks so often whether a silent client is still there. */
const PROBED_AFTER_MS = 30_000;

type Ending = 'whole' | 'client_gone' | 'stalled' | 'too_slow' | 'failed';

/** Sends a stream to its end. Throws what is wrong before the first byte: the caller answers with a problem. */
export async function writeStream(
  desk: Desk,
  exchange: Exchange,
  response: ServerResponse,
  reply: Reply,
  stream: ByteStream,
  credential: Credential,
): Promise<void> {
  const declared = exchange.route?.operation.replies[reply.status]?.streams ?? {};
  if (!Object.hasOwn(declared, stream.media_type))
    throw new Error(`${exchange.route?.operation.operation_id} declares no stream of ${stream.media_type}`);
  const { caller } = exchange;
  if (caller === null) throw new Error('a stream belongs to a caller');
  const departure = watchDeparture(desk, exchange, response);
  const close = openStream(desk.streams, { credential, caller, holder: null, departure });
  leaveFlight(desk, exchange);
  const onCut = () => response.destroy();
  stream.cut?.addEventListener('abort', onCut);
  const tell = (ended: Ending) => {
    const { status, replayed } = reply;
    tellCompletion(desk, exchange, {
      status,
      bytes_out: sending.bytes,
      error: null,
      replayed: replayed === true,
      ended,
    });
  };
  const sending = new Sending(response, stream.pieces[Symbol.asyncIterator](), desk.streams.limits.stalledAfterMs);
  try {
    const first = await sending.read();
    if (first === null) return tell('client_gone');
    writeHead(desk, exchange, response, reply, stream.media_type);
    const went = exchange.method === 'HEAD' ? 'whole' : await sending.sendFrom(first);
    const ended = stream.cut?.aborted === true ? 'too_slow' : went;
    if (ended === 'whole') response.end();
    else response.destroy();
    if (sending.error !== null) tellFailure(desk, exchange, sending.error);
    tell(ended);
  } finally {
    close();
    stream.cut?.removeEventListener('abort', onCut);
    sending.close((error) => tellFailure(desk, exchange, error));
  }
}

/** A stream is the last reply of its connection: nothing that waits behind it could be answered in time. */
function writeHead(desk: Desk, exchange: Exchange, response: ServerResponse, reply: Reply, mediaType: string): void {
  const headers = headersOf(desk, reply, mediaType);
  headers.push('Connection', 'close', 'X-Accel-Buffering', 'no');
  pushStandingHeaders(desk, exchange, headers);
  response.writeHead(reply.status, headers);
  response.socket?.setKeepAlive(true, PROBED_AFTER_MS);
  exchange.answered = true;
}

function tellFailure(desk: Desk, exchange: Exchange, error: unknown): void {
  const { correlation_id, method, route } = exchange;
  desk.log.error({ correlation_id, method, route: route?.operation.path, error: errorFields(error) }, 'stream.failed');
}

/** One stream on its way: reads a piece, writes it, waits until the client took it. */
class Sending {
  bytes = 0;
  /** What the pieces failed with after the first. */
  error: unknown = null;
  readonly #response: ServerResponse;
  readonly #pieces: AsyncIterator<string | Buffer>;
  readonly #stalledAfterMs: number;
  /** Wakes whoever waits for a piece or for the client: set by that, called when the connection ends. */
  #onGone: (() => void) | null = null;
  #isWhole = false;

  constructor(response: ServerResponse, pieces: AsyncIterator<string | Buffer>, stalledAfterMs: number) {
    this.#response = response;
    this.#pieces = pieces;
    this.#stalledAfterMs = stalledAfterMs;
    response.once('close', () => this.#onGone?.());
  }

  /** The next piece, or null when the client goes before it comes. Throws what the pieces throw. */
  async read(): Promise<IteratorResult<string | Buffer> | null> {
    if (this.#response.destroyed) return null;
    const next = this.#pieces.next();
    const piece = await new Promise<IteratorResult<string | Buffer> | null>((resolve, reject) => {
      this.#onGone = () => resolve(null);
      next.then(resolve, reject);
    });
    this.#isWhole = piece?.done === true;
    return piece;
  }

  async sendFrom(first: IteratorResult<string | Buffer>): Promise<Ending> {
    try {
      for (let piece: typeof first | null = first; piece?.done !== true; piece = await this.read()) {
        if (piece === null) return 'client_gone';
        this.bytes += Buffer.byteLength(piece.value);
        if (this.#response.write(piece.value)) continue;
        const ended = await this.#waitForClient();
        if (ended !== null) return ended;
      }
      return 'whole';
    } catch (error) {
      this.error = error;
      this.#isWhole = true;
      return 'failed';
    }
  }

  /** Back-pressure: nothing more is read while what was written has not been taken. */
  #waitForClient(): Promise<Ending | null> {
    if (this.#response.destroyed) return Promise.resolve('client_gone');
    return new Promise((resolve) => {
      const settle = (ended: Ending | null) => {
        clearTimeout(timer);
        this.#response.off('drain', onDrain);
        resolve(ended);
      };
      const onDrain = () => settle(null);
      const timer = setTimeout(settle, this.#stalledAfterMs, 'stalled');
      this.#response.once('drain', onDrain);
      this.#onGone = () => settle('client_gone');
    });
  }

  /** Lets the pieces close what they opened, unless they came to their end. */
  close(onFault: (error: unknown) => void): void {
    this.#onGone = null;
    if (!this.#isWhole) this.#pieces.return?.().then(undefined, onFault);
  }
}
