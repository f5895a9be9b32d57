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
1	1754	1	3	hmi	m_45s	I	0	{id,3,data,"",n,NULL,t,"NULL",u,"null"}
1	1754	1	4	hmi	m_45s	I	0	{id,10,data,"quo\\"te",n,"back\\\\slash",t,"nl\nnl",u,"tab\ttab"}
1	1754	1	5	hmi	m_45s	I	0	{id,16,data,"\\\\N",n,"\\\\.",t,apo's,u,a;b--c}
1	1754	1	6	hmi	m_45s	I	0	{id,23,data,infinity,n,"\\\\x5c22",t,"{{a,b},{\\"c d\\",NULL}}",u,"\b\f\v\ré"}
\.

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
