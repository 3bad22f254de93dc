-- Channels: the order sources of a tenant, with their settings in each of its two worlds.

create table channels (
  world_id integer not null,
  channel_id text collate "C" not null,
  name text not null check (name <> ''),
  hub_id text collate "C",
  accept text collate "C" not null check (accept in ('on_create', 'by_dispatch')),
  strict_transitions boolean not null,
  undo_grace_s integer not null check (undo_grace_s >= 0),
  visits_max integer not null check (visits_max >= 1),
  reason_aliases text not null,
  ownership text not null,
  version integer not null check (version >= 1),
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  event_id text collate "C",
  event_hash text collate "C",
  primary key (world_id, channel_id)
);
