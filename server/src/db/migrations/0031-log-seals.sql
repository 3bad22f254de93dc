-- The root of each day of each log, sent out as `log.sealed`. Nothing is to be done by the operator: the days before this
-- version are sealed by its first start.

create table log_seals (
  world_id integer not null,
  -- UTC.
  day date not null,
  -- The last event up to the end of the day; that of the day before when nothing was recorded.
  last_sequence bigint not null check (last_sequence >= 0),
  -- The chain up to it: the day's root.
  chain bytea not null check (octet_length(chain) = 32),
  primary key (world_id, day)
);
