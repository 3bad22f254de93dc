-- How many messages of each endpoint came in time, and on whose side the lateness of the others lay: counted by senders as
-- messages are settled, for each hour. Counting begins with this migration. Nothing is to be done by the operator.

create table delivery_tallies (
  world_id integer not null,
  endpoint_id text collate "C" not null,
  hour timestamptz(3) not null,
  on_time bigint not null,
  late_by_us bigint not null,
  late_by_endpoint bigint not null,
  primary key (world_id, endpoint_id, hour)
) partition by range (hour);
