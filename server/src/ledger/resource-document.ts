// The document of a resource: what of it is personal, and what differs between two states of it. A line belongs here if
// it looks into a document without knowing which resource it is.

import type { Document, Hole } from './command.ts';

/** Which members are personal, by pointer without its first slash, and how each is masked. */
export type PersonalMembers = Readonly<Record<string, 'value' | 'phone' | 'email'>>;

export interface Documented<D> {
  /** Member name under `data`, first word of its event types, and its word in messages. */
  noun: string;
  personal: PersonalMembers;
  /** Whose key seals the personal members. */
  subjectOf(document: D): string;
}

/** The document as the ledger wants it, with its personal members marked. */
export function documentOf<D extends object>(resource: Documented<D>, document: D): Document<D> {
  const subjectId = resource.subjectOf(document);
  return {
    name: resource.noun,
    value: document,
    cut: (value, hole) => cutMembers(value, resource.personal, subjectId, hole) as object,
    cutChange: (pointer, _value, hole) => {
      const under = membersUnder(pointer, resource.personal);
      return under === null ? null : (changed) => cutValue(changed, under, subjectId, hole);
    },
  };
}

/** A copy of `value` with `hole(…)` in the place of each personal member that is not null. */
export function cutMembers(value: object, members: PersonalMembers, subjectId: string, hole: Hole): object {
  return cutValue(value, members, subjectId, hole) as object;
}

function cutValue(value: unknown, members: PersonalMembers, subjectId: string, hole: Hole): unknown {
  if (value === null || value === undefined) return value;
  const whole = members[''];
  if (whole !== undefined) return hole(whole, subjectId, value);
  if (typeof value !== 'object') return value;
  const copy: Record<string, unknown> = { ...value };
  for (const name of new Set(Object.keys(members).map((pointer) => pointer.split('/')[0] ?? ''))) {
    const under = membersUnder(name, members);
    if (name in copy && under !== null) copy[name] = cutValue(copy[name], under, subjectId, hole);
  }
  return copy;
}

/** The personal members at or below a pointer, as seen from there; '' names the value itself. */
function membersUnder(pointer: string, members: PersonalMembers): PersonalMembers | null {
  const under: Record<string, 'value' | 'phone' | 'email'> = {};
  for (const [member, kind] of Object.entries(members)) {
    if (pointer === member || pointer.startsWith(`${member}/`)) under[''] = kind;
    else if (member.startsWith(`${pointer}/`)) under[member.slice(pointer.length + 1)] = kind;
  }
  return Object.keys(under).length === 0 ? null : under;
}

/** Pointer → [before, after] of what differs, inside objects too; lists are compared and told whole. */
export function diffDocuments(before: object, after: object, prefix = ''): Record<string, [unknown, unknown]> {
  const changes: Record<string, [unknown, unknown]> = {};
  const old = before as Record<string, unknown>;
  const fresh = after as Record<string, unknown>;
  for (const name of new Set([...Object.keys(old), ...Object.keys(fresh)])) {
    if (prefix === '' && (name === 'version' || name === 'updated_at')) continue;
    const pointer = `${prefix}${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const [was, is] = [old[name] ?? null, fresh[name] ?? null];
    if (isPlainObject(was) && isPlainObject(is)) Object.assign(changes, diffDocuments(was, is, `${pointer}/`));
    else if (JSON.stringify(was) !== JSON.stringify(is)) changes[pointer] = [was, is];
  }
  return changes;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
