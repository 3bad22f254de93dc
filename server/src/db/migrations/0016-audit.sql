-- The audit: from where each write came, and a second chain for what writes nothing but has to be known. Nothing is to be
-- done by the operator.

-- From where an event came: the command, the address that called, and the key where that is not the actor. It is not part of
-- the event, which consumers get. origin_chain = SHA-256 over the chain before and this (ledger/origin.ts); null for what
-- no request brought, and for what was written before this migration.
alter table events
  add column origin text,
  add column origin_chain bytea,
  add check ((origin is null) = (origin_chain is null));

-- origin_chain of the last event that has one.
alter table heads add column origin_chain bytea not null
  default '\x0000000000000000000000000000000000000000000000000000000000000000' check (octet_length(origin_chain) = 32);

-- Refused logins, refusals for want of a scope, reads that showed personal values, words of the operator. Each process
-- numbers and chains its own rows (audit/access-chain.ts). World 0: of no world that is known.
create table access_entries (
  world_id integer not null,
  recorded_at timestamptz(3) not null,
  process_id text collate "C" not null,
  number bigint not null check (number > 0),
  body text not null,
  chain bytea not null,
  primary key (world_id, recorded_at, process_id, number)
) partition by range (recorded_at);
create unique index access_entries_by_process on access_entries (process_id, number, recorded_at);

-- The end of each process's chain.
create table access_chains (
  process_id text collate "C" primary key,
  opened_at timestamptz(3) not null,
  number bigint not null,
  recorded_at timestamptz(3) not null,
  chain bytea not null check (octet_length(chain) = 32)
);
