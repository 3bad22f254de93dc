-- API keys. The secret is never kept: only its SHA-256, and a prefix by which a person recognises it.

create table keys (
  world_id integer not null references worlds,
  key_id text collate "C" not null,
  secret_hash bytea not null,
  created_at timestamptz(3) not null,
  revoked_at timestamptz(3),
  expires_at timestamptz(3),
  body text not null,
  personal bytea not null,
  event_id text collate "C" not null,
  hash text collate "C" not null,
  primary key (world_id, key_id),
  constraint keys_secret_hash_unique unique (secret_hash)
);

-- When each key was last used; telemetry, written by the server outside the ledger.
create table key_uses (
  world_id integer not null,
  key_id text collate "C" not null,
  last_used_at timestamptz(3) not null,
  last_used_from text,
  primary key (world_id, key_id)
);
