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
insert into "aia"."lev1" ("recnum","note") values ('1',NULL);
update only "hmi"."m_45s" set "c"='b',"d"=NULL where "recnum"='1';
delete from only "aia"."lev1" where "recnum"='1';
TRUNCATE TABLE ONLY "hmi"."m_45s" CASCADE;
update only "hmi"."m_45s" set "recnum"='2' where "recnum"='2';
TRUNCATE TABLE ONLY "aia"."lev1" CASCADE;
insert into "hmi"."m_45s" ("recnum","c") values ('1','a');
insert into "aia"."lev1" ("recnum","note") values ('1',NULL);
insert into "hmi"."m_45s" ("recnum","c") values ('1','a');

select "_jsoc".sequenceSetValue_offline(7,'123');

select "_jsoc".sequenceSetValue_offline(8,'-5');

select "_jsoc".sequenceSetValue_offline(9,'1');

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
