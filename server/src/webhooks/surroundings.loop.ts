// What an endpoint that is being sent to begins with, and what it needs of the sender around it. Words only: who sends is
// endpoint.loop.ts, what surrounds it is made in sender.loop.ts.

import type { Answer, Destination, Target } from '../destinations/destination.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import type { Endpoint } from './endpoint.schema.ts';
import type { SavedIntake } from './endpoint-intake.ts';
import type { PauseCause } from './endpoint-outage.loop.ts';
import type { DeadLetterRow } from './flush.store.ts';
import type { Message, Next } from './lane.ts';
import type { LogItem } from './log-item.ts';
import type { MadeMessage, Revision } from './message-format.ts';
import type { AttemptSubject } from './outbox.ts';
import type { ParkedMessage } from './parked-message.ts';
import type { EndReason, ReplayRequest } from './replay.schema.ts';
import type { SigningKey } from './signing.ts';
import type { Turns } from './turns.ts';
import type { Cursor } from './window.ts';

/** An endpoint as senders see it. */
export interface EndpointConfig {
  world_id: number;
  world: 'live' | 'test';
  tenant_id: string;
  share: number;
  endpoint: Endpoint;
  keys: SigningKey[];
  /** Where its messages go. */
  to: Target;
  /** Of its own, names and values in turn. */
  headers: readonly string[];
  /** How its messages are made from now on, and how they were. */
  revision: Revision;
  revisions: ReadonlyMap<number, Revision>;
  /** Where each epoch of the log but the first begins, for the receiver; null while there is only that. */
  epochs: string | null;
}

/** What an endpoint needs of the sender around it. */
export interface Surroundings {
  destination: Destination;
  /** Whose turn it is to send. */
  turns: Turns;
  /** Milliseconds by the database's clock, but never back: what is due and what is patient goes by it. */
  now(): number;
  /** The same as that clock stands: receivers compare it with their own. */
  clockNow(): number;
  /** Between -1 and 1. */
  jitter(): number;
  mintEventId(): string;
  mintDeadLetterId(): string;
  /** Whether the lease of a share holds at this moment, by both clocks. */
  holds(share: number): boolean;
  /** Null: what it needs has to be prepared first. */
  make(run: EndpointRun, item: LogItem, revision: Revision): MadeMessage | null;
  /** Reads the events and keys that these messages lack; then `run.launch` sends them. */
  prepare(run: EndpointRun, nexts: readonly Next<LogItem>[]): void;
  /** The outbox has something to write. */
  changed(run: EndpointRun): void;
  /** Resolves when all that the outboxes held is written. */
  written(): Promise<void>;
  /** There is room for more events. */
  hungry(run: EndpointRun): void;
  /** Wants `wake` to be called at a time. */
  wakeAt(run: EndpointRun, at: number): void;
  /** Commands of the ledger; they answer when they are committed. */
  commitVerified(run: EndpointRun): Promise<void>;
  commitPaused(run: EndpointRun, reason: PauseCause): Promise<void>;
  commitReplayEnded(worldId: number, replayId: string, ending: ReplayEnding): Promise<void>;
  onAttempt(run: EndpointRun, attempt: AttemptSubject, answer: Answer): void;
  onDead(run: EndpointRun, message: Message<LogItem>, item: LogItem, reason: DeadLetterRow['reason']): void;
}

/** How a replay is over. */
export interface ReplayEnding {
  reason: EndReason;
  result: ReplayRequest['result'];
}

/** What was found when the endpoint was loaded. */
export interface SavedEndpoint extends SavedIntake {
  cursor: Cursor;
  circuit: { open_since: number | null; probes: number; probe_at: number };
  parked: readonly ParkedMessage[];
}
