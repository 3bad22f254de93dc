-- The inbox of exceptions by any filter. An exception's identifier carries the time at which it was opened: indexes that
-- end with it are in the order of the list.

-- The primary key has the same order.
drop index exceptions_by_opening;
drop index exceptions_by_job;
create index exceptions_by_job on exceptions (world_id, job_id, exception_id);
create index exceptions_by_code on exceptions (world_id, code, exception_id);
create index exceptions_by_channel on exceptions (world_id, channel_id, exception_id);
-- What is open, the one whose answer is due first first.
create index exceptions_by_urgency on exceptions (world_id, respond_by, exception_id) where status <> 'resolved';
