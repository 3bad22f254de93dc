// Holds a consumer's own log against the proofs that the server gives: hashes, chain, and the stored form of events with
// personal values. Pure.

import type { EventProof } from '@waypost/sdk/event';
import { chainOn, findForgery, type KeptEvent, sha256 } from './kept-event.ts';
import type { Problem, RecordCheck } from './record-check.ts';

const CHAIN_START = '00'.repeat(32);

/** Takes proofs in their order and gathers what does not fit. */
export class ProofCheck {
  readonly problems: Problem[] = [];
  /** Events of the file whose content is proven. */
  proven = 0;
  /** Events of which only the place in the chain is: the key may not see their stored form. */
  placed = 0;
  readonly #check: RecordCheck;
  readonly #kept: ReadonlyMap<number, KeptEvent>;
  readonly #roots: ReadonlyMap<number, KeptEvent>;
  #before: EventProof | null = null;
  #first: number | null = null;

  constructor(check: RecordCheck) {
    this.#check = check;
    this.#kept = new Map(check.line.map((event) => [event.sequence, event]));
    const seals = check.line.filter(({ type }) => type === 'log.sealed');
    this.#roots = new Map(seals.map((event) => [Number(event.data.last_sequence), event]));
  }

  take(proof: EventProof): void {
    this.#first ??= proof.sequence;
    this.#checkChain(proof);
    this.#before = proof;
    const event = this.#kept.get(proof.sequence);
    if (event !== undefined) this.#checkEvent(event, proof);
    const seal = this.#roots.get(proof.sequence);
    if (seal !== undefined && seal.data.root !== proof.chain)
      this.#tell(
        'rewritten',
        seal,
        `the server's log up to ${proof.sequence} has not the root that line ${seal.line} says: it was rewritten`,
      );
  }

  /** What the file holds and no proof was there for. */
  end(): void {
    const from = this.#first ?? Number.POSITIVE_INFINITY;
    const to = this.#before?.sequence ?? 0;
    for (const event of this.#check.line)
      if (event.sequence > to && event.sequence >= from)
        this.#tell('foreign', event, `event ${event.sequence} is not in the server's log, which ends at ${to}`);
  }

  #checkChain({ sequence, hash, chain }: EventProof): void {
    const before = this.#before;
    const fault = (sentence: string) => this.problems.push({ code: 'server', sequence, line: null, sentence });
    if (before !== null && sequence !== before.sequence + 1) {
      fault(`the proofs go from ${before.sequence} to ${sequence}`);
      return;
    }
    const chainBefore = before?.chain ?? (sequence === 1 ? CHAIN_START : null);
    if (chainBefore !== null && chainOn(chainBefore, hash) !== chain)
      fault(`the server's own chain breaks at event ${sequence}`);
  }

  #checkEvent(event: KeptEvent, proof: EventProof): void {
    const { sequence } = event;
    if (event.id !== proof.event_id || event.log_epoch !== proof.log_epoch) {
      this.#tell('foreign', event, `event ${sequence} is ${proof.event_id} in the server's log, not ${event.id}`);
      return;
    }
    const claimed = this.#check.hashes.get(sequence);
    const isRewritten = claimed !== undefined && claimed !== proof.hash && claimed !== event.plain_hash;
    if (isRewritten || (this.#check.proven.has(sequence) && event.plain_hash !== proof.hash)) {
      this.#tell(
        'rewritten',
        event,
        `the server's event ${sequence} has not the hash that your next event about the same object names: it was rewritten`,
      );
      return;
    }
    this.#checkContent(event, proof);
  }

  #checkContent(event: KeptEvent, { hash, has_personal, stored }: EventProof): void {
    const { sequence } = event;
    if (!has_personal) {
      if (event.plain_hash === hash) this.proven++;
      else this.#tell('altered', event, `event ${sequence} was changed: its text has not the hash that the log has`);
      return;
    }
    if (stored === null) {
      this.placed++;
      return;
    }
    if (sha256(stored.body, Buffer.from(stored.sealed, 'base64')).toString('hex') !== hash) {
      this.#tell('server', event, `the server's event ${sequence} has not the hash that its own chain says`);
      return;
    }
    const pointer = findForgery(event.event, JSON.parse(stored.body));
    if (pointer === null) this.proven++;
    else this.#tell('altered', event, `event ${sequence} was changed at ${pointer || 'its top'}`);
  }

  #tell(code: Problem['code'], { sequence, line }: KeptEvent, sentence: string): void {
    this.problems.push({ code, sequence, line, sentence });
  }
}
