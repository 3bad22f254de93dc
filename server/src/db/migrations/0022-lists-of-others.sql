-- Proposals and vehicles by each filter of their lists. A proposal's identifier is in the order of their making.

drop index proposals_by_job;
create index proposals_by_job on proposals (world_id, job_id, proposal_id);
create index proposals_by_status on proposals (world_id, status, proposal_id);
create index vehicles_by_hub on vehicles (world_id, parent_id) where parent_id is not null;
