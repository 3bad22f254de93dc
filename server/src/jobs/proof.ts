// Proof: what a capture is worth, and whether what was asked for is there. A line belongs here if it judges evidence.
// Photos and signatures count by their SHA-256 at once; their bytes may come later, until then the media is `pending`.

import type { Fault } from '../errors.ts';
import { WaypostError } from '../errors.ts';
import type { Instant } from '../ledger/command.ts';
import type { Location } from '../parties/fields.ts';
import { distanceM, readClock } from './clock.ts';
import { PIN_TRIES_MAX, pinMatches } from './pin.ts';
import type { Progress } from './progress.ts';
import { findTask, mapTasks } from './progress.ts';
import type { Proof, ProofKind, RequirementSet } from './proof.schema.ts';
import { factsOf, type ReasonCode } from './reason-codes.ts';
import type { Task } from './task.schema.ts';
import type { ProofInput, TransitionInput } from './transition.schema.ts';
import { addProofIds } from './visit.ts';

/** Farther from the stop than this, beyond what the fix itself is unsure of, a capture is flagged. */
export const FAR_FROM_STOP_M = 500;

/** Which members say something in a proof of which kind; all others say something in any. */
const membersOfKinds = {
  media: ['photo', 'signature'],
  signer: ['signature'],
  code: ['pin', 'barcode'],
  id_check: ['id_check'],
  cash: ['cash'],
  reading: ['temperature'],
} as const satisfies Partial<Record<keyof ProofInput, readonly ProofKind[]>>;

/** Members of another kind of proof: nothing would judge them. */
export function findUnjudged(proofs: readonly ProofInput[]): Fault[] {
  const members = Object.keys(membersOfKinds) as (keyof typeof membersOfKinds)[];
  return proofs.flatMap((proof, index) =>
    members
      .filter((member) => proof[member] !== undefined && !isOfKind(member, proof.kind))
      .map((member) => ({
        pointer: `/proof/${index}/${member}`,
        code: 'not_read',
        message: `${member} says nothing in a proof of kind ${proof.kind}: leave it out, or send it as a proof of kind ${membersOfKinds[member].join(' or ')}.`,
      })),
  );
}

function isOfKind(member: keyof typeof membersOfKinds, kind: ProofKind): boolean {
  return (membersOfKinds[member] as readonly ProofKind[]).includes(kind);
}

/** The request's proof, judged: what each capture shows is settled before it is known whether the transition fits. */
export function captureProofs(progress: Progress, task: Task, input: TransitionInput): Proof[] {
  const proofs = (input.proof ?? []).map((one) => captureProof(progress, task, one, input));
  // A note that belongs to no ending visit is evidence like any other.
  const isKeptWithVisit = input.to === 'completed' || input.to === 'failed' || input.to === 'corrected';
  if (input.note !== undefined && !isKeptWithVisit) {
    proofs.push(captureProof(progress, task, { kind: 'note', note: input.note }, input));
  }
  return proofs;
}

/** One note about a task, such as a dispatcher writes into a case. */
export function captureNote(progress: Progress, task: Task, note: string): Proof {
  return captureProof(progress, task, { kind: 'note', note }, { to: 'exception' });
}

function captureProof(progress: Progress, task: Task, input: ProofInput, of: TransitionInput): Proof {
  const { context, clock } = progress;
  const place = placeOf(input.location ?? of.location);
  const captured =
    input.captured_at === undefined ? clock : readClock(input.captured_at, of.sent_at ?? null, context.now);
  const distance = place === null || task.address.location === null ? null : distanceM(place, task.address.location);
  const isFar = distance !== null && distance > FAR_FROM_STOP_M + (place?.accuracy_m ?? 0);
  return {
    id: context.mint('prf'),
    job_id: task.job_id,
    task_ids: input.task_ids ?? [task.id],
    visit: null,
    kind: input.kind,
    captured_at: captured.occurred_at,
    received_at: context.now,
    effective_at: captured.effective_at,
    location: place,
    distance_to_stop_m: distance === null ? null : Math.round(distance),
    actor: context.actor,
    media: (input.media ?? []).map((one) => ({ file_id: null, ...one, status: 'pending' as const })),
    signer:
      input.signer === undefined ? null : { name: input.signer.name, relationship: input.signer.relationship ?? null },
    code: null,
    id_check: input.id_check === undefined ? null : { minimum_age: null, document_kind: null, ...input.id_check },
    cash: input.cash === undefined ? null : { method: null, ...input.cash },
    reading: input.reading ?? null,
    note: input.note ?? null,
    reason_code: input.reason_code ?? null,
    flags: [
      ...(isFar ? (['far_from_stop'] as const) : []),
      ...(clock.flags.includes('skewed_clock') ? (['skewed_clock'] as const) : []),
    ],
    requirements_version: task.proof_requirements.version,
    supersedes: null,
    ...judge(
      progress,
      task,
      input,
      of.to === 'failed' ? task.proof_requirements.on_failure : task.proof_requirements.on_completion,
    ),
  };
}

function placeOf(stated: TransitionInput['location']): Location | null {
  return stated === undefined ? null : { lat: stated.lat, lng: stated.lng, accuracy_m: stated.accuracy_m ?? null };
}

type Judgement = Pick<Proof, 'result'> & Partial<Pick<Proof, 'code'>>;

/** What a capture is worth. Nothing is refused here: a capture that shows nothing is kept as `failed`. */
function judge(progress: Progress, task: Task, input: ProofInput, asked: RequirementSet): Judgement {
  if (input.result === 'skipped') return { result: 'skipped' };
  if (input.result === 'waived') return { result: mayWaive(progress.context.authority) ? 'waived' : 'skipped' };
  const as = (shown: boolean): Judgement => ({ result: !shown ? 'failed' : (input.result ?? 'satisfied') });
  switch (input.kind) {
    case 'photo':
      return as((input.media?.length ?? 0) > 0);
    case 'signature':
      return as(input.signer !== undefined);
    case 'note':
      return as(input.note !== undefined);
    case 'pin':
      return judgePin(progress, task, input);
    case 'barcode': {
      const value = input.code?.value ?? null;
      const expected = asked.barcode?.values ?? [];
      const match = value === null || expected.length === 0 ? null : expected.includes(value);
      const code = { symbology: input.code?.symbology ?? null, value, expected: match === true ? value : null, match };
      return { ...as(value !== null && match !== false), code };
    }
    case 'id_check': {
      const least = asked.id_check?.minimum_age ?? null;
      return as(input.id_check?.verified === true && (least === null || (input.id_check.minimum_age ?? 0) >= least));
    }
    case 'cash': {
      const due = task.cash_on_delivery;
      const isPaid =
        due === null || (input.cash?.amount_minor === due.amount_minor && input.cash.currency === due.currency);
      return as(input.cash !== undefined && isPaid);
    }
    case 'temperature':
      return as(input.reading !== undefined && isWithin(input.reading.celsius, asked.temperature));
  }
}

/** Nobody but dispatch can do without what was asked for. */
function mayWaive(authority: string): boolean {
  return authority === 'dispatch' || authority === 'system';
}

function isWithin(value: number, range: { min_c: number | null; max_c: number | null } | undefined): boolean {
  return value >= (range?.min_c ?? -Infinity) && value <= (range?.max_c ?? Infinity);
}

/** A wrong PIN costs a try, whatever becomes of the transition; after the last one even the right one is refused. */
function judgePin(progress: Progress, task: Task, input: ProofInput): Judgement {
  const stored = progress.pins.get(task.id) ?? progress.context.pinOf(task.id);
  const code = { symbology: null, value: null, expected: null, match: null };
  if (stored === undefined || input.code === undefined) return { result: 'failed', code };
  if (stored.tries >= triesMaxOf(task)) return { result: 'failed', code: { ...code, match: false } };
  const match = pinMatches(progress.context.pin_key, task.id, input.code.value, stored.hash);
  if (!match) progress.pins.set(task.id, { ...stored, tries: stored.tries + 1 });
  return { result: match ? 'satisfied' : 'failed', code: { ...code, match } };
}

function triesMaxOf(task: Task): number {
  const { on_completion, on_failure } = task.proof_requirements;
  return Math.min(PIN_TRIES_MAX, on_completion.pin?.tries_max ?? on_failure.pin?.tries_max ?? PIN_TRIES_MAX);
}

/** Puts captures where they belong: into each task that they prove, at the visit under way there. */
export function attachProofs(job: Progress['job'], proofs: readonly Proof[]): Progress['job'] {
  if (proofs.length === 0) return job;
  return mapTasks(job, (task) => {
    const own = proofs.filter((proof) => proof.task_ids.includes(task.id));
    if (own.length === 0) return task;
    const visit = task.visits.at(-1) ?? null;
    const placed = own.map((proof) => ({
      ...proof,
      visit: visit?.number ?? null,
      supersedes: supersededBy(task, proof.kind),
      flags: isBeforeArrival(proof.effective_at, visit?.arrived_at ?? null)
        ? [...proof.flags, 'before_arrival' as const]
        : proof.flags,
    }));
    return addProofIds(
      { ...task, proofs: [...task.proofs, ...placed] },
      placed.map((proof) => proof.id),
    );
  });
}

function isBeforeArrival(at: Instant, arrived_at: Instant | null): boolean {
  return arrived_at === null || at < arrived_at;
}

/** After an ending was undone, what is captured again takes the place of what was captured then. */
function supersededBy(task: Task, kind: ProofKind): string | null {
  const [undone, visit] = task.visits.slice(-2);
  if (undone === undefined || visit === undefined || undone.arrived_at === null) return null;
  if (undone.arrived_at !== visit.arrived_at || undone.en_route_at !== visit.en_route_at) return null;
  return task.proofs.findLast((proof) => proof.kind === kind && proof.visit === undone.number)?.id ?? null;
}

/** Tasks that a proof names must be of this job. */
export function findForeignTasks(progress: Progress, input: TransitionInput): Fault[] {
  return (input.proof ?? []).flatMap(({ task_ids }, index) =>
    (task_ids ?? []).flatMap((id, place) =>
      findTask(progress.job, id) === undefined
        ? [
            {
              pointer: `/proof/${index}/task_ids/${place}`,
              code: 'unknown_reference',
              message: `The job has no task ${id}.`,
            },
          ]
        : [],
    ),
  );
}

/** Required kinds that the visit under way does not show, each with what is missing about it. */
export function findMissingProof(task: Task, asked: RequirementSet): Fault[] {
  const visit = task.visits.at(-1)?.number ?? null;
  const captured = task.proofs.filter((proof) => proof.visit === visit);
  return (Object.keys(asked) as (keyof RequirementSet)[]).flatMap((kind) => {
    if (asked[kind]?.level !== 'required') return [];
    const own = captured.filter((proof) => proof.kind === kind);
    if (own.some((proof) => proof.result === 'waived')) return [];
    const message = whatIsMissing(
      kind,
      own.filter((proof) => proof.result === 'satisfied' || proof.result === 'manual_entry'),
      asked,
    );
    if (message === null) return [];
    const isFailed = own.some((proof) => proof.result === 'failed');
    return [
      {
        pointer: '/proof',
        code: `${kind}_missing`,
        message: isFailed ? `${message} ${whyFailed(kind, task, asked)}` : message,
      },
    ];
  });
}

function whatIsMissing(kind: keyof RequirementSet, shown: readonly Proof[], asked: RequirementSet): string | null {
  if (kind === 'photo') {
    const [min, count] = [asked.photo?.min ?? 1, shown.reduce((sum, proof) => sum + proof.media.length, 0)];
    return count >= min ? null : `${min} photo(s) are required, ${count} were captured.`;
  }
  if (kind === 'barcode') {
    const read = new Set(shown.map((proof) => proof.code?.value));
    const unread = (asked.barcode?.values ?? []).filter((value) => !read.has(value));
    if (unread.length > 0) return `These codes were not read: ${unread.join(', ')}.`;
  }
  return shown.length > 0 ? null : `A proof of kind ${kind} is required.`;
}

/** Why a capture that was sent does not count. */
function whyFailed(kind: keyof RequirementSet, task: Task, asked: RequirementSet): string {
  const due = task.cash_on_delivery;
  const { minimum_age } = asked.id_check ?? {};
  const { min_c, max_c } = asked.temperature ?? {};
  switch (kind) {
    case 'photo':
      return 'A photo counts by its media, with the SHA-256 of the file.';
    case 'signature':
      return 'A signature counts with its signer.';
    case 'id_check':
      return `An id_check counts with verified: true${minimum_age == null ? '' : ` and a minimum_age of ${minimum_age} or more`}.`;
    case 'cash':
      return `Cash counts with ${due === null ? 'an amount' : `amount_minor ${due.amount_minor} and currency ${due.currency}`}.`;
    case 'temperature':
      return `A reading counts from ${min_c ?? 'any'} to ${max_c ?? 'any'} °C.`;
    default:
      return 'What was sent does not show it.';
  }
}

/** What the code itself asks for: a photo or words that say what happened. */
export function findMissingEvidence(
  task: Task,
  code: ReasonCode,
  note: string | null,
  proofs: readonly Proof[],
): Fault[] {
  const visit = task.visits.at(-1)?.number ?? null;
  const known = [...task.proofs.filter((proof) => proof.visit === visit && visit !== null), ...proofs];
  return factsOf(code).requires.flatMap((kind) => {
    if (known.some((proof) => proof.kind === kind && proof.result !== 'failed' && proof.result !== 'skipped'))
      return [];
    if (kind === 'note' && note !== null) return [];
    return [
      {
        pointer: kind === 'note' ? '/note' : '/proof',
        code: `${kind}_missing`,
        message: `The code ${code} needs a ${kind}.`,
      },
    ];
  });
}

/** Refuses when proof is missing; a wrong PIN is told as such. */
export function requireProof(faults: readonly Fault[], captured: readonly Proof[], triesLeft: number | null): void {
  if (faults.length === 0) return;
  const isWrongPin = captured.some((proof) => proof.kind === 'pin' && proof.code?.match === false);
  if (isWrongPin && faults.some((fault) => fault.code === 'pin_missing')) {
    throw pinRejected(faults, triesLeft ?? 0);
  }
  throw new WaypostError(
    'missing_proof',
    `Required proof is missing: ${faults.map((fault) => fault.code).join(', ')}.`,
    { faults },
  );
}

/** After the last try the PIN is not looked at any more: whether it was right is not said. */
function pinRejected(missing: readonly Fault[], tries_left: number): WaypostError {
  const message =
    tries_left === 0
      ? 'No tries are left for this PIN: dispatch can waive it (result: waived), or the visit fails with pin_failed.'
      : `The PIN is wrong; ${tries_left === 1 ? '1 try is' : `${tries_left} tries are`} left.`;
  const faults = missing.map((fault) =>
    fault.code === 'pin_missing' ? { ...fault, code: 'pin_rejected', message } : fault,
  );
  return new WaypostError('pin_rejected', message, { faults, extra: { tries_left } });
}

/** Tries that are left for the PIN of a task; null when it has none. */
export function triesLeftOf(progress: Progress, task: Task): number | null {
  const stored = progress.pins.get(task.id) ?? progress.context.pinOf(task.id);
  return stored === undefined ? null : Math.max(0, triesMaxOf(task) - stored.tries);
}

/** Proof that is done without, by someone who may: each kind that is missing is recorded as waived. */
export function waiveProof(progress: Progress, task: Task, faults: readonly Fault[]): Proof[] {
  return faults.map(({ code }) => {
    const kind = code.slice(0, -'_missing'.length) as ProofKind;
    const note = captureNote(progress, task, '-');
    return { ...note, kind, note: null, result: 'waived' as const };
  });
}
