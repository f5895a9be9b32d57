------------------------------------------------------------------
-- Slony-I log shipping archive
-- Node 1, Event 5000000021
------------------------------------------------------------------
start transaction;
select "_jsoc".archiveTracking_offline('7', '2026-11-20 21:39:46.151991+00');
-- end of log archiving header
------------------------------------------------------------------
-- start of Slony-I data
------------------------------------------------------------------
-- ENABLE_SUBSCRIPTION
delete from only "aia"."lev1";
copy "aia"."lev1" ("recnum") from stdin;
\.
select "_jsoc".finishTableAfterCopy(2); analyze "aia"."lev1"; 
select "pg_catalog".setval('"aia"."lev1_seq"', '4'); 

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
