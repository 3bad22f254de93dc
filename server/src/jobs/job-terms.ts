// The terms under which a job is found in lists: its tags, metadata, group, priority, days, and the words of its
// references. Each is a short text with the letter of its kind before it; the same functions make those of a filter.

import { hash } from 'node:crypto';
import type { Job, Priority } from './job.schema.ts';
import { tasksOf } from './status.ts';
import type { Task } from './task.schema.ts';

/** Nearly every job has it, so that a row for it would find nothing. */
export const PRIORITY_WITHOUT_TERM: Priority = 'standard';
/** Days of one window that have a term each; a longer window is under LONG_TERM. */
export const WINDOW_DAYS_MAX = 8;
export const LONG_TERM = 'd/long';
/** A longer text is known by its hash: an index entry has its limit. */
const TERM_LENGTH_MAX = 160;
/** A number inside a reference is found by itself when it has so many digits. */
const DIGITS_MIN = 3;
const NUMBERS_PER_REFERENCE_MAX = 3;
const DAY_MS = 86_400_000;

export const tagTerm = (tag: string) => shortenTerm('t', tag);
export const metadataTerm = (key: string, value: string) => shortenTerm('m', `${key}=${value}`);
export const groupTerm = (group_reference: string) => shortenTerm('g', group_reference);
export const priorityTerm = (priority: Priority) => `p/${priority}`;
/** What all terms begin with whose words begin with this text. */
export const wordTerm = (text: string) => `w/${normaliseWord(text)}`;

/** Whether it is one of those, whose word begins behind the slash. */
export const isWordTerm = (term: string) => term.startsWith('w/');

function shortenTerm(kind: string, text: string): string {
  const isShort = text.length <= TERM_LENGTH_MAX || [...text].length <= TERM_LENGTH_MAX;
  return isShort ? `${kind}/${text}` : `${kind}#${hash('sha256', text).slice(0, 32)}`;
}

/** Every term of a job, each once. */
export function termsOf(job: Job): string[] {
  const terms = new Set<string>();
  for (const tag of job.tags) terms.add(tagTerm(tag));
  for (const [key, value] of Object.entries(job.metadata)) terms.add(metadataTerm(key, value));
  if (job.group_reference !== null) terms.add(groupTerm(job.group_reference));
  if (job.priority !== PRIORITY_WITHOUT_TERM) terms.add(priorityTerm(job.priority));
  for (const { service_window } of tasksOf(job))
    if (service_window !== null) for (const term of dayTerms(service_window.start, service_window.end)) terms.add(term);
  for (const word of wordsOf(job)) terms.add(`w/${word}`);
  return [...terms];
}

/** The days (UTC) that a span touches. */
export function dayTerms(start: string, end: string, daysMax = WINDOW_DAYS_MAX): string[] {
  const first = Math.floor(Date.parse(start) / DAY_MS);
  const last = Math.floor(Date.parse(end) / DAY_MS);
  if (last - first >= daysMax) return [LONG_TERM];
  return Array.from(
    { length: last - first + 1 },
    (_, index) => `d/${new Date((first + index) * DAY_MS).toISOString().slice(0, 10)}`,
  );
}

/** What `q` looks for the beginning of: references and the numbers in them, references and barcodes of items. */
function wordsOf(job: Pick<Job, 'reference' | 'group_reference' | 'pickups' | 'deliveries'>): Set<string> {
  const words = new Set<string>();
  const addReference = (text: string | null) => {
    if (text !== null) for (const word of referenceWords(text)) words.add(word);
  };
  addReference(job.reference);
  addReference(job.group_reference);
  for (const task of tasksOf(job)) {
    addReference(task.reference);
    for (const text of itemTexts(task)) words.add(normaliseWord(text));
  }
  return words;
}

function itemTexts({ items }: Task): string[] {
  return items.flatMap(({ reference, barcode }) => [reference, barcode].filter((text) => text !== null));
}

/** `ORD-10293/7781` → itself and, from each of its numbers on, the rest. */
export function referenceWords(reference: string): string[] {
  const word = normaliseWord(reference);
  const numbers = [...word.matchAll(NUMBER)].map(({ index }) => index).filter((index) => index > 0);
  return [word, ...numbers.slice(0, NUMBERS_PER_REFERENCE_MAX).map((index) => word.slice(index))];
}

const NUMBER = new RegExp(`(?<![0-9])[0-9]{${DIGITS_MIN},}`, 'g');

/** Upper and lower case are alike, and so are all blanks. */
function normaliseWord(text: string): string {
  return text.toLowerCase().replaceAll(/\s/g, ' ');
}
