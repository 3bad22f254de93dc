// What the rules of every resource begin with: what is loaded to make or change one, and the one that is changed. A line
// belongs here if those of several rooms say it.

import type { WorkingSet } from './command.ts';
import {
  type Base,
  externalIdHolderRefs,
  externalIdRefs,
  type Loads,
  type Refs,
  type Request,
  type Resource,
  refTo,
  requireResource,
  requireVersion,
  type Stored,
} from './resource.ts';

type ExternalId = string | null | undefined;

/** To make one: whoever has its external id already, and `more`. */
export function loadsForNew<D extends Base>(resource: Resource<D>, external_id: ExternalId, more: Refs = []): Loads {
  return [
    () => [...more, ...externalIdRefs(resource, external_id)],
    (set) => externalIdHolderRefs(resource, set, external_id),
  ];
}

/** To change one: itself, whoever has its new external id already, and `more`. */
export function loadsForChange<D extends Base>(
  resource: Resource<D>,
  id: string,
  external_id: ExternalId,
  more: Refs = [],
): Loads {
  return loadsForNew(resource, external_id, [refTo(resource.kind, id), ...more]);
}

/** The one that is changed, as whoever asks has seen it (`If-Match`). */
export function requireCurrent<D extends Base>(
  resource: Resource<D>,
  set: WorkingSet,
  id: string,
  { if_match }: Pick<Request, 'if_match'>,
): Stored<D> {
  const stored = requireResource(resource, set, id);
  requireVersion(stored.document, if_match);
  return stored;
}
