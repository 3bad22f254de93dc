// The words between the sender and whatever carries its messages: what is to be sent and where, what came of it.
// Words only. Each kind of destination has a file of its own; open-destinations.ts chooses among them.

import type { TraceContext } from '../ledger/trace.ts';
import type { BrokerAddress } from './broker-address.ts';
import type { Credentials, DestinationSettings } from './destination.schema.ts';

/** Where an endpoint's messages go, ready for use: computed when the endpoint is loaded, not for each message. */
export type Target = HttpTarget | BrokerTarget | WritebackTarget;

export interface HttpTarget {
  type: 'http';
  origin: string;
  path: string;
}

export interface BrokerTarget {
  type: 'nats' | 'rabbitmq' | 'kafka';
  /** Names the connection: it is another one for each endpoint, and for each change of where and how it is sent to. */
  link: string;
  address: BrokerAddress;
  settings: DestinationSettings;
  credentials: Credentials;
}

export interface WritebackTarget {
  type: 'writeback';
  url: string;
  settings: DestinationSettings;
  credentials: Credentials;
}

/** What brokers are told of a message in their own words; over HTTP it stands in headers and body. */
export interface Subject {
  tenant_id: string;
  event_id: string;
  type: string;
  /** The job, or the object that the event is about: messages of one key are kept in order. */
  key: string;
}

export interface Posting {
  to: Target;
  subject: Subject;
  world: 'live' | 'test';
  /** Names and values, one after the other. */
  headers: string[];
  body: Buffer;
  timeout_ms: number;
  /** Asked again when its turn has come: a sender whose lease ended meanwhile must not send. */
  maySend(): boolean;
  /** The trace of what caused it; the receiver is told the one of this attempt. */
  trace: TraceContext | null;
  /** What the attempt is about, for its span. */
  about: Readonly<Record<string, string | number>>;
}

export interface Answer {
  outcome: 'delivered' | 'refused' | 'failed' | 'timed_out' | 'called_off';
  status: number | null;
  /** What went wrong, in words; null when delivered. */
  error: string | null;
  reply: string | null;
  retry_after: string | null;
  /** What the receiver asks for in `webhook-delivery`. */
  control: 'abort' | 'pause' | null;
  duration_ms: number;
}

export interface Flight {
  /** Ends it now: answered as `called_off`. */
  callOff(): void;
}

export interface Destination {
  /** Sends one message; answers exactly once, never before `post` has returned. */
  post(posting: Posting, onAnswer: (answer: Answer) => void): Flight;
  /** Ends what is in flight and closes all connections. */
  close(): Promise<void>;
}
