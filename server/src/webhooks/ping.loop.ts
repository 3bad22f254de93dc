// endpoint.test as the sender sends it to one endpoint: as a handshake until the endpoint is verified, and as a probe of
// one that is broken and has no message to be probed with.

import type { Answer, Flight } from '../destinations/destination.ts';
import { probePauseS } from './circuit.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import { formatMessage } from './message-format.ts';
import type { Surroundings } from './surroundings.loop.ts';
import { TEST_TYPE, testSubject, writeTestEvent } from './test-event.ts';

/** A command of the sender that could not be committed is tried again after this. */
export const COMMIT_RETRY_MS = 5_000;
/** An endpoint that never answered is tested for so long. */
const HANDSHAKE_MAX_MS = 3 * 86_400_000;

export class Pings {
  readonly #run: EndpointRun;
  readonly #around: Surroundings;
  #flight: Flight | null = null;
  #tries = 0;
  /** When the next handshake may be made. */
  handshakeAt = 0;

  constructor(run: EndpointRun, around: Surroundings) {
    this.#run = run;
    this.#around = around;
  }

  get isUnderWay(): boolean {
    return this.#flight !== null;
  }

  callOff(): void {
    this.#flight?.callOff();
  }

  /** There is another address to shake hands with. */
  startAgain(now: number): void {
    this.#tries = 0;
    this.handshakeAt = now;
  }

  shakeHands(now: number): void {
    const { url, status_since } = this.#run.config.endpoint;
    const isTooLate = now - Date.parse(status_since) > HANDSHAKE_MAX_MS;
    if (this.isUnderWay || now < this.handshakeAt || isTooLate || !this.#around.turns.isOpenTo(this.#run)) return;
    this.#around.turns.note(this.#run);
    this.send(now, (answer) => {
      const { endpoint } = this.#run.config;
      if (endpoint.url !== url || endpoint.status !== 'unverified') return;
      const isAnswered = answer.outcome === 'delivered';
      const pauseMs = isAnswered ? COMMIT_RETRY_MS : probePauseS(this.#tries++) * 1_000;
      this.handshakeAt = this.#around.now() + pauseMs;
      if (isAnswered) void this.#around.commitVerified(this.#run);
    });
  }

  send(now: number, onAnswer: (answer: Answer) => void): void {
    const [run, around] = [this.#run, this.#around];
    const { endpoint, share, tenant_id, world } = run.config;
    if (!around.holds(share)) return;
    const event_id = around.mintEventId();
    const at = new Date(now).toISOString();
    const text = writeTestEvent({ event_id, now: at, correlation_id: event_id, tenant_id, world, endpoint });
    const made = formatMessage(
      Buffer.from(text),
      { format: endpoint.format, transform: null },
      testSubject(endpoint, text),
    );
    const said = { event_id, type: TEST_TYPE, sequence: 0, attempt: 1, correlation_id: event_id };
    const subject = {
      ...said,
      traceparent: null,
      recorded_at: null,
      redrive: null,
      replay: null,
      bytes: made.body.length,
    };
    const cause = { event_id, type: TEST_TYPE, key: endpoint.id, attempt: 1, trace: null };
    this.#flight = run.post(cause, made, ['waypost-attempt', '1'], now, (answer) => {
      this.#flight = null;
      if (run.isStopped) return;
      run.outbox.attempt(subject, answer, now);
      around.onAttempt(run, subject, answer);
      around.changed(run);
      onAnswer(answer);
      run.wake(around.now());
    });
  }
}
