-- Which endpoint took which event of a job, and when: written when the attempts of a day are dropped, and kept as long as the
-- histories of jobs. Nothing is to be done by the operator.
create table job_receipts (
  world_id integer not null,
  job_id text collate "C" not null,
  -- UTC, of the attempts.
  day date not null,
  -- A day is read in so many parts.
  part integer not null,
  -- JSON (webhooks/receipt.ts).
  receipts text not null,
  primary key (world_id, job_id, day, part)
);
create index job_receipts_by_day on job_receipts (day);
