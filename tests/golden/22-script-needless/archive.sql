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
1	1190	\N	7	\N	\N	S	\N	{"alter table hmi.m_45s owner to jsoc;","",""}
1	1190	\N	8	\N	\N	S	\N	{"alter table hmi.child add foreign key (x) references hmi.m_45s on delete cascade;","",""}
1	1190	\N	9	\N	\N	S	\N	{"grant select on hmi.m_45s to nobody;","",""}
1	1190	\N	10	\N	\N	S	\N	{"alter table hmi.m_45s set unlogged;","",""}
1	1190	\N	11	\N	\N	S	\N	{"create trigger t after delete on hmi.m_45s for each row execute procedure hmi.f();","",""}
1	1190	\N	99	\N	\N	s	\N	{}
1	1210	1	100	hmi	m_45s	I	0	{recnum,3}
1	1210	2	101	aia	lev1	I	0	{recnum,3}
\.

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
