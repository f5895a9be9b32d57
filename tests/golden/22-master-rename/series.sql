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
1	900	9	1	hmi	drms_series	U	1	{seriesname,HMI.m_45s,seriesname,hmi.M_45s}
1	900	9	2	hmi	drms_series	U	1	{seriesname,hmi.v_45s,seriesname,hmi.M_45s}
\.

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
