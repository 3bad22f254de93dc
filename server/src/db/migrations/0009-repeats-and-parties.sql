-- A repeated client_event_id is answered with all events of the first (separated by blanks), not with the last alone.
-- Null: only `event_id` was kept.
alter table client_events add column event_ids text collate "C";

-- For which operation an idempotency key was used, to name it when the key comes again with another. Null: not kept.
alter table idempotency_keys add column operation text collate "C";

-- Whose tasks are still open, and which saved address they copied: a change of a customer or of an address reaches open
-- jobs by a command that finds them here.
alter table tasks add column customer_id text collate "C", add column address_id text collate "C";

update tasks t set customer_id = d.task -> 'contact' ->> 'customer_id', address_id = d.task -> 'address' ->> 'id'
from jobs j,
  lateral (select jsonb_array_elements((j.body::jsonb -> 'pickups') || (j.body::jsonb -> 'deliveries')) as task) d
where t.world_id = j.world_id and t.job_id = j.job_id and t.task_id = d.task ->> 'id';

create index tasks_open_by_customer on tasks (world_id, customer_id, job_id)
  where customer_id is not null and status not in ('completed', 'failed', 'cancelled');
create index tasks_open_by_address on tasks (world_id, address_id, job_id)
  where address_id is not null and status not in ('completed', 'failed', 'cancelled');
