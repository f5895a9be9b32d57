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
1	900	9	1	hmi	drms_series	I	0	{seriesname,hmi.M_45s,author,"A B",archive,1,retention,30,tapegroup,2}
1	900	9	2	hmi	drms_keyword	I	0	{seriesname,hmi.M_45s,keywordname,T_REC,description,"time; of record"}
1	900	9	3	hmi	drms_keyword	I	0	{seriesname,hmi.V_45s,keywordname,T_REC,description,x}
1	900	9	4	hmi	drms_link	D	0	{seriesname,hmi.M_45s,linkname,L}
1	900	9	5	hmi	drms_segment	U	1	{cparms,"compress Rice",seriesname,hmi.M_45s,segmentname,magnetogram}
1	900	9	6	hmi	drms_series	U	3	{retention,60,description,"new text",archive,0,seriesname,hmi.M_45s}
1	900	9	7	hmi	drms_series	U	2	{retention,90,tapegroup,4,seriesname,hmi.M_45s}
1	900	9	8	hmi	drms_series	U	1	{author,"C D",seriesname,hmi.M_45s}
1	900	9	9	aia	drms_keyword	I	0	{seriesname,hmi.M_45s,keywordname,ELSEWHERE}
1	900	9	10	hmi	drms_segment	U	1	{retention,1,seriesname,hmi.M_45s,segmentname,magnetogram}
\.

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
