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
1	1190	\N	7	\N	\N	S	\N	{"alter table hmi.m_45s add q int;","",""}
1	1190	\N	8	\N	\N	S	\N	{"\n-- lev1\nalter table aia.lev1 add q int;","",""}
1	1190	\N	9	\N	\N	S	\N	{"\n-- done\n","",""}
1	1190	\N	10	\N	\N	s	\N	{}
1	1190	\N	11	\N	\N	S	\N	{"comment on table aia.lev1 is '\\\\\\"x\\"';","",""}
1	1190	\N	12	\N	\N	s	\N	{}
\.

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
