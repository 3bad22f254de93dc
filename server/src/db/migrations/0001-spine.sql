-- The spine: worlds and who may enter them, the head of each world, the log, idempotency, personal-data keys.
-- Formats are explained in ARCHITECTURE.md; rows in these tables are written by the ledger and by nobody else.

create table organizations (
  organization_id text collate "C" primary key,
  name text not null check (name <> ''),
  created_at timestamptz(3) not null default now()
);

create table tenants (
  tenant_id text collate "C" primary key,
  organization_id text collate "C" not null references organizations,
  name text not null check (name <> ''),
  created_at timestamptz(3) not null default now()
);

create table worlds (
  world_id integer generated always as identity primary key,
  tenant_id text collate "C" not null references tenants,
  world text collate "C" not null check (world in ('live', 'test')),
  unique (tenant_id, world)
);

-- The head of a world's log: the one row that writers of a world wait for. No foreign key refers to it, and it is
-- updated with every batch, hence the room left on its pages.
create table heads (
  world_id integer primary key,
  sequence bigint not null default 0 check (sequence >= 0),
  recorded_at timestamptz(3) not null default now(),
  log_epoch integer not null default 1,
  config_version bigint not null default 1,
  chain bytea not null default '\x0000000000000000000000000000000000000000000000000000000000000000'
    check (octet_length(chain) = 32)
) with (fillfactor = 10);

-- The log. `body` holds the exact bytes of the event with personal values cut out; `personal` holds these, sealed
-- per data subject; chain = SHA-256(chain before, SHA-256(body, personal)).
create table events (
  world_id integer not null,
  sequence bigint not null,
  recorded_at timestamptz(3) not null,
  event_id text collate "C" not null,
  type text collate "C" not null,
  topics text collate "C" not null,
  job_id text collate "C",
  job_sequence integer,
  channel_id text collate "C",
  data_id text collate "C" not null,
  correlation_id text collate "C" not null,
  body text not null,
  personal bytea not null,
  chain bytea not null,
  primary key (world_id, sequence, recorded_at)
) partition by range (recorded_at);

create index events_by_job on events (world_id, job_id, job_sequence) where job_id is not null;

-- The first sequence of each day: bounds in time what is asked for by sequence alone.
create table event_marks (
  world_id integer not null,
  day date not null,
  first_sequence bigint not null,
  primary key (world_id, day)
);

-- Replies to requests that carried an Idempotency-Key. `envelope` is the reply with a mark where the document of
-- `event_id` goes; no secret and no personal value is in it.
create table idempotency_keys (
  world_id integer not null,
  key_hash bytea not null,
  recorded_at timestamptz(3) not null,
  fingerprint bytea not null,
  status smallint not null,
  version integer,
  location text collate "C",
  event_id text collate "C",
  event_ids text collate "C" not null,
  envelope text not null,
  primary key (world_id, key_hash, recorded_at)
) partition by range (recorded_at);

-- One key per data subject, sealed under the server's master key. Erasing a person sets it to null: what was sealed
-- under it can then never be read again, while bodies, numbers and chains still verify.
create table subjects (
  world_id integer not null,
  subject_id text collate "C" not null,
  sealed_key bytea,
  erased_at timestamptz(3),
  primary key (world_id, subject_id),
  check ((sealed_key is null) = (erased_at is not null))
);
