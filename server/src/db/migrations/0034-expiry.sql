-- Days of the log go on their date, whoever still needs them: who loses what is written down and told. Nothing is to be
-- done by the operator, unless somebody shall be waited for: then set WAYPOST_LOG_HOLD_DAYS.

-- What an endpoint was owed and is not in the log any more. Written by the process that drops days; the ledger sends it
-- out as `endpoint.events_expired`, or as `endpoint.events_expiring` while there is still time.
create table log_expiries (
  world_id integer not null,
  expiry_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  -- The replay into the endpoint that has to pass over them; null: what was to be sent for the first time.
  replay_id text collate "C",
  -- A warning: from then on they will be gone; null: they are.
  expires_at timestamptz(3),
  from_sequence bigint not null,
  -- Null in a warning.
  to_sequence bigint,
  -- How many of them were owed and never sent; null: not counted.
  lost bigint,
  -- Messages that had failed before: dead letters that nobody can send again.
  dead_letters integer not null,
  noted_at timestamptz(3) not null,
  told_at timestamptz(3),
  primary key (world_id, expiry_id)
);
create index log_expiries_untold on log_expiries (noted_at) where told_at is null;

-- Moves when the cursor or the messages of an endpoint were changed by another than its sender, which then begins again
-- from what is written.
alter table cursors add column expiries integer not null default 0;

alter table dead_letters drop constraint dead_letters_reason_check;
alter table dead_letters add constraint dead_letters_reason_check
  check (reason in ('tries_used', 'aborted_by_receiver', 'too_large', 'expired'));
alter table dead_letters drop constraint dead_letters_state_check;
alter table dead_letters add constraint dead_letters_state_check
  check (state in ('dead', 'redriving', 'delivered', 'expired'));

-- From now on these are all who will lose events within a week, with the oldest day that each needs.
delete from log_holds;
alter table log_holds add column expires_at timestamptz(3) not null;
