-- Customers, the ways in which they are found, and addresses. A row of customers and addresses is a document: `body`
-- and `personal` are those of its last event (`event_id`, `hash`), the columns before them are by what it is found.

create table customers (
  world_id integer not null,
  id text collate "C" not null,
  external_id text collate "C",
  parent_id text collate "C",
  status text collate "C",
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  deleted_at timestamptz(3),
  fingerprint bytea,
  event_id text collate "C",
  hash text collate "C",
  -- Null while no event has told of the customer: a job's contact made it, and only jobs hold its values.
  body text,
  personal bytea,
  primary key (world_id, id),
  check ((event_id is null) = (body is null) and (event_id is null) = (personal is null))
);
create unique index customers_external_id on customers (world_id, external_id)
  where external_id is not null and deleted_at is null;
create index customers_by_creation on customers (world_id, created_at desc, id desc);
create index customers_by_update on customers (world_id, updated_at, id);

-- Which customer a telephone number or e-mail address belongs to, as HMAC-SHA-256 under the server's key: a job's
-- contact finds its customer here. Erasing the customer deletes its lines.
create table customer_contacts (
  world_id integer not null,
  contact_hash text collate "C" not null,
  customer_id text collate "C" not null,
  primary key (world_id, contact_hash)
);
create index customer_contacts_by_customer on customer_contacts (world_id, customer_id);

create table addresses (
  world_id integer not null,
  id text collate "C" not null,
  external_id text collate "C",
  -- The customer whose address it is.
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
create unique index addresses_external_id on addresses (world_id, external_id)
  where external_id is not null and deleted_at is null;
create index addresses_by_creation on addresses (world_id, created_at desc, id desc);
create index addresses_by_update on addresses (world_id, updated_at, id);
create index addresses_by_customer on addresses (world_id, parent_id) where parent_id is not null;
