-- Exceptions: problems that someone must resolve. Written by the ledger together with the job's event that tells of
-- them. Nothing in `body` is personal: notes and signatures are proof of the task and sealed there.

create table exceptions (
  world_id integer not null,
  exception_id text collate "C" not null,
  job_id text collate "C" not null,
  channel_id text collate "C" not null,
  task_id text collate "C",
  code text collate "C" not null,
  blocking boolean not null,
  status text collate "C" not null check (status in ('open', 'acknowledged', 'resolved')),
  opened_at timestamptz(3) not null,
  respond_by timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  body text not null,
  primary key (world_id, exception_id),
  check (updated_at >= opened_at)
) with (fillfactor = 90);

create index exceptions_by_opening on exceptions (world_id, opened_at, exception_id);
create index exceptions_by_job on exceptions (world_id, job_id);
-- The inbox: few are open at a time, however many there have been.
create index exceptions_unresolved on exceptions (world_id, opened_at, exception_id) where status <> 'resolved';
