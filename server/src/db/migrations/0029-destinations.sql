-- What an endpoint's destination wants to know before it takes anything (a broker's login, a shop's token), sealed like
-- its secret. Nothing is to be done by the operator.
alter table endpoints add column credentials bytea;
