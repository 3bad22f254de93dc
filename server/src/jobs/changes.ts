// What differs between two documents of one job, as events and proposals tell it: pointer → [before, after].

import type { Job } from './job.schema.ts';

export type Changes = Record<string, [unknown, unknown]>;

type Members = Record<string, unknown>;

/** Members that move with every event and say nothing about what changed. */
const silent = new Set(['version', 'job_sequence', 'updated_at']);

/**
 * Compares member by member; what is identical (the same object in memory) is passed over. A list element whose `id`
 * differs, and a task whose contact is another customer, is told whole: so every personal value that a change carries
 * stands beside the data subject that it belongs to.
 */
export function diffJobs(before: Job, after: Job): Changes {
  const changes: Changes = {};
  const was = before as unknown as Members;
  const is = after as unknown as Members;
  for (const name of Object.keys(is)) {
    if (!silent.has(name)) diffValues(was[name] ?? null, is[name] ?? null, escapeMember(name), changes);
  }
  return changes;
}

function diffValues(was: unknown, is: unknown, pointer: string, changes: Changes): void {
  if (was === is) return;
  if (Array.isArray(was) && Array.isArray(is)) diffLists(was, is, pointer, changes);
  else if (isObject(was) && isObject(is) && !isAnother(was, is)) diffMembers(was, is, pointer, changes);
  else if (!isSamePoint(was, is)) changes[pointer] = [was, is];
}

function diffMembers(was: Members, is: Members, pointer: string, changes: Changes): void {
  for (const name of Object.keys(was)) {
    diffValues(was[name] ?? null, is[name] ?? null, `${pointer}/${escapeMember(name)}`, changes);
  }
  for (const name of Object.keys(is)) {
    if (!(name in was)) diffValues(null, is[name] ?? null, `${pointer}/${escapeMember(name)}`, changes);
  }
}

/** Lists of objects are compared by place, lists of words whole. */
function diffLists(was: readonly unknown[], is: readonly unknown[], pointer: string, changes: Changes): void {
  const isPlain = was.every((one) => !isObject(one)) && is.every((one) => !isObject(one));
  if (isPlain) {
    if (was.length !== is.length || was.some((one, index) => one !== is[index])) changes[pointer] = [was, is];
    return;
  }
  for (let index = 0; index < Math.max(was.length, is.length); index++) {
    diffValues(was[index] ?? null, is[index] ?? null, `${pointer}/${index}`, changes);
  }
}

/** Whether two objects in one place are different things rather than two states of one. A point on the map is one value. */
function isAnother(was: Members, is: Members): boolean {
  if ('lat' in was || 'lat' in is) return true;
  if (was.id !== is.id) return true;
  return subjectOf(was) !== subjectOf(is);
}

function isSamePoint(was: unknown, is: unknown): boolean {
  return isObject(was) && isObject(is) && 'lat' in was && JSON.stringify(was) === JSON.stringify(is);
}

function subjectOf(task: Members): unknown {
  const { contact } = task;
  return isObject(contact) ? contact.customer_id : task.customer_id;
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function escapeMember(name: string): string {
  return name.includes('~') || name.includes('/') ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;
}
