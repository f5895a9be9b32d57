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
insert into "hmi"."m_45s" ("recnum","c") values ('1','a');
insert into hmi.drms_keyword (seriesname,
 keywordname) values ('hmi.M_45s',
 'T_REC');
insert into hmi.drms_segment (seriesname, segmentname) values ('hmi.M_45s', 'magnetogram');
insert into hmi.drms_link (seriesname, linkname) values ('hmi.V_45s', 'l');

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
