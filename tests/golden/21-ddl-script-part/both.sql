------------------------------------------------------------------
-- Slony-I log shipping archive
-- Node 1, Event 5000000021
------------------------------------------------------------------
set session_replication_role to replica;
start transaction;
select "_jsoc".archiveTracking_offline('7', '2026-11-20 21:39:46.151991+00');
-- end of log archiving header
------------------------------------------------------------------
-- start of Slony-I data
------------------------------------------------------------------
-- DDL_SCRIPT
set session_replication_role to local;

alter table hmi.m_45s add column c text references aia.lev1 (note);
set session_replication_role to replica;


------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
