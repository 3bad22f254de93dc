-- The log after a restore, and who was erased. Nothing is to be done by the operator.

-- A restored log has lost its end: it goes on under a new epoch, and numbers behind `last_sequence` mean something else
-- from then on. A place that an earlier epoch named is still good up to there.
create table log_epochs (
  world_id integer not null,
  log_epoch integer not null check (log_epoch > 1),
  last_sequence bigint not null check (last_sequence >= 0),
  opened_at timestamptz(3) not null,
  primary key (world_id, log_epoch)
);

-- The erase journal is kept up to date from here.
create index subjects_erased on subjects (world_id, erased_at) where erased_at is not null;
