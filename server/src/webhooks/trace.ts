// From what was recorded and sent to the trace that people read: which message became of which event, and what to do
// next.

import { compileFilter, type Filtered } from '../events/filter.ts';
import { filteredOf } from '../events/pull.ts';
import type { Attempt, Endpoint } from './endpoint.schema.ts';
import type { TracedEvent, TracedMessage } from './trace.schema.ts';
import type { StandingMessage, TracedEndpoint, TraceRow } from './trace.store.ts';

/** What of an event's body a trace tells. */
interface Told {
  actor: TracedEvent['actor'];
  cause: string;
  causation_id: string | null;
  applied: boolean;
  implied: boolean;
}

export interface Sent {
  endpoints: readonly TracedEndpoint[];
  attempts: readonly Attempt[];
  standing: readonly StandingMessage[];
}

export function traceEvent(row: TraceRow, sent: Sent | null): TracedEvent {
  const { actor, cause, causation_id, applied, implied } = JSON.parse(row.body) as Told;
  const { sequence, type, data_id, job_id, job_sequence, channel_id } = row;
  const topics = row.topics === '' ? [] : row.topics.split(' ');
  return {
    id: row.event_id,
    ...{ sequence, type, topics, data_id, job_id, job_sequence, channel_id },
    recorded_at: row.recorded_at.toISOString(),
    ...{ actor, cause, causation_id, applied, implied },
    messages: sent === null ? null : messagesOf({ ...filteredOf(row), sequence }, sent),
  };
}

function messagesOf(event: Filtered & Pick<TracedEvent, 'sequence'>, sent: Sent): TracedMessage[] {
  return sent.endpoints.flatMap(({ endpoint, start_sequence, sequence }) => {
    const isOf = (one: { endpoint_id: string; sequence: number | null }) =>
      one.endpoint_id === endpoint.id && one.sequence === event.sequence;
    const attempts = sent.attempts.filter(isOf);
    const parked = sent.standing.find((one) => isOf(one) && one.parked !== null);
    const dead = sent.standing.find((one) => isOf(one) && one.dead_letter_id !== null);
    const isAhead = event.sequence > start_sequence && event.sequence > sequence && compileFilter(endpoint)(event);
    const leftOut = sent.standing.find((one) => isOf(one) && one.left_out !== null);
    if (attempts.length === 0 && parked === undefined && dead === undefined && leftOut === undefined && !isAhead)
      return [];
    const state = stateOf(attempts, parked, dead, leftOut);
    return [
      {
        endpoint_id: endpoint.id,
        state,
        next_attempt_at: state === 'retrying' ? (parked?.due_at?.toISOString() ?? null) : null,
        dead_letter_id: dead?.dead_letter_id ?? null,
        attempts,
      },
    ];
  });
}

const parkedStates = { retry: 'retrying', in_flight: 'in_flight', behind: 'waiting' } as const;

function stateOf(
  attempts: readonly Attempt[],
  parked: StandingMessage | undefined,
  dead: StandingMessage | undefined,
  leftOut: StandingMessage | undefined,
): TracedMessage['state'] {
  if (dead !== undefined) return 'dead';
  if (parked?.parked != null) return parkedStates[parked.parked];
  if (attempts.some(({ outcome }) => outcome === 'delivered')) return 'delivered';
  return leftOut?.left_out ?? 'pending';
}

/** What whoever looks for something should look at or do now. */
export function nextSteps(
  events: readonly TracedEvent[],
  endpoints: readonly Endpoint[] | null,
  next: string | null,
): string[] {
  const steps: string[] = [];
  const jobs = [...new Set(events.flatMap(({ job_id }) => job_id ?? []))];
  if (next !== null) steps.push(`More events carry this correlation id: go on with after=${next}.`);
  if (endpoints === null)
    steps.push('What was sent of these events is shown to keys with the scope webhooks:read only.');
  else steps.push(...stepsOfMessages(events, endpoints));
  const [job] = jobs;
  if (job !== undefined)
    steps.push(
      jobs.length === 1
        ? `GET /v1/jobs/${job}/timeline tells the whole life of the job.`
        : `It is about ${jobs.length} jobs on this page; GET /v1/jobs/{job_id}/timeline tells the whole life of each.`,
    );
  return steps;
}

function stepsOfMessages(events: readonly TracedEvent[], endpoints: readonly Endpoint[]): string[] {
  const steps: string[] = [];
  const messages = events.flatMap((event) => (event.messages ?? []).map((message) => ({ event, message })));
  for (const { event, message } of messages) {
    const last = message.attempts.at(-1);
    const why = last?.error == null ? '' : `: ${last.error}`;
    if (message.state === 'dead')
      steps.push(
        `Event ${event.sequence} is a dead letter of ${message.endpoint_id}${why}. Mend the receiver, then POST /v1/dead-letters/${message.dead_letter_id}/redrive.`,
      );
    if (message.state === 'retrying')
      steps.push(
        `${message.endpoint_id} has not taken event ${event.sequence}${why}. It is tried again at ${message.next_attempt_at}; GET /v1/endpoints/${message.endpoint_id}/health tells how the endpoint fares.`,
      );
  }
  for (const { id, status } of endpoints) {
    const held = messages.filter(({ message }) => message.endpoint_id === id && message.state === 'pending').length;
    if (held === 0) continue;
    const remedy =
      status === 'paused'
        ? `it is paused: POST /v1/endpoints/${id}/resume`
        : status === 'unverified'
          ? `it never answered its test: POST /v1/endpoints/${id}/verify`
          : `it is still on its way there: GET /v1/endpoints/${id}/health`;
    steps.push(`${id} has yet to get ${held} of these events: ${remedy}.`);
  }
  if (messages.length === 0)
    steps.push(
      endpoints.length === 0
        ? 'There is no endpoint: POST /v1/endpoints makes one, GET /v1/events reads the log.'
        : 'No endpoint asks for these events: see `types` of GET /v1/endpoints.',
    );
  const leftOut = messages.filter(({ message: { state } }) => state === 'superseded' || state === 'expired').length;
  if (leftOut > 0) steps.push(`${leftOut} of these messages were not sent: see \`worth_sending\` of their endpoints.`);
  else if (messages.length > 0 && steps.length === 0) steps.push(`Every message was delivered (${messages.length}).`);
  return steps;
}
