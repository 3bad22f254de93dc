// The statements that keep the terms of jobs.

import { type Sent, type Tx, textsOf } from '../db/sql.ts';
import type { WrittenLine } from '../ledger/command.ts';
import type { StoredJob } from './job.ts';
import { termsOf } from './job-terms.ts';

/** Stands between the terms of one job. No text that comes in holds this control character. */
const SEPARATOR = '\u001e';

interface TermsLine {
  world_id: number;
  job_id: string;
  terms: readonly string[];
}

/** A job to be written, with the terms that it has from now on. */
export interface JobLine extends WrittenLine<StoredJob> {
  terms: readonly string[];
}

/** Only what differs is written: most changes of a job touch no term. */
export function writeTerms(tx: Tx, lines: readonly JobLine[]): Sent[] {
  const added: TermsLine[] = [];
  const gone: TermsLine[] = [];
  for (const { world_id, value, before, terms: after } of lines) {
    const earlier = before === undefined ? [] : termsOf(before.job);
    const job_id = value.job.id;
    addLine(added, { world_id, job_id, terms: after.filter((term) => !earlier.includes(term)) });
    addLine(gone, { world_id, job_id, terms: earlier.filter((term) => !after.includes(term)) });
  }
  return [...(added.length > 0 ? [insertTerms(tx, added)] : []), ...(gone.length > 0 ? [deleteTerms(tx, gone)] : [])];
}

function addLine(lines: TermsLine[], line: TermsLine): void {
  if (line.terms.length > 0) lines.push(line);
}

function insertTerms(tx: Tx, lines: readonly TermsLine[]): Sent {
  return tx`
    insert into job_terms (world_id, term, job_id)
    select n.world_id, t.term, n.job_id
    from unnest(${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.job_id)}::text[],
      ${joined(tx, lines)}) as n (world_id, job_id, terms), unnest(string_to_array(n.terms, ${SEPARATOR})) as t (term)`.execute();
}

function deleteTerms(tx: Tx, lines: readonly TermsLine[]): Sent {
  return tx`
    delete from job_terms j
    using unnest(${lines.map((line) => line.world_id)}::int[], ${lines.map((line) => line.job_id)}::text[],
      ${joined(tx, lines)}) as n (world_id, job_id, terms), unnest(string_to_array(n.terms, ${SEPARATOR})) as t (term)
    where j.world_id = n.world_id and j.term = t.term and j.job_id = n.job_id`.execute();
}

function joined(tx: Tx, lines: readonly TermsLine[]) {
  return textsOf(
    tx,
    lines.map((line) => line.terms.join(SEPARATOR)),
  );
}
