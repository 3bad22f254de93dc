-- What is left of a day of the log when it is dropped, and who keeps days from being dropped. Nothing is to be done by the
-- operator: the log is kept for 90 days and attempts for 30 from now on (WAYPOST_LOG_DAYS, WAYPOST_ATTEMPT_DAYS).

-- The events of a job of one day, written when the day leaves the log: its timeline goes on to be read from here. Personal
-- values stay sealed under their person's key.
create table job_histories (
  world_id integer not null,
  job_id text collate "C" not null,
  -- UTC.
  day date not null,
  -- By their job_sequence.
  first_job_sequence integer not null,
  last_job_sequence integer not null,
  -- Zstandard over the JSON of the rows (events/job-history.ts).
  packed bytea not null,
  primary key (world_id, job_id, day)
);
create index job_histories_by_day on job_histories (day);

-- Who still needs a day of the log whose time is over. Rewritten at each look by the process that drops days.
create table log_holds (
  world_id integer not null,
  kind text collate "C" not null check (kind in ('endpoint', 'consumer', 'replay', 'dead_letter', 'message')),
  -- Of the endpoint, consumer or replay; of dead letters and messages, that of their endpoint.
  holder_id text collate "C" not null,
  day date not null,
  -- How far it is; what follows it needs.
  sequence bigint not null,
  since timestamptz(3) not null,
  primary key (world_id, kind, holder_id)
);
