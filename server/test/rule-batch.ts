// One batch without a database, for tests of rules: commands see what earlier ones put, as they do under the ledger's
// lock, and a kind answers only for what was loaded. Nothing exists before the first command.

import type { Accepted, Decision, Moment, WorkingSet } from '../src/ledger/command.ts';
import { mintAt } from '../src/ledger/id.ts';
import type { Loads } from '../src/ledger/resource.ts';
import { BatchSet } from '../src/ledger/working-set.ts';

export const WORLD_ID = 1;
export const NOW = '2026-11-21T12:00:00.000Z';

export interface RuleBatch {
  set: WorkingSet;
  /** Loads, decides, and puts what was accepted; throws what was refused. */
  run(loads: Loads, decide: (set: WorkingSet, moment: Moment) => Decision): Accepted;
  /** Loads only. */
  load(loads: Loads): void;
}

export function startRuleBatch(): RuleBatch {
  const batch = new BatchSet();
  const set = batch.view(WORLD_ID);
  const moment: Moment = { now: NOW, mint: mintAt(Date.parse(NOW)) };
  function load(loads: Loads): void {
    for (const round of loads) {
      const wanted = round(set).map((ref) => ({ world_id: WORLD_ID, ...ref }));
      for (const [kind, refs] of batch.missing(wanted)) batch.add(kind, refs, new Map());
    }
  }
  return {
    set,
    load,
    run(loads, decide) {
      load(loads);
      const decision = decide(set, moment);
      if ('refusal' in decision) throw decision.refusal;
      for (const put of decision.puts) batch.put(WORLD_ID, put);
      return decision;
    },
  };
}
