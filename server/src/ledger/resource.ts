// Resources that are one document each (a customer, an address, a driver, a hub): the rules that all of them share.
// A line belongs here if it holds for every such resource; what is special about one lives with its noun.

import type { Fault } from '../errors.ts';
import { WaypostError } from '../errors.ts';
import type { Accepted, Decision, EventDraft, Instant, Kind, Moment, Put, WorkingSet } from './command.ts';
import { DOCUMENT } from './command.ts';
import { digestOf, type Fingerprint, sameRequest } from './fingerprint.ts';
import { type Documented, diffDocuments, documentOf } from './resource-document.ts';

/** Members that the rules set in every document of a resource. */
export interface Base {
  id: string;
  version: number;
  created_at: Instant;
  updated_at: Instant;
}

/** A resource as it is loaded and written: its document, and the columns by which it is found. */
export interface Stored<D extends Base> {
  document: D;
  /** The caller's own number of it, unique in its world while it is not deleted. */
  external_id: string | null;
  /** What it belongs to: an address to its customer, a driver to a hub. */
  parent_id: string | null;
  status: string | null;
  deleted_at: Instant | null;
  /** Of the request that made it; null when nothing may be compared with it (any more). */
  fingerprint: Buffer | null;
  /** The last event about it, and that event's hash; null while that event belongs to the same batch. */
  event_id: string | null;
  hash: string | null;
}

/** What distinguishes one resource from another, as far as rules are concerned. */
export interface ResourceRules<D extends Base> extends Documented<D> {
  path: string;
  externalIdOf(document: D): string | null;
  parentOf(document: D): string | null;
  statusOf(document: D): string | null;
}

/** A resource with the kinds under which the ledger loads and writes it (made by resource.store.ts). */
export interface Resource<D extends Base> extends ResourceRules<D> {
  kind: Kind<Stored<D>>;
  /** The index from `external_id` to id; null as a value: free again. */
  externalIdKind: Kind<string | null>;
}

/** What a request to make, change or delete carries besides its body. */
export interface Request {
  fingerprint: Fingerprint;
  if_match: number | null;
}

export type Refs = { kind: Kind<unknown>; key: string }[];

/** Rounds of loading, as a command states them. */
export type Loads = ((set: WorkingSet) => Refs)[];

/** One thing to be loaded. */
export function refTo<V>(kind: Kind<V>, key: string): { kind: Kind<unknown>; key: string } {
  return { kind: kind as Kind<unknown>, key };
}

/** First round: who has this number. */
export function externalIdRefs<D extends Base>(resource: Resource<D>, external_id: string | null | undefined): Refs {
  return external_id == null ? [] : [refTo(resource.externalIdKind, external_id)];
}

/** Second round: the resource that has it. */
export function externalIdHolderRefs<D extends Base>(
  resource: Resource<D>,
  set: WorkingSet,
  external_id: string | null | undefined,
): Refs {
  const id = external_id == null ? null : (set.get(resource.externalIdKind, external_id) ?? null);
  return id === null ? [] : [refTo(resource.kind, id)];
}

/** Finds a resource in the working set or says 404. */
export function requireResource<D extends Base>(resource: Resource<D>, set: WorkingSet, id: string): Stored<D> {
  const stored = set.get(resource.kind, id);
  if (stored === undefined || stored.deleted_at !== null) {
    throw new WaypostError('not_found', `There is no ${resource.noun} with the id ${id}.`);
  }
  return stored;
}

/** Compares `If-Match` with the version as it is now. */
export function requireVersion(document: Pick<Base, 'version'>, if_match: number | null): void {
  if (if_match === null || if_match === document.version) return;
  throw new WaypostError(
    'stale_version',
    `The version is ${document.version} now, the request was made for ${if_match}.`,
    { extra: { current_version: document.version } },
  );
}

/** What else a command does beside writing the resource. */
export interface Aside {
  puts?: readonly Put[];
  subjects?: readonly string[];
  erased?: readonly string[];
}

/** A new resource; a repeat of the request that made one is answered with what stands, another is 409. */
export function createResource<D extends Base>(
  resource: Resource<D>,
  set: WorkingSet,
  document: D,
  request: Request,
  aside: Aside = {},
): Decision {
  const external_id = resource.externalIdOf(document);
  // Without what is told of single members, some of which are personal.
  const fingerprint = external_id === null ? null : Buffer.from(digestOf(request.fingerprint.bytes));
  const holderId = external_id === null ? null : (set.get(resource.externalIdKind, external_id) ?? null);
  if (holderId !== null) {
    const holder = set.get(resource.kind, holderId);
    const made = holder?.fingerprint ?? null;
    if (holder !== undefined && made !== null && sameRequest(made, request.fingerprint))
      return unchanged(resource, holder);
    throw duplicateOf(resource, holderId, holder === undefined ? [] : differingMembers(holder.document, document));
  }
  const stored: Stored<D> = {
    document,
    external_id,
    parent_id: resource.parentOf(document),
    status: resource.statusOf(document),
    deleted_at: null,
    fingerprint,
    event_id: null,
    hash: null,
  };
  return {
    events: [draftEvent(resource, 'created', document, null)],
    puts: [...putsOf(resource, stored, null), ...(aside.puts ?? [])],
    reply: { status: 201, body: DOCUMENT, version: document.version, location: `${resource.path}/${document.id}` },
    ...(aside.subjects && { subjects: aside.subjects }),
  };
}

/** Names members, never their values: those of the other may be personal. */
function differingMembers(standing: Base, wanted: Base): string[] {
  const made = ['id', 'created_at'];
  return Object.keys(diffDocuments(standing, wanted)).filter((pointer) => !made.includes(pointer));
}

function duplicateOf<D extends Base>(resource: Resource<D>, holderId: string, differing: string[]): WaypostError {
  const extra = { existing_id: holderId, differing: differing.map((pointer) => `/${pointer}`) };
  return new WaypostError('duplicate_external_id', `The ${resource.noun} ${holderId} has this external_id already.`, {
    extra,
  });
}

/** Nothing is to be changed: the reply is what stands, and no event is written. */
export function unchanged<D extends Base>(resource: Resource<D>, stored: Stored<D>): Accepted {
  return {
    events: [],
    puts: [],
    reply: {
      status: 200,
      body: DOCUMENT,
      version: stored.document.version,
      location: null,
      document: documentOf(resource, stored.document),
      ...(stored.event_id !== null && { event_id: stored.event_id }),
    },
  };
}

/** What happens to a resource that exists: the last word of its event type. */
export type Happening = 'updated' | 'deleted' | 'erased';

/** Writes `after` in the place of what is stored. Version and updated_at are set here, and only if anything differs. */
export function changeResource<D extends Base>(
  resource: Resource<D>,
  set: WorkingSet,
  moment: Moment,
  stored: Stored<D>,
  after: D,
  happening: Happening,
  aside: Aside = {},
): Decision {
  const before = stored.document;
  if (Object.keys(diffDocuments(before, after)).length === 0) return unchanged(resource, stored);
  const document: D = { ...after, version: before.version + 1, updated_at: moment.now };
  const external_id = resource.externalIdOf(document);
  if (external_id !== null && external_id !== stored.external_id) {
    const holderId = set.get(resource.externalIdKind, external_id) ?? null;
    if (holderId !== null && holderId !== document.id) throw duplicateOf(resource, holderId, ['external_id']);
  }
  const gone = happening !== 'updated';
  const next: Stored<D> = {
    ...stored,
    document,
    external_id,
    parent_id: resource.parentOf(document),
    status: resource.statusOf(document),
    deleted_at: happening === 'deleted' ? moment.now : null,
    fingerprint: gone ? null : stored.fingerprint,
    event_id: null,
    hash: null,
  };
  return {
    events: [draftEvent(resource, happening, document, stored)],
    puts: [...putsOf(resource, next, stored), ...(aside.puts ?? [])],
    reply: {
      ...(happening === 'deleted'
        ? { status: 204, body: null, version: null }
        : { status: 200, body: DOCUMENT, version: document.version }),
      location: null,
    },
    ...(aside.erased && { erased: aside.erased }),
  };
}

function putsOf<D extends Base>(resource: Resource<D>, stored: Stored<D>, before: Stored<D> | null): Put[] {
  const puts: Put[] = [
    { kind: resource.kind as Kind<unknown>, key: stored.document.id, value: stored, document_of: stored.document.id },
  ];
  const index = resource.externalIdKind as Kind<unknown>;
  const held = stored.deleted_at === null ? stored.external_id : null;
  const heldBefore = before?.external_id ?? null;
  if (heldBefore !== null && heldBefore !== held) puts.push({ kind: index, key: heldBefore, value: null });
  if (held !== null && heldBefore !== held) puts.push({ kind: index, key: held, value: stored.document.id });
  return puts;
}

function draftEvent<D extends Base>(
  resource: Resource<D>,
  happening: Happening | 'created',
  document: D,
  before: Stored<D> | null,
): EventDraft {
  return {
    type: `${resource.noun}.${happening}`,
    topics: [],
    data_id: document.id,
    job_id: null,
    job_sequence: null,
    channel_id: null,
    document: documentOf(resource, document),
    changes: before === null ? {} : diffDocuments(before.document, document),
    occurred_at: null,
    effective_at: null,
    implied: false,
    applied: true,
    causation_id: null,
    previous_hash: before?.hash ?? null,
  };
}

/** Throws 422 with every fault at once when there is any. */
export function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length > 0)
    throw new WaypostError('invalid_request', 'The request breaks rules of its resource.', { faults });
}

/** Throws 422 when the request names things that do not exist. */
export function refuseUnknown(faults: readonly Fault[]): void {
  if (faults.length > 0)
    throw new WaypostError('unknown_reference', 'The request names what does not exist.', { faults });
}

/** A fault when the request names a resource that does not exist; none when it names nothing. */
export function checkReference<D extends Base>(
  resource: Resource<D>,
  set: WorkingSet,
  id: string | null | undefined,
  pointer: string,
): Fault[] {
  if (id == null) return [];
  const stored = set.get(resource.kind, id);
  if (stored !== undefined && stored.deleted_at === null) return [];
  return [{ pointer, code: 'unknown_reference', message: `names a ${resource.noun} that does not exist` }];
}

/** What `checkReference` needs loaded. */
export function referenceRefs<D extends Base>(resource: Resource<D>, id: string | null | undefined): Refs {
  return id == null ? [] : [refTo(resource.kind, id)];
}
