// A job rebuilt from what its events say has changed: pointer → [before, after]. A line belongs here if it applies
// changes to a document.

export type Changes = Readonly<Record<string, readonly [unknown, unknown]>>;

/** Members that move with every event; `changes` leaves them out. */
const SILENT = ['version', 'job_sequence', 'updated_at'];

/** The document after the changes. Works on a copy. Throws a sentence when a change does not fit the document. */
export function applyChanges(document: Readonly<Record<string, unknown>>, changes: Changes): Record<string, unknown> {
  const copy = structuredClone(document) as Record<string, unknown>;
  for (const [pointer, [before, after]] of Object.entries(changes)) {
    const path = pointer.split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = path.pop() ?? '';
    const holder = path.reduce<unknown>((value, part) => memberOf(value, part), copy);
    if (typeof holder !== 'object' || holder === null) throw new Error(`${pointer}: there is nothing to change`);
    const found = memberOf(holder, last) ?? null;
    if (JSON.stringify(found) !== JSON.stringify(before)) {
      throw new Error(`${pointer}: was ${JSON.stringify(found)}, the event says ${JSON.stringify(before)}`);
    }
    (holder as Record<string, unknown>)[last] = after;
  }
  dropLost(copy);
  return copy;
}

/** Whether two states of a job say the same, but for the members that move with every event. */
export function saysTheSame(one: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>): boolean {
  const told = (document: Readonly<Record<string, unknown>>): string =>
    JSON.stringify(document, (name, value) => (SILENT.includes(name) && typeof value !== 'object' ? undefined : value));
  return told(one) === told(other);
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A list that became shorter has null in the places that are gone; no list of a job holds null otherwise. */
function dropLost(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) while (value.length > 0 && value.at(-1) === null) value.pop();
  for (const member of Object.values(value)) dropLost(member);
}
