// Verifies a consumer's own log by itself: numbers, hashes, links, chain and roots, as docs/witness.md tells them.
// Pure; what the server says is held against it in record-proof.ts.

import { chainOn, findDifference, type KeptEvent, mayBePersonal, placeOfId } from './kept-event.ts';

export interface Problem {
  code: 'gap' | 'altered' | 'twice' | 'link' | 'root' | 'foreign' | 'rewritten' | 'server';
  sequence: number;
  /** Of the file; null where it is about what the file lacks. */
  line: number | null;
  sentence: string;
}

export interface SealedDay {
  day: string;
  root: string;
  /** proven: the events of the file make this root. consistent: nothing speaks against it. broken: they make another. */
  state: 'proven' | 'consistent' | 'broken';
}

export interface RecordCheck {
  problems: Problem[];
  /** In order, each once, without those that were lost in a restore. */
  line: KeptEvent[];
  duplicates: number;
  /** Events of an earlier epoch that a restore took back. */
  lost: number;
  /** By sequence: hashes that are known, from the event itself or from the next about the same object. */
  hashes: Map<number, string>;
  /** Sequences of events whose content the file alone proves. */
  proven: Set<number>;
  days: SealedDay[];
}

const CHAIN_START = '00'.repeat(32);

/** `isFiltered`: the reader gets a choice of events, so that a number that is missing is no gap in itself. */
export function checkRecord(kept: readonly KeptEvent[], isFiltered: boolean): RecordCheck {
  const problems: Problem[] = [];
  const { events, duplicates } = dropRepeats(kept, problems);
  const { line, lost } = followEpochs(events);
  for (const event of line) checkPlace(event, problems);
  findGaps(line, isFiltered, problems);
  const { hashes, proven } = checkLinks(line, problems);
  const days = checkRoots(line, hashes, proven, problems);
  return { problems, line, duplicates, lost, hashes, proven, days };
}

/** Delivery is at least once: a repeat is the same but for people who were erased meanwhile. */
function dropRepeats(kept: readonly KeptEvent[], problems: Problem[]): { events: KeptEvent[]; duplicates: number } {
  const first = new Map<string, KeptEvent>();
  for (const event of kept) {
    const place = `${event.log_epoch}/${event.sequence}`;
    const earlier = first.get(place);
    if (earlier === undefined) {
      first.set(place, event);
      continue;
    }
    const { line, sequence } = event;
    const pointer = findDifference(earlier.event, event.event);
    if (pointer !== null)
      problems.push({
        code: 'twice',
        sequence,
        line,
        sentence: `event ${sequence} stands in line ${earlier.line} too, and differs there at ${pointer || 'its top'}`,
      });
  }
  const events = [...first.values()].sort((a, b) => a.log_epoch - b.log_epoch || a.sequence - b.sequence);
  return { events, duplicates: kept.length - events.length };
}

/** A new epoch takes back what the one before held behind its beginning. */
function followEpochs(events: readonly KeptEvent[]): { line: KeptEvent[]; lost: number } {
  const line: KeptEvent[] = [];
  let lost = 0;
  for (const event of events) {
    for (let last = line.at(-1); last !== undefined && last.sequence >= event.sequence; last = line.at(-1)) {
      line.pop();
      lost++;
    }
    line.push(event);
  }
  return { line, lost };
}

/** The identifier says where the event stands. */
function checkPlace({ id, sequence, recorded_at, line }: KeptEvent, problems: Problem[]): void {
  const place = placeOfId(id);
  if (place?.sequence === sequence && place.recorded_at === recorded_at) return;
  const sentence =
    place === null
      ? `${id} is no identifier of an event`
      : `its id belongs to event ${place.sequence} of ${place.recorded_at}, not to event ${sequence} of ${recorded_at}`;
  problems.push({ code: 'altered', sequence, line, sentence });
}

function findGaps(line: readonly KeptEvent[], isFiltered: boolean, problems: Problem[]): void {
  const held = new Set(line.map(({ sequence }) => sequence));
  const first = line[0]?.sequence ?? 0;
  const miss = (sequence: number, sentence: string) => problems.push({ code: 'gap', sequence, line: null, sentence });
  for (const [index, event] of line.entries()) {
    const before = line[index - 1];
    if (event.previous !== undefined) {
      const { previous } = event;
      if (previous !== null && previous >= first && !held.has(previous) && event.type !== 'log.restored')
        miss(previous, `event ${previous} is missing: line ${event.line} names it as the one before`);
    } else if (!isFiltered && before !== undefined && event.sequence > before.sequence + 1) {
      const [from, to] = [before.sequence + 1, event.sequence - 1];
      miss(from, from === to ? `event ${from} is missing` : `events ${from} to ${to} are missing`);
    }
  }
}

/** Each event names the hash of the one before it about the same object. */
function checkLinks(line: readonly KeptEvent[], problems: Problem[]): Pick<RecordCheck, 'hashes' | 'proven'> {
  const hashes = new Map<number, string>();
  const proven = new Set<number>();
  const lastOf = new Map<string, KeptEvent>();
  const isWhole = isGapless(line);
  for (const event of line) {
    if (!mayBePersonal(event)) hashes.set(event.sequence, event.plain_hash);
    const before = lastOf.get(event.object);
    lastOf.set(event.object, event);
    if (event.type === 'log.restored') continue;
    if (before === undefined || !(isWhole || follows(before, event))) continue;
    const { previous_hash, sequence } = event;
    if (previous_hash === before.plain_hash) {
      proven.add(before.sequence);
      hashes.set(before.sequence, previous_hash);
    } else if (previous_hash !== null && mayBePersonal(before)) hashes.set(before.sequence, previous_hash);
    else
      problems.push({
        code: 'link',
        sequence: before.sequence,
        line: before.line,
        sentence: `event ${before.sequence} is not the one that event ${sequence} (line ${event.line}) follows: one of the two was changed`,
      });
  }
  return { hashes, proven };
}

function isGapless(line: readonly KeptEvent[]): boolean {
  return line.every(({ sequence }, index) => index === 0 || line[index - 1]?.sequence === sequence - 1);
}

/** Whether no event of their job stands between the two. */
function follows(before: KeptEvent, event: KeptEvent): boolean {
  const [one, other] = [before.event.job_sequence, event.event.job_sequence];
  return typeof one === 'number' && typeof other === 'number' && other === one + 1;
}

interface Seal {
  event: KeptEvent;
  day: string;
  sequence: number;
  root: string;
  root_before: string | null;
}

function sealsIn(line: readonly KeptEvent[]): Seal[] {
  return line.flatMap((event) => {
    if (event.type !== 'log.sealed') return [];
    const { day, last_sequence, root, root_before } = event.data;
    if (typeof last_sequence !== 'number' || typeof root !== 'string') return [];
    const before = typeof root_before === 'string' ? root_before : null;
    return [{ event, day: String(day), sequence: last_sequence, root, root_before: before }];
  });
}

/** Walks the chain from each place where it is known, and holds it against the roots. */
function checkRoots(
  line: readonly KeptEvent[],
  hashes: ReadonlyMap<number, string>,
  proven: Set<number>,
  problems: Problem[],
): SealedDay[] {
  const seals = sealsIn(line);
  const known = new Map<number, string>([[0, CHAIN_START]]);
  for (const [index, seal] of seals.entries()) {
    const before = seals[index - 1];
    const isNext = before !== undefined && Date.parse(seal.day) - Date.parse(before.day) === 86_400_000;
    if (isNext && seal.root_before !== null && seal.root_before !== before.root)
      problems.push(
        rootProblem(seal, `the root before ${seal.day} is not that of ${before.day} in line ${before.event.line}`),
      );
    if (!known.has(seal.sequence)) known.set(seal.sequence, seal.root);
  }
  const made = walkChain(line, hashes, known);
  const plain = new Map(line.map((event) => [event.sequence, event.plain_hash]));
  return seals.map((seal) => {
    const own = made.get(seal.sequence);
    const isEmpty = seal.root === seal.root_before;
    if (own === undefined && !(isEmpty && known.get(seal.sequence) !== seal.root))
      return { day: seal.day, root: seal.root, state: 'consistent' };
    if (own === seal.root) {
      // What makes the root that was sealed was in the log when it was.
      for (let at = seal.sequence; made.has(at); at--) if (hashes.get(at) === plain.get(at)) proven.add(at);
      return { day: seal.day, root: seal.root, state: 'proven' };
    }
    problems.push(
      rootProblem(
        seal,
        `the events up to ${seal.sequence} do not make the root of ${seal.day}: one of them was changed`,
      ),
    );
    return { day: seal.day, root: seal.root, state: 'broken' };
  });
}

function rootProblem({ event }: Seal, sentence: string): Problem {
  return { code: 'root', sequence: event.sequence, line: event.line, sentence };
}

/** The chain where the events themselves make it: from a place at which it is known, over every event behind it. */
function walkChain(
  line: readonly KeptEvent[],
  hashes: ReadonlyMap<number, string>,
  known: ReadonlyMap<number, string>,
): Map<number, string> {
  const made = new Map<number, string>();
  for (const { sequence } of line) {
    const before = made.get(sequence - 1) ?? known.get(sequence - 1);
    const hash = hashes.get(sequence);
    if (before !== undefined && hash !== undefined) made.set(sequence, chainOn(before, hash));
  }
  return made;
}
