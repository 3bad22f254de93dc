-- Endpoints and what is sent to them. `endpoints`, `endpoint_revisions` and `redrive_requests` are written by the ledger
-- with their events; every other table here by senders alone. A message has no row of its own: the log is the queue, and
-- only what is tried again, slow or waiting behind such a message is parked.

create table endpoints (
  world_id integer not null,
  endpoint_id text collate "C" not null,
  -- Which part of the senders' work it belongs to (webhooks/share.ts).
  share smallint not null check (share between 0 and 15),
  status text collate "C" not null check (status in ('unverified', 'active', 'paused')),
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  deleted_at timestamptz(3),
  -- The place in the log before the first event that it is sent.
  start_sequence bigint not null check (start_sequence >= 0),
  start_recorded_at timestamptz(3) not null,
  revision integer not null,
  -- Sealed under the server's key whose id is `secret_key_id`; the previous secret signs too until it expires.
  secret_key_id text collate "C" not null,
  secret bytea not null,
  previous_secret bytea,
  previous_secret_expires_at timestamptz(3),
  event_id text collate "C" not null,
  hash text collate "C" not null,
  body text not null,
  primary key (world_id, endpoint_id),
  check ((previous_secret is null) = (previous_secret_expires_at is null))
);
create index endpoints_by_creation on endpoints (world_id, created_at desc, endpoint_id desc) where deleted_at is null;

-- How messages of an endpoint are rendered. A message keeps the revision of its first attempt.
create table endpoint_revisions (
  world_id integer not null,
  endpoint_id text collate "C" not null,
  revision integer not null,
  rendering text collate "C" not null check (rendering in ('plain', 'personal')),
  format text collate "C" not null default 'json' check (format = 'json'),
  schema_version text collate "C" not null,
  created_at timestamptz(3) not null,
  primary key (world_id, endpoint_id, revision)
);

-- How far an endpoint's messages are settled. `epoch` is that of the lease under which it was claimed: whoever lost the
-- lease finds no row to update.
create table cursors (
  world_id integer not null,
  endpoint_id text collate "C" not null,
  epoch bigint not null,
  log_epoch integer not null,
  sequence bigint not null,
  recorded_at timestamptz(3) not null,
  -- The last event up to here that was owed to the endpoint.
  previous bigint,
  -- The circuit: since when the endpoint is broken, and when it is probed next.
  broken_since timestamptz(3),
  probes integer not null default 0,
  probe_at timestamptz(3),
  saved_at timestamptz(3) not null default now(),
  primary key (world_id, endpoint_id)
) with (fillfactor = 20);

-- Sixteen shares of all endpoints of all worlds; a share is sent by the one process that holds its lease.
create table sender_leases (
  share smallint primary key,
  epoch bigint not null default 0,
  holder text collate "C",
  expires_at timestamptz(3)
) with (fillfactor = 20);
insert into sender_leases (share) select generate_series(0, 15);

-- Processes that would send, so that they can divide the shares among themselves.
create table senders (
  sender text collate "C" primary key,
  seen_at timestamptz(3) not null
) with (fillfactor = 20);

create table attempts (
  world_id integer not null,
  endpoint_id text collate "C" not null,
  -- 0 for an endpoint.test, which is not in the log.
  sequence bigint not null,
  started_at timestamptz(3) not null,
  attempt integer not null,
  event_id text collate "C" not null,
  type text collate "C" not null,
  correlation_id text collate "C" not null,
  outcome text collate "C" not null
    check (outcome in ('delivered', 'refused', 'failed', 'timed_out', 'called_off')),
  duration_ms integer not null,
  status smallint,
  error text collate "C",
  -- The first 4 KiB of the reply.
  reply text,
  redrive text collate "C",
  primary key (world_id, endpoint_id, sequence, started_at, attempt)
) partition by range (started_at);
create index attempts_by_time on attempts (world_id, endpoint_id, started_at desc);

create table parked_messages (
  world_id integer not null,
  endpoint_id text collate "C" not null,
  sequence bigint not null,
  recorded_at timestamptz(3) not null,
  state text collate "C" not null check (state in ('retry', 'in_flight', 'behind')),
  -- The job, or the object that the event is about; as the endpoint's order says.
  lane text collate "C" not null,
  previous bigint,
  attempts integer not null,
  rung integer not null,
  due_at timestamptz(3) not null,
  failed_since timestamptz(3),
  first_attempt_at timestamptz(3),
  revision integer,
  -- The dead letter that it is sent again for; empty for a first sending.
  redrive text collate "C" not null default '',
  primary key (world_id, endpoint_id, sequence, redrive)
) with (fillfactor = 50);

create table dead_letters (
  world_id integer not null,
  dead_letter_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  sequence bigint not null,
  recorded_at timestamptz(3) not null,
  event_id text collate "C" not null,
  type text collate "C" not null,
  job_id text collate "C",
  correlation_id text collate "C" not null,
  previous bigint,
  revision integer not null,
  reason text collate "C" not null check (reason in ('tries_used', 'aborted_by_receiver', 'too_large')),
  state text collate "C" not null check (state in ('dead', 'redriving', 'delivered')),
  attempts integer not null,
  first_attempt_at timestamptz(3) not null,
  died_at timestamptz(3) not null,
  last_status smallint,
  last_error text collate "C",
  settled_at timestamptz(3),
  primary key (world_id, dead_letter_id),
  unique (world_id, endpoint_id, sequence)
);
create index dead_letters_by_death on dead_letters (world_id, died_at desc, dead_letter_id desc);

-- What the API asks senders to send again; a line goes when the sender has taken it on.
create table redrive_requests (
  world_id integer not null,
  dead_letter_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  requested_at timestamptz(3) not null,
  primary key (world_id, dead_letter_id)
);
