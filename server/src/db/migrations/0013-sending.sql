-- What senders remember for whoever takes over from them, headers of an endpoint's own, and redrives as things that
-- can be looked at. Nothing is to be done by the operator.

-- read_to: how far the log was read for the endpoint. filters: by which filters what lies after the cursor was judged,
-- so that a new owner names the same previous message in each. width, in_flight, proving: how it fares at the moment.
alter table cursors
  add column read_to bigint,
  add column filters text,
  add column width integer,
  add column in_flight integer,
  add column proving boolean not null default false;

-- Names and values that go out with each message, sealed like the secret: they may hold somebody's token.
alter table endpoints add column headers bytea;

-- Requests to send dead letters again. What a request asks for is what was dead when it was made and fits all that it
-- names; null names nothing. Senders take the letters on a few at a time and say when there are none left.
create table redrives (
  world_id integer not null,
  redrive_id text collate "C" not null,
  requested_at timestamptz(3) not null,
  -- How many were dead when it was asked for.
  matching integer not null check (matching >= 0),
  endpoint_ids text[] collate "C",
  dead_letter_ids text[] collate "C",
  types text[] collate "C",
  job_id text collate "C",
  reason text collate "C",
  died_since timestamptz(3),
  died_until timestamptz(3),
  cancelled_at timestamptz(3),
  -- Written by senders: every letter was taken on.
  exhausted_at timestamptz(3),
  -- Of its last event; null: it was asked for before there was one.
  hash text collate "C",
  primary key (world_id, redrive_id)
);
create index redrives_open on redrives (world_id) where cancelled_at is null and exhausted_at is null;
create index redrives_by_time on redrives (world_id, requested_at desc, redrive_id desc);

-- The redrive that sent the letter again last.
alter table dead_letters add column redrive_id text collate "C";
create index dead_letters_by_redrive on dead_letters (world_id, redrive_id, state) where redrive_id is not null;
create index dead_letters_dead on dead_letters (world_id, endpoint_id, died_at desc) where state = 'dead';

insert into redrives (world_id, redrive_id, requested_at, matching, endpoint_ids, dead_letter_ids)
select world_id, 'rdr_' || substr(dead_letter_id, 5), requested_at, 1, array[endpoint_id], array[dead_letter_id]
from redrive_requests;
drop table redrive_requests;
