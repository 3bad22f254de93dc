-- How often a channel sent orders that were there already: the numerator of its duplicate rate. Written by the ledger
-- with the answer to such an order, one row for each channel and day (UTC).

create table duplicate_orders (
  world_id integer not null,
  channel_id text collate "C" not null,
  day date not null,
  -- The same order again: answered with the job that it made.
  identical integer not null check (identical >= 0),
  -- Another order under the same reference: refused.
  different integer not null check (different >= 0),
  primary key (world_id, channel_id, day)
);
