-- Lists of jobs by their filters, however many jobs there are. The identifier of a job carries the time at which it was
-- made, so that every index that ends with it is in the order of the list.

-- The primary key has the same order.
drop index jobs_by_creation;
create index jobs_by_status on jobs (world_id, channel_id, status, job_id) where deleted_at is null;

-- Whether the job has ended: drivers ask for those that have not, out of all that they ever had.
alter table tasks add column job_ended boolean not null default false;
update tasks t set job_ended = true
from jobs j
where j.world_id = t.world_id and j.job_id = t.job_id
  and j.status in ('completed', 'partially_completed', 'failed', 'cancelled');
create index tasks_of_driver_now on tasks (world_id, driver_id, job_id) where driver_id is not null and not job_ended;

-- Under which terms a job is found (jobs/job-terms.ts): tags, metadata, group, priority, days, words of its references.
-- One row for each, so that a filter by one reads nothing but its own matches, newest first.
create table job_terms (
  world_id integer not null,
  term text collate "C" not null,
  job_id text collate "C" not null,
  primary key (world_id, term, job_id)
);

-- The terms of the jobs that are there, as job-terms.ts makes them.
create temporary table found_words on commit drop as
with documents as (
  select world_id, job_id, body::jsonb as job from jobs
), tasks_of as (
  select world_id, job_id, task
  from documents, jsonb_array_elements((job -> 'pickups') || (job -> 'deliveries')) as task
), texts as (
  select world_id, job_id, job ->> 'reference' as text, true as is_reference from documents
  union all select world_id, job_id, job ->> 'group_reference', true from documents
  union all select world_id, job_id, task ->> 'reference', true from tasks_of
  union all select world_id, job_id, item ->> name, false
  from tasks_of, jsonb_array_elements(task -> 'items') as item, unnest(array['reference', 'barcode']) as name
), whole as (
  select world_id, job_id, lower(regexp_replace(text, '\s', ' ', 'g')) as word, is_reference from texts where text is not null
)
select world_id, job_id, word from whole
union
select w.world_id, w.job_id, substr(w.word, number.at)
from whole w, lateral (
  select at from generate_series(2, char_length(w.word)) as at
  where w.is_reference and substr(w.word, at, 3) ~ '^[0-9]{3}' and substr(w.word, at - 1, 1) !~ '[0-9]'
  order by at limit 3
) as number;

insert into job_terms (world_id, term, job_id)
with documents as (
  select world_id, job_id, body::jsonb as job from jobs
), texts as (
  select world_id, job_id, 't' as kind, text from documents, jsonb_array_elements_text(job -> 'tags') as text
  union all select world_id, job_id, 'm', key || '=' || value from documents, jsonb_each_text(job -> 'metadata')
  union all select world_id, job_id, 'g', job ->> 'group_reference' from documents
), windows as (
  select world_id, job_id, date_part('epoch', (task #>> '{service_window,start}')::timestamptz) / 86400 as first,
    date_part('epoch', (task #>> '{service_window,end}')::timestamptz) / 86400 as last
  from documents, jsonb_array_elements((job -> 'pickups') || (job -> 'deliveries')) as task
  where task ->> 'service_window' is not null
)
select world_id, case when char_length(text) <= 160 then kind || '/' || text
  else kind || '#' || left(encode(sha256(convert_to(text, 'UTF8')), 'hex'), 32) end, job_id
from texts where text is not null
union select world_id, 'p/' || (job ->> 'priority'), job_id from documents where job ->> 'priority' <> 'standard'
union select world_id, 'd/' || to_char(to_timestamp(day * 86400) at time zone 'UTC', 'YYYY-MM-DD'), job_id
from windows, generate_series(floor(first)::int, floor(last)::int) as day where floor(last) - floor(first) < 8
union select world_id, 'd/long', job_id from windows where floor(last) - floor(first) >= 8
union select world_id, 'w/' || word, job_id from found_words;

update jobs j set search_text = w.text
from (
  select world_id, job_id, string_agg(E'\n' || word, '') as text from found_words group by world_id, job_id
) w
where w.world_id = j.world_id and w.job_id = j.job_id;
