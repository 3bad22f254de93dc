-- Replays: what was sent once is sent again, by a second cursor beside the live one. Nothing is to be done by the operator.

-- What was asked for. Written by the ledger, with its events.
create table replays (
  world_id integer not null,
  replay_id text collate "C" not null,
  -- Whose events they are, and to whom they go: mostly the same.
  endpoint_id text collate "C" not null,
  target_id text collate "C" not null,
  requested_at timestamptz(3) not null,
  ended_at timestamptz(3),
  -- How it is read: the endpoint's filter and the render revision when it was asked for, and where it begins and ends.
  plan text not null,
  -- Of its last event.
  hash text collate "C",
  body text not null,
  primary key (world_id, replay_id)
);
create index replays_open on replays (world_id, target_id) where ended_at is null;
create index replays_by_time on replays (world_id, requested_at desc, replay_id desc);

-- How far each is. Written by senders, in the transaction of the endpoint's own cursor: whoever lost the lease writes neither.
create table replay_cursors (
  world_id integer not null,
  replay_id text collate "C" not null,
  -- closing: the newest event that was sent of each job goes out again, so that it is the last that its receiver gets.
  phase text collate "C" not null check (phase in ('events', 'closing')),
  -- Everything up to here is settled, in this phase.
  sequence bigint not null,
  recorded_at timestamptz(3) not null,
  -- How far the closing goes: where the live cursor was when it began.
  closing_to bigint,
  sent bigint not null,
  delivered bigint not null,
  failed bigint not null,
  closed bigint not null,
  started_at timestamptz(3) not null,
  saved_at timestamptz(3) not null,
  primary key (world_id, replay_id)
) with (fillfactor = 20);

-- The replay that an attempt belongs to.
alter table attempts add column replay text collate "C";
