\set ON_ERROR_STOP on
------------------------------------------------------------------
-- Slony-I log shipping archive
-- Node 1, Event 5000000021
------------------------------------------------------------------
start transaction;
select "_jsoc".site_log_offline(1);
select "_jsoc".archiveTracking_offline('7', '2026-11-20 21:39:46.151991+00');
-- end of log archiving header
------------------------------------------------------------------
-- start of Slony-I data
------------------------------------------------------------------
COPY "_jsoc"."sl_log_archive" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;
1	900	9	4	hmi	drms_series	I	0	{seriesname,hmi.M_45s,author,x}
\.

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
