-- What receivers ask for beside their answers, and messages that an endpoint is not sent because they are not worth it any
-- more. Nothing is to be done by the operator.

-- `webhook-delivery` and `Retry-After` as the receiver answered; existing rows fit.
alter table attempts
  add column control text collate "C",
  add column retry_after_s integer,
  add constraint attempts_control_check check (control in ('abort', 'pause')) not valid,
  add constraint attempts_retry_after_check check (retry_after_s between 0 and 86400) not valid;

-- What makes a message outdated: a newer one with the same subject, or its time to live. Null: nothing does.
alter table parked_messages
  add column subject text collate "C",
  add column expires_at timestamptz(3);

-- Messages that were owed and are not sent, by the endpoint's own rule. Written by senders, kept like attempts.
create table left_out_messages (
  world_id integer not null,
  endpoint_id text collate "C" not null,
  sequence bigint not null,
  left_out_at timestamptz(3) not null,
  -- Of the event.
  recorded_at timestamptz(3) not null,
  reason text collate "C" not null check (reason in ('superseded', 'expired')),
  -- The event that goes out instead.
  superseded_by bigint,
  -- Tries that were made before.
  attempts integer not null,
  primary key (world_id, endpoint_id, sequence, left_out_at),
  check ((reason = 'superseded') = (superseded_by is not null))
) partition by range (left_out_at);
