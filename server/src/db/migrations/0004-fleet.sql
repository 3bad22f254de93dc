-- Drivers, vehicles and hubs: documents like customers and addresses (0002-parties.sql), with the same columns.

create table hubs (
  world_id integer not null,
  id text collate "C" not null,
  -- The caller's `reference` of it.
  external_id text collate "C",
  parent_id text collate "C",
  status text collate "C",
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  deleted_at timestamptz(3),
  fingerprint bytea,
  event_id text collate "C" not null,
  hash text collate "C" not null,
  body text not null,
  personal bytea not null,
  primary key (world_id, id)
);
create unique index hubs_external_id on hubs (world_id, external_id)
  where external_id is not null and deleted_at is null;
create index hubs_by_creation on hubs (world_id, created_at desc, id desc);
create index hubs_by_update on hubs (world_id, updated_at, id);

create table drivers (
  world_id integer not null,
  id text collate "C" not null,
  -- The caller's `reference` of it.
  external_id text collate "C",
  -- The hub that it starts from.
  parent_id text collate "C",
  status text collate "C",
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  deleted_at timestamptz(3),
  fingerprint bytea,
  event_id text collate "C" not null,
  hash text collate "C" not null,
  body text not null,
  personal bytea not null,
  primary key (world_id, id)
);
create unique index drivers_external_id on drivers (world_id, external_id)
  where external_id is not null and deleted_at is null;
create index drivers_by_creation on drivers (world_id, created_at desc, id desc);
create index drivers_by_update on drivers (world_id, updated_at, id);
create index drivers_by_hub on drivers (world_id, parent_id) where parent_id is not null;

create table vehicles (
  world_id integer not null,
  id text collate "C" not null,
  -- The caller's `reference` of it.
  external_id text collate "C",
  -- The hub that it stands at.
  parent_id text collate "C",
  status text collate "C",
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  deleted_at timestamptz(3),
  fingerprint bytea,
  event_id text collate "C" not null,
  hash text collate "C" not null,
  body text not null,
  personal bytea not null,
  primary key (world_id, id)
);
create unique index vehicles_external_id on vehicles (world_id, external_id)
  where external_id is not null and deleted_at is null;
create index vehicles_by_creation on vehicles (world_id, created_at desc, id desc);
create index vehicles_by_update on vehicles (world_id, updated_at, id);
