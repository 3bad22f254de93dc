-- Who runs on this database, which channels a key is bound to, and in which version of the API a reply was first given.

-- One row for each process that is alive, of all tenants alike: telemetry, written outside the ledger. What is shared
-- between processes (the limits of keys) is divided by how many of them there are.
create table processes (
  process_id text collate "C" primary key,
  -- `api`, `sender` or `api,sender`.
  roles text collate "C" not null,
  version text collate "C" not null,
  host text not null,
  pid integer not null,
  started_at timestamptz(3) not null,
  seen_at timestamptz(3) not null
) with (fillfactor = 20);

-- Null: the key reaches all channels of its tenant. As in the document, so that a list can go by it.
alter table keys add column channel_ids text[] collate "C";
update keys set channel_ids = array(select jsonb_array_elements_text(body::jsonb -> 'channel_ids'))
  where jsonb_typeof(body::jsonb -> 'channel_ids') = 'array';

-- A repeat is answered in the version of the first reply.
alter table idempotency_keys add column api_version text collate "C" not null default '2026-11-01';
