// The wire form of a timeline: a job's events as a dispatcher reads them.

import type { Static } from 'typebox';
import Type from 'typebox';
import { endings, exceptionStatuses } from '../jobs/exception.schema.ts';
import { jobStatuses } from '../jobs/job.schema.ts';
import { proof } from '../jobs/proof.schema.ts';
import { taskKinds, taskStatuses } from '../jobs/task.schema.ts';
import { notAppliedReasons } from '../jobs/transition.schema.ts';
import { id, instant, nullable, oneOf } from '../jobs/wire.schema.ts';

const timelineTask = Type.Object(
  {
    id,
    kind: oneOf(taskKinds, 'What it is.'),
    position: Type.Integer({ minimum: 1, description: 'Its place among the tasks of the job.' }),
    reference: nullable(Type.String(), 'it has none'),
    status: oneOf(taskStatuses, 'Where it stood after this.'),
    driver_id: nullable(id, 'with no driver'),
    visit: nullable(Type.Integer({ minimum: 1 }), 'nobody had set out for it'),
  },
  { additionalProperties: false },
);

const timelineCase = Type.Object(
  {
    id,
    code: Type.String({ description: 'Reason code.' }),
    blocking: Type.Boolean({ description: 'Whether the task waits for its resolution.' }),
    status: oneOf(exceptionStatuses, 'Where the case stood after this.'),
    resolution: nullable(oneOf(endings, 'How it ended.'), 'it has not ended'),
  },
  { additionalProperties: false },
);

export const timelineEntry = Type.Object(
  {
    event_id: id,
    job_sequence: Type.Integer({ minimum: 1, description: 'Number among the events of the job, without gaps.' }),
    title: Type.String({ description: 'What happened, in words for people. They may change; `topics` do not.' }),
    type: Type.String({ description: 'Which kind of object changed.' }),
    topics: Type.Array(Type.String(), { description: 'What happened, by name.' }),
    occurred_at: Type.Unsafe<string>({ ...instant, description: 'When, by the device.' }),
    effective_at: Type.Unsafe<string>({ ...instant, description: 'When, after the clock of the device is put right.' }),
    recorded_at: Type.Unsafe<string>({ ...instant, description: 'When the server recorded it.' }),
    delay_s: Type.Integer({ minimum: 0, description: 'Seconds from its happening to its recording.' }),
    actor: Type.Object(
      { type: Type.String(), id: Type.String() },
      { additionalProperties: false, description: 'Who did it or said so.' },
    ),
    cause: Type.String({ description: 'By which way it came.' }),
    correlation_id: Type.String({ description: 'Of the request that caused it.' }),
    applied: Type.Boolean({ description: 'False: a report that is kept and changed no state.' }),
    reason: nullable(oneOf(notAppliedReasons, 'Why it was not applied.'), 'it was applied'),
    implied: Type.Boolean({
      description: 'True: nobody reported this step, but what came later shows that it was taken.',
    }),
    flags: Type.Array(Type.String(), { description: 'What looks odd about it, such as `skewed_clock`.' }),
    job_status: oneOf(jobStatuses, 'Where the job stood after this.'),
    code: nullable(Type.String({ description: 'Outcome or reason code.' }), 'none was stated'),
    task: nullable(timelineTask, 'about the whole job'),
    proofs: Type.Array(proof, { description: 'Evidence that came with it.' }),
    exceptions: Type.Array(timelineCase, { description: 'Cases that it opened, acknowledged or resolved.' }),
    changes: Type.Record(Type.String(), Type.Array(Type.Unknown(), { minItems: 2, maxItems: 2 }), {
      description: 'What changed in the job: its place there, without the leading slash → before and after.',
    }),
  },
  { $id: 'TimelineEntry', additionalProperties: false, description: 'One event in the life of a job.' },
);
export type TimelineEntry = Static<typeof timelineEntry>;
