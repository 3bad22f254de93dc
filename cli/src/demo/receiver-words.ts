// What the demo and its receiver process say to each other.

import type { Reconciled } from './compare.ts';
import type { MirrorCounts } from './mirror.ts';

/** The first thing that a receiver is told. */
export interface BeginWords {
  /** 0 takes a free one. */
  port: number;
  journal: string;
  /** Null while the endpoint is not made yet. */
  secret: string | null;
  /** References of the jobs of this run begin with it. */
  prefix: string;
}

export interface ReconcileOrder {
  order: 'reconcile';
  url: string;
  key: string;
  endpoint_id: string;
  job_ids: string[];
  /** Sequences up to here were in the log before the endpoint was owed anything. */
  after: number;
  /** How long nothing may arrive before what is missing counts as lost. */
  patience_ms: number;
}

export type ReceiverOrder = { order: 'secret'; secret: string } | ReconcileOrder;

export type ReceiverAnswer =
  | { say: 'listening'; port: number }
  | { say: 'progress'; counts: MirrorCounts; refused: number }
  | { say: 'reconciled'; reconciled: Reconciled; refused: number }
  | { say: 'failed'; message: string };
