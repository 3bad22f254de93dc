-- Which master key the database was made with, so that a server with another one refuses to start.

create table master_keys (
  only_one boolean primary key default true check (only_one),
  fingerprint text collate "C" not null
);
