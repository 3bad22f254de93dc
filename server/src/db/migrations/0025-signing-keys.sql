-- Ed25519 keys of endpoints, for receivers that should verify messages without being able to sign some themselves.
-- Nothing is to be done by the operator: what there is goes on being signed with its secret.

-- Sealed like the secret, under the same server's key. Null until an endpoint asks for such signatures. Until when the one
-- before the last rotation signs too stands in the document, beside the public keys.
alter table endpoints
  add column signing_key bytea,
  add column previous_signing_key bytea,
  add check (previous_signing_key is null or signing_key is not null);

-- Public keys are asked for by whoever receives, who knows the endpoint and nothing of its world.
create index endpoints_by_id on endpoints (endpoint_id) where deleted_at is null;
