// A PATCH of a job: checked, judged by the tables of edits and of ownership, and written; or kept as a proposal when
// the caller may only propose.

import type { Decision, Moment } from '../ledger/command.ts';
import { refuseFaults } from './create-job.ts';
import type { JobPatch } from './edit.schema.ts';
import { judgeChange, writeChange } from './edit-job.ts';
import { findPatchFaults, intendPatch, noRoute, type PatchContext } from './intend-patch.ts';
import { requireJobVersion, type StoredJob } from './job.ts';
import { proposeChange } from './proposal.ts';

export function patchJob(stored: StoredJob, patch: JobPatch, context: PatchContext, moment: Moment): Decision {
  requireJobVersion(stored.job, context.if_match);
  refuseFaults(findPatchFaults(stored.job, patch, context));
  const intended = intendPatch(stored.job, patch, context, moment);
  const { edits, right } = judgeChange(stored, intended, context);
  if (right === 'propose') return proposeChange(stored, patch, intended.job, edits, context, moment);
  return writeChange(stored, intended, edits, context, moment, noRoute);
}
