\set ON_ERROR_STOP on
------------------------------------------------------------------
-- Slony-I log shipping archive
-- Node 1, Event 5000000021
------------------------------------------------------------------
start transaction;
select "_jsoc".site_log_offline(1);
set local standard_conforming_strings to off;
set local escape_string_warning to off;
select "_jsoc".archiveTracking_offline('7', '2026-11-20 21:39:46.151991+00');
-- end of log archiving header
------------------------------------------------------------------
-- start of Slony-I data
------------------------------------------------------------------
select "_jsoc".runScript_offline(E'create index m_45s_i on hmi.m_45s (recnum)');
select "_jsoc".runScript_offline(E'comment on table hmi.m_45s is ''x''');
select "_jsoc".runScript_offline(E'alter table only hmi.m_45s add column q int');
select "_jsoc".runScript_offline(E'drop table hmi.m_45s');
select "_jsoc".sequenceSetValue_offline('hmi','m_45s_seq','123');

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
