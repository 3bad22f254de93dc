// The circuit of an endpoint: when it counts as broken, when it is probed, and when it is whole again.
// A line belongs here if it decides that from results alone; the present time is an argument.

export const FAILURES_IN_ROW = 10;
export const JOBS_MIN = 3;
export const SHARE_FAILED = 0.5;
export const SHARE_MESSAGES_MIN = 10;
export const SHARE_SPAN_S = 30;
export const PROBE_FIRST_S = 5;
export const PROBE_LAST_S = 900;
/** A circuit that has been open for so long pauses its endpoint. */
export const BROKEN_MAX_MS = 3 * 86_400_000;

interface Second {
  at_s: number;
  passed: number;
  failed: number;
  /** Distinct jobs that failed; more than JOBS_MIN need not be told apart. */
  jobs: Set<string>;
}

export interface Circuit {
  /** Open: nothing goes out but probes. Proving: a probe passed, the window opens from 1. */
  state: 'closed' | 'open' | 'proving';
  /** When the endpoint broke; stays while proving. */
  open_since: number | null;
  probes: number;
  probe_at: number;
  row: number;
  row_jobs: Set<string>;
  seconds: Second[];
}

export function newCircuit(): Circuit {
  return { state: 'closed', open_since: null, probes: 0, probe_at: 0, row: 0, row_jobs: new Set(), seconds: [] };
}

/** A circuit as it was saved: probed at its time, or at once when that has passed. */
export function restoreCircuit(saved: { open_since: number | null; probes: number; probe_at: number }): Circuit {
  if (saved.open_since === null) return newCircuit();
  return { ...newCircuit(), ...saved, state: 'open' };
}

/** Pause before the next probe: 5 s, doubled each time, up to 15 minutes. */
export function probePauseS(probes: number): number {
  return Math.min(PROBE_FIRST_S * 2 ** Math.min(probes, 20), PROBE_LAST_S);
}

/** Notes the result of one message. Answers true when this result opens the circuit. */
export function noteResult(circuit: Circuit, result: { passed: boolean; job: string; now: number }): boolean {
  if (circuit.state === 'open') return false;
  const second = secondOf(circuit, Math.floor(result.now / 1_000));
  if (result.passed) {
    second.passed++;
    circuit.row = 0;
    if (circuit.row_jobs.size > 0) circuit.row_jobs.clear();
    return false;
  }
  second.failed++;
  if (second.jobs.size < JOBS_MIN) second.jobs.add(result.job);
  circuit.row++;
  if (circuit.row_jobs.size < JOBS_MIN) circuit.row_jobs.add(result.job);
  if (!isBroken(circuit, result.now)) return false;
  open(circuit, result.now);
  return true;
}

/** A probe came back. Passed: the window opens again from 1. Failed: the next probe waits longer. */
export function noteProbe(circuit: Circuit, passed: boolean, now: number): void {
  if (circuit.state !== 'open') return;
  if (passed) {
    circuit.state = 'proving';
    circuit.row = 0;
    circuit.row_jobs.clear();
    circuit.seconds = [];
    return;
  }
  circuit.probes++;
  circuit.probe_at = now + probePauseS(circuit.probes) * 1_000;
}

/** The window has reached its full width again: the endpoint is whole. */
export function closeCircuit(circuit: Circuit): void {
  circuit.state = 'closed';
  circuit.open_since = null;
  circuit.probes = 0;
  circuit.probe_at = 0;
}

/** True when the endpoint has been broken for so long that it is to be paused. */
export function isBeyondRepair(circuit: Circuit, now: number): boolean {
  return circuit.state === 'open' && circuit.open_since !== null && now - circuit.open_since >= BROKEN_MAX_MS;
}

function open(circuit: Circuit, now: number): void {
  // One that breaks while it proves itself goes on with the ladder where it stood.
  if (circuit.state === 'proving') circuit.probes++;
  circuit.state = 'open';
  circuit.open_since ??= now;
  circuit.probe_at = now + probePauseS(circuit.probes) * 1_000;
  circuit.row = 0;
  circuit.row_jobs.clear();
  circuit.seconds = [];
}

function isBroken(circuit: Circuit, now: number): boolean {
  // While it proves itself every message is a probe: two failures in a row are enough.
  if (circuit.state === 'proving' && circuit.row >= 2) return true;
  if (circuit.row >= FAILURES_IN_ROW && circuit.row_jobs.size >= JOBS_MIN) return true;
  let passed = 0;
  let failed = 0;
  const jobs = new Set<string>();
  for (const second of circuit.seconds) {
    if (second.at_s <= Math.floor(now / 1_000) - SHARE_SPAN_S) continue;
    passed += second.passed;
    failed += second.failed;
    for (const job of second.jobs) jobs.add(job);
  }
  const all = passed + failed;
  return all >= SHARE_MESSAGES_MIN && failed >= all * SHARE_FAILED && jobs.size >= JOBS_MIN;
}

function secondOf(circuit: Circuit, at_s: number): Second {
  const last = circuit.seconds.at(-1);
  if (last !== undefined && last.at_s >= at_s) return last;
  const second = { at_s, passed: 0, failed: 0, jobs: new Set<string>() };
  circuit.seconds.push(second);
  if (circuit.seconds.length > SHARE_SPAN_S) circuit.seconds.shift();
  return second;
}
