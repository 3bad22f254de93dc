-- Who deletes a vehicle is told which drivers take it. Nothing is to be done by the operator.
create index drivers_by_vehicle on drivers (world_id, (body::json ->> 'vehicle_id')) where deleted_at is null;
