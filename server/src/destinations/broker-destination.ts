// Publishes messages to brokers: one connection for all that may share it, opened at the first message and again when it
// was lost, each message with a deadline, and an answer in our words. What one kind of broker wants is in a file of its
// own, as a session; nothing here retries, because the sender does.

import { writeTraceparent } from '../ledger/trace.ts';
import { type Span, startSpan } from '../ledger/tracing.ts';
import { type DestinationOptions, EgressError } from './checked-address.ts';
import type { Answer, BrokerTarget, Destination, Flight, Posting } from './destination.ts';

export const CONNECT_TIMEOUT_MS = 10_000;
const DEADLINE_SWEEP_MS = 50;
/** A connection over which nothing was sent for so long is closed. */
const IDLE_MS = 300_000;
const REPLY_LENGTH_MAX = 4_096;
const DURATION_MAX_MS = 3_600_000;

/** A message to a broker. */
export type BrokerPosting = Posting & { to: BrokerTarget };

/** A connection to a broker over which messages are published. */
export interface Session {
  /** Resolves with what the broker said when it has the message; rejects with a BrokerRefusal when it does not want it. */
  publish(posting: BrokerPosting): Promise<string>;
  /** Resolves when the connection is gone; `publish` then has rejected what was on its way. */
  readonly closed: Promise<unknown>;
  close(): Promise<void>;
}

/** Connects, with every address checked. */
export type OpenSession = (to: BrokerTarget, world: 'live' | 'test', options: DestinationOptions) => Promise<Session>;

/** The broker answered, and what it said is no. */
export class BrokerRefusal extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = 'BrokerRefusal';
  }
}

/** What was to be published has not been, and must not be any more: `maySend` said so when its turn came. */
export class CalledOff extends Error {
  constructor() {
    super('called off: another process sends for this endpoint now');
    this.name = 'CalledOff';
  }
}

/** The connection to one broker, as it comes and goes. */
interface Link {
  session: Promise<Session> | null;
  flights: Set<BrokerFlight>;
  used_at: number;
  /** When the broker last took something. */
  answered_at: number;
}

export interface BrokerDestination extends Destination {
  post(posting: BrokerPosting, onAnswer: (answer: Answer) => void): Flight;
}

export function openBrokerDestination(options: DestinationOptions, openSession: OpenSession): BrokerDestination {
  const links = new Map<string, Link>();
  const sweep = setInterval(() => {
    const now = options.now();
    for (const [key, link] of links) {
      for (const flight of link.flights) if (flight.isLate(now)) expire(link, flight);
      if (link.flights.size > 0 || now - link.used_at < IDLE_MS) continue;
      links.delete(key);
      void drop(link);
    }
  }, DEADLINE_SWEEP_MS);
  sweep.unref();

  /** A broker that took nothing since may be gone without a word: the next message connects anew. */
  function expire(link: Link, flight: BrokerFlight): void {
    const { started_at } = flight;
    flight.expire();
    if (link.answered_at < started_at) void drop(link);
  }

  async function drop(link: Link): Promise<void> {
    const { session } = link;
    link.session = null;
    await session?.then((opened) => opened.close()).catch(() => {});
  }

  function linkFor(posting: BrokerPosting): Link {
    const key = `${posting.world} ${posting.to.link}`;
    let link = links.get(key);
    if (link === undefined) {
      link = { session: null, flights: new Set(), used_at: 0, answered_at: 0 };
      links.set(key, link);
    }
    link.used_at = options.now();
    link.session ??= connect(link, posting);
    return link;
  }

  function connect(link: Link, { to, world }: BrokerPosting): Promise<Session> {
    const opening = withinTime(openSession(to, world, options));
    const session = opening.then((opened) => {
      void opened.closed.then(() => forget(session));
      return opened;
    });
    const forget = (which: Promise<Session>) => {
      if (link.session === which) link.session = null;
    };
    session.catch(() => forget(session));
    return session;
  }

  return {
    post(posting, onAnswer) {
      const { to, headers, trace } = posting;
      const span = startSpan(`publish to ${to.type}`, 'sends', trace);
      const traced = span.context === null ? [] : ['traceparent', writeTraceparent(span.context)];
      const link = linkFor(posting);
      const flight = new BrokerFlight({ ...posting, headers: [...headers, ...traced] }, options.now, (answer) => {
        link.flights.delete(flight);
        if (answer.outcome === 'delivered') link.answered_at = options.now();
        endSpan(span, posting, answer);
        setImmediate(() => onAnswer(answer));
      });
      link.flights.add(flight);
      void flight.start(link.session);
      return flight;
    },
    async close() {
      clearInterval(sweep);
      const all = [...links.values()];
      links.clear();
      for (const { flights } of all) for (const flight of [...flights]) flight.callOff();
      await Promise.all(all.map(drop));
    },
  };
}

function endSpan(span: Span, { to, about }: BrokerPosting, { outcome, error }: Answer): void {
  const { type, address } = to;
  const attributes = { 'messaging.system': type, 'server.address': address.host, 'waypost.outcome': outcome, ...about };
  span.end(() => attributes, error);
}

/** What comes too late is closed when it comes. */
async function withinTime(opening: Promise<Session>): Promise<Session> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no connection came about within ${CONNECT_TIMEOUT_MS / 1_000} s`));
      opening.then((session) => session.close()).catch(() => {});
    }, CONNECT_TIMEOUT_MS);
  });
  return await Promise.race([opening, late]).finally(() => clearTimeout(timer));
}

/** One message on its way. It answers exactly once. */
class BrokerFlight implements Flight {
  readonly #posting: BrokerPosting;
  readonly #now: () => number;
  #answer: ((answer: Answer) => void) | null;
  /** When it was published; until then when it was asked for. */
  started_at: number;
  #isPublished = false;

  constructor(posting: BrokerPosting, now: () => number, answer: (answer: Answer) => void) {
    this.#posting = posting;
    this.#now = now;
    this.#answer = answer;
    this.started_at = now();
  }

  async start(connected: Promise<Session> | null): Promise<void> {
    try {
      const session = await connected;
      if (session === null || this.#answer === null) return;
      // A session in which messages wait for their turn asks again.
      const maySend = () => this.#answer !== null && this.#posting.maySend();
      if (!maySend()) throw new CalledOff();
      this.started_at = this.#now();
      this.#isPublished = true;
      this.#end('delivered', null, await session.publish({ ...this.#posting, maySend }));
    } catch (error) {
      if (error instanceof CalledOff) this.#end('called_off', error.message);
      else this.#end(error instanceof BrokerRefusal ? 'refused' : 'failed', wordsFor(error));
    }
  }

  callOff(): void {
    this.#end('called_off', 'called off by a change of the endpoint');
  }

  isLate(now: number): boolean {
    return this.#isPublished && now - this.started_at >= this.#posting.timeout_ms;
  }

  expire(): void {
    this.#end('timed_out', `the broker confirmed nothing within ${this.#posting.timeout_ms / 1_000} s`);
  }

  #end(outcome: Answer['outcome'], error: string | null, reply: string | null = null): void {
    const answer = this.#answer;
    if (answer === null) return;
    this.#answer = null;
    answer({
      outcome,
      error,
      reply: reply?.slice(0, REPLY_LENGTH_MAX) ?? null,
      status: null,
      retry_after: null,
      control: null,
      duration_ms: Math.min(Math.max(0, Math.round(this.#now() - this.started_at)), DURATION_MAX_MS),
    });
  }
}

/** What went wrong, for people who look after the broker. */
export function wordsFor(error: unknown): string {
  if (error instanceof EgressError || error instanceof BrokerRefusal) return error.message;
  const cause = rootOf(error);
  const { code = '', message } = cause as { code?: unknown; message: string };
  if (code === 'ECONNREFUSED') return 'connection refused: no broker listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name of the broker does not resolve';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'the connection to the broker was closed';
  if (code === 'ETIMEDOUT') return 'no connection to the broker came about in time';
  return message;
}

/** What went wrong first: clients wrap it. */
export function rootOf(error: unknown): Error {
  let root = error instanceof Error ? error : new Error(String(error));
  while (root.cause instanceof Error) root = root.cause;
  if (root instanceof AggregateError && root.errors[0] instanceof Error) root = root.errors[0];
  return root;
}
