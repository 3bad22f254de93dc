// The span of one command: from the queue to its answer. The events that it writes belong to it.

import { errorCodes, WaypostError } from '../errors.ts';
import type { Command, Outcome } from './command.ts';
import { startSpan, traceNow } from './tracing.ts';

/** Submits a command as a part of the trace that is going on. */
export function trackCommit(command: Command, submit: (traced: Command) => Promise<Outcome>): Promise<Outcome> {
  const span = startSpan(`commit ${command.name}`, 'works', traceNow());
  const attributes = { 'waypost.command': command.name, 'waypost.correlation_id': command.correlation_id };
  return submit(span.context === null ? command : { ...command, trace: span.context }).then(
    (outcome) => {
      const { status, event_ids, replayed } = outcome;
      const result = { 'waypost.status': status, 'waypost.events': event_ids.length, 'waypost.replayed': replayed };
      span.end(() => ({ ...attributes, ...result }), null);
      return outcome;
    },
    (error: unknown) => {
      const code = error instanceof WaypostError ? error.code : 'internal';
      span.end(() => ({ ...attributes, 'waypost.code': code }), errorCodes[code].status < 500 ? null : code);
      throw error;
    },
  );
}
