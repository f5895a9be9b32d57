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
1	1754	1	3	hmi	m_45s	I	0	{id,3,data,"",n,NULL,t,"NULL",u,"null"}
1	1754	1	4	hmi	m_45s	I	0	{id,10,data,"quo\\"te",n,"back\\\\slash",t,"nl\nnl",u,"tab\ttab"}
1	1754	1	5	hmi	m_45s	I	0	{id,16,data,"\\\\N",n,"\\\\.",t,apo's,u,a;b--c}
1	1754	1	6	hmi	m_45s	I	0	{id,23,data,infinity,n,"\\\\x5c22",t,"{{a,b},{\\"c d\\",NULL}}",u,"\b\f\v\ré"}
1	1759	2	28	Odd Schema	We"ird,Tab{le}\\	U	2	{select,"x\\\\y\\"z","v\\"q",NULL,"K ey",K,"k\\\\2",1}
\.

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
