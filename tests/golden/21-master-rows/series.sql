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
insert into "hmi"."drms_series" ("seriesname","author","archive","retention") values ('hmi.M_45s','A ''B''','1','30');
update only "hmi"."drms_series" set "retention"='60',"description"='new, text',"archive"='0' where "seriesname"='hmi.M_45s';
update only "hmi"."drms_series" set "retention"='90',"tapegroup"=NULL where "seriesname"='hmi.M_45s';
update only "hmi"."drms_series" set "author"='C D' where "seriesname"='hmi.M_45s';

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
