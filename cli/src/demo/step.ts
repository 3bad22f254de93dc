// One thing that happens to an order, at a simulated time, and who says so. A plan is a list of these; drive.ts turns
// each into a request. They name tasks by role: identifiers exist only once the job does.

import type { ProofInput, TransitionInput } from '@waypost/sdk/jobs';
import type { Order } from './order.ts';

/** `return`: the delivery that takes goods back, made by the resolution of a failed one. */
export type TaskRole = 'pickup' | 'delivery' | 'return';

/** Which proof the order asks for at the door. */
export type ProofKind = 'none' | 'note' | 'barcode' | 'pin' | 'id_check' | 'cash' | 'temperature';

export interface Resolution {
  resolution: 'retry' | 'return' | 'fail' | 'keep' | 'adopt' | 'correct_address';
  note: string;
  location?: { lat: number; lng: number };
}

export interface TransitionStep {
  does: 'transition';
  /** Null: of the whole job. */
  task: TaskRole | null;
  /** Number of the driver who gets the job or reports; null when it is nobody on the road. */
  driver: number | null;
  /** When it happened, which may be long before it is said (a phone without signal). */
  occurred: number;
  body: Omit<TransitionInput, 'task_id' | 'driver_id' | 'occurred_at' | 'sent_at' | 'items'>;
  /** The first item is not taken, for this reason. */
  rejected?: { reason_code: string; remainder: 'write_off' };
  /** Said a second time, word for word: it must change nothing. */
  twice?: boolean;
}

export type Step = { at: number; order: number } & (
  | { does: 'create' }
  | { does: 'edit'; body: { priority: Order['priority'] } }
  | { does: 'delete' }
  | { does: 'acknowledge' }
  | { does: 'resolve'; body: Resolution }
  | TransitionStep
);

export type Proof = ProofInput;
