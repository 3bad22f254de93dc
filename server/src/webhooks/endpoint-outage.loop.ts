// An endpoint that is broken, or has to rest: its circuit, the probes by which it is found whole again, and its pause. A
// line belongs here if it acts on the circuit; when that opens and closes is decided in circuit.ts.

import {
  type Circuit,
  closeCircuit,
  isBeyondRepair,
  newCircuit,
  noteProbe,
  noteResult,
  restoreCircuit,
} from './circuit.ts';
import type { EndpointRun } from './endpoint.loop.ts';
import type { Message } from './lane.ts';
import type { LogItem } from './log-item.ts';
import { COMMIT_RETRY_MS } from './ping.loop.ts';
import type { SavedEndpoint, Surroundings } from './surroundings.loop.ts';

/** Why the sender itself pauses an endpoint. */
export type PauseCause = 'gone' | 'receiver' | 'broken';

export class EndpointOutage {
  circuit: Circuit;
  readonly #run: EndpointRun;
  readonly #around: Surroundings;
  /** The message that a broken endpoint is probed with. */
  #probing: Message<LogItem> | null = null;
  #pausing: PauseCause | null = null;
  #commitAt = 0;

  constructor(run: EndpointRun, saved: SavedEndpoint['circuit'], around: Surroundings) {
    this.#run = run;
    this.#around = around;
    this.circuit = restoreCircuit(saved);
  }

  /** Nothing goes out but probes. */
  get isOpen(): boolean {
    return this.circuit.state === 'open';
  }

  /** It is to be paused, and nothing more is sent: the command that says so may have to be tried again. */
  get isPausing(): boolean {
    return this.#pausing !== null;
  }

  /** The result of a message. One that was asked to be the last says nothing about the circuit. */
  note(message: Message<LogItem>, result: { passed: boolean; job: string; now: number }, isLast: boolean): void {
    if (message === this.#probing) this.#onProbe(result.passed, result.now);
    else if (!isLast) noteResult(this.circuit, result);
  }

  /** The attempt was called off, and says nothing. */
  forget(message: Message<LogItem>): void {
    if (message === this.#probing) this.#probing = null;
  }

  /** As much is in flight as ever: the endpoint is whole. */
  close(): void {
    if (this.circuit.state === 'proving') closeCircuit(this.circuit);
  }

  /** Another job's oldest message or, when there is none, a signed endpoint.test. */
  probe(now: number): void {
    const { pings, settling, window } = this.#run;
    if (isBeyondRepair(this.circuit, now)) {
      this.pause('broken', now);
      return;
    }
    if (now < this.circuit.probe_at || pings.isUnderWay || this.#probing !== null) return;
    if (!this.#around.turns.isOpenTo(this.#run)) return;
    this.#around.turns.note(this.#run);
    let next = window.takeProbe(now);
    while (next !== null && settling.leavesOut(next.message, now)) next = window.takeProbe(now);
    if (next !== null && this.#run.trySend(next)) {
      // One that is too large is a dead letter by now, and tells nothing: the next is the probe.
      if (next.message.state === 'in_flight') this.#probing = next.message;
      return;
    }
    if (next !== null) window.putBack(next.message, now);
    pings.send(now, (answer) => this.#onProbe(answer.outcome === 'delivered', this.#around.now()));
  }

  /** It is told to go on, or made whole: what failed before is tried at once. */
  recover(now: number): void {
    if (this.isOpen) this.circuit = newCircuit();
    this.#run.settling.recover(now);
  }

  pause(cause: PauseCause, now: number): void {
    if (this.isPausing) return;
    this.#pausing = cause;
    this.#run.callOff();
    this.commitPause(now);
  }

  /** Nothing is sent from now on, whether or not the command goes through at the first try. */
  commitPause(now: number): void {
    if (this.#pausing === null || now < this.#commitAt) return;
    this.#commitAt = now + COMMIT_RETRY_MS;
    void this.#around.commitPaused(this.#run, this.#pausing);
  }

  /** The pause is committed, or somebody decided otherwise meanwhile. */
  forgetPause(): void {
    this.#pausing = null;
    this.#commitAt = 0;
  }

  /** When it has something to do; null while it waits for an answer. */
  wakeAt(): number | null {
    if (this.isPausing) return this.#commitAt;
    return this.#run.pings.isUnderWay || this.#probing !== null ? null : this.circuit.probe_at;
  }

  #onProbe(isPassed: boolean, now: number): void {
    this.#probing = null;
    noteProbe(this.circuit, isPassed, now);
    if (this.circuit.state === 'proving') {
      this.recover(now);
      this.#run.narrow();
    }
    this.#around.changed(this.#run);
  }
}
