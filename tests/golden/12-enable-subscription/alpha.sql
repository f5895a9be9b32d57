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
-- ENABLE_SUBSCRIPTION
delete from only "hmi"."m_45s";
copy "hmi"."m_45s" ("recnum","note") from stdin;
1	initial; row
2	\N
\.
select "_jsoc".finishTableAfterCopy(1); analyze "hmi"."m_45s"; 
select "_jsoc".sequenceSetValue_offline('hmi','m_45s_seq','1');

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
