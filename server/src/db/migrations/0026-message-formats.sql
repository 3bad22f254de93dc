-- In which form an endpoint's messages go out, and what is made of them on the way. Nothing is to be done by the operator:
-- what there is goes on being sent as native JSON.

alter table endpoint_revisions drop constraint endpoint_revisions_format_check;
update endpoint_revisions set format = 'native';
alter table endpoint_revisions
  alter column format drop default,
  add check (format in ('native', 'cloudevents_structured', 'cloudevents_binary')),
  -- A JSONata expression, of which the message is the result; null: the event itself is sent.
  add column transform text;
