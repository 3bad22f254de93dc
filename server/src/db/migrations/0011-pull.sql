-- Reading the log by name, and finding what belongs together. Nothing is to be done by the operator; the index over the
-- log is built by the next start, which takes a few seconds for each million events.

-- Named consumers: what each reads and where it begins. Written by the ledger, with their events.
create table consumers (
  world_id integer not null,
  consumer_id text collate "C" not null,
  name text collate "C" not null,
  created_at timestamptz(3) not null,
  deleted_at timestamptz(3),
  -- The place in the log before the first event that it reads.
  start_sequence bigint not null check (start_sequence >= 0),
  start_recorded_at timestamptz(3) not null,
  event_id text collate "C" not null,
  hash text collate "C" not null,
  body text not null,
  primary key (world_id, consumer_id)
);
create unique index consumers_name on consumers (world_id, name) where deleted_at is null;

-- How far each has read: written by its readers alone, without an event. One that was never read has no row.
create table consumer_cursors (
  world_id integer not null,
  consumer_id text collate "C" not null,
  -- Everything up to here is acknowledged.
  sequence bigint not null check (sequence >= 0),
  recorded_at timestamptz(3) not null,
  -- The last event up to here that it asked for; 0: there is none; null: it must be looked for.
  previous bigint,
  acked_at timestamptz(3),
  -- The reader that was handed events last, and until when nobody else is. Kept when it has ended, so that a repeated
  -- acknowledgement is known again.
  lease text collate "C",
  reader text collate "C",
  key_id text collate "C",
  leased_at timestamptz(3),
  lease_expires_at timestamptz(3),
  -- What was handed out: the last event, and how far the log was looked through for it.
  lease_last bigint,
  lease_through bigint,
  lease_through_at timestamptz(3),
  primary key (world_id, consumer_id)
) with (fillfactor = 20);

-- What consumers said of jobs with their acknowledgements, held against ours, by day (UTC).
create table consumer_comparisons (
  world_id integer not null,
  consumer_id text collate "C" not null,
  day date not null,
  compared integer not null check (compared >= 0),
  mismatched integer not null check (mismatched between 0 and compared),
  unknown integer not null check (unknown >= 0),
  primary key (world_id, consumer_id, day)
) with (fillfactor = 50);

-- Everything that one request caused, in order. The hash keeps the index at half the size that the texts would need.
create index events_by_correlation on events (world_id, hashtext(correlation_id), sequence);
