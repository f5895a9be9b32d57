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
COPY "_jsoc"."sl_log_archive" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;
1	1210	2	101	aia	lev1	I	0	{recnum,3}
\.

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
