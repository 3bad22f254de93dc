-- Jobs and what hangs on them. `body` and `personal` are byte for byte the document of the job's last event; the other
-- columns are what lists filter by. Written by the ledger and by nobody else. Documents that fit a page stay in it
-- uncompressed: compressing them (pglz) took two thirds of an insert's time.

create table jobs (
  world_id integer not null,
  job_id text collate "C" not null,
  channel_id text collate "C" not null,
  reference text collate "C" not null,
  holds_reference boolean not null,
  status text collate "C" not null check (status in ('created', 'accepted', 'assigned', 'en_route', 'arrived',
    'exception', 'completed', 'partially_completed', 'failed', 'cancelled')),
  search_text text collate "C" not null,
  metadata jsonb not null,
  window_start timestamptz(3) not null,
  window_end timestamptz(3) not null,
  version integer not null check (version >= 1),
  job_sequence integer not null check (job_sequence >= 1),
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  deleted_at timestamptz(3),
  origin_correlation_id text collate "C" not null,
  fingerprint bytea not null check (octet_length(fingerprint) >= 16),
  event_id text collate "C" not null,
  event_hash text collate "C" not null,
  body text not null,
  personal bytea not null,
  primary key (world_id, job_id),
  check (deleted_at is null or not holds_reference),
  check (updated_at >= created_at),
  check (window_end >= window_start)
) with (toast_tuple_target = 8160);

-- A reference is taken until its job is deleted or superseded.
create unique index jobs_reference on jobs (world_id, channel_id, reference) where holds_reference;
create index jobs_by_creation on jobs (world_id, created_at, job_id);
create index jobs_by_update on jobs (world_id, updated_at, job_id);

-- One slim row for each task: who drives it, and when.
create table tasks (
  world_id integer not null,
  job_id text collate "C" not null,
  task_id text collate "C" not null,
  kind text collate "C" not null check (kind in ('pickup', 'delivery')),
  position smallint not null check (position >= 1),
  status text collate "C" not null check (status in ('pending', 'en_route', 'arrived', 'completed', 'failed',
    'exception', 'cancelled')),
  driver_id text collate "C",
  window_start timestamptz(3),
  window_end timestamptz(3),
  primary key (world_id, job_id, task_id),
  check ((window_start is null) = (window_end is null))
) with (fillfactor = 80);

create index tasks_by_driver on tasks (world_id, driver_id, job_id) where driver_id is not null;

-- PINs that recipients tell drivers, as HMAC-SHA-256 under the server's key; in no document and no event.
create table task_pins (
  world_id integer not null,
  task_id text collate "C" not null,
  hash bytea not null check (octet_length(hash) = 32),
  tries smallint not null check (tries >= 0),
  primary key (world_id, task_id)
);

-- What devices reported under an id of their own, so that a repeat is answered like the first.
-- `client_hash` is SHA-256 of actor and client_event_id.
create table client_events (
  world_id integer not null,
  client_hash bytea not null check (octet_length(client_hash) = 32),
  fingerprint bytea not null,
  job_id text collate "C" not null,
  event_id text collate "C",
  applied boolean not null,
  reason text collate "C",
  recorded_at timestamptz(3) not null,
  primary key (world_id, client_hash)
);

-- Changes that somebody may only propose. `body` and `personal` are the document of the proposal's last event.
create table proposals (
  world_id integer not null,
  proposal_id text collate "C" not null,
  job_id text collate "C" not null,
  channel_id text collate "C" not null,
  status text collate "C" not null check (status in ('open', 'accepted', 'declined')),
  created_at timestamptz(3) not null,
  event_id text collate "C" not null,
  event_hash text collate "C" not null,
  body text not null,
  personal bytea not null,
  primary key (world_id, proposal_id)
);

create index proposals_by_job on proposals (world_id, job_id);
