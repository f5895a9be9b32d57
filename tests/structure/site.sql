-- What a site has before it gets the table of everything.sql: types, functions, extensions.
create extension btree_gist;
create schema "Odd Schema";
create schema types;
create type types."Mo'od" as enum ('so,so', 'it''s');
create type types.pair as (x integer, "Y" text);
create domain types.positive as integer check (value > 0);
create domain types.word as text collate "C";
create function types.twice(integer) returns integer language sql immutable as 'select $1 * 2';
