-- The trace (W3C traceparent) of the request that an event comes from, so that the attempts to send it, later and in
-- other processes, belong to the same trace. Null where the request named none and nobody collects traces.
alter table events add column traceparent text collate "C";
