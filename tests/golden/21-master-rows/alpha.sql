\set ON_ERROR_STOP on
------------------------------------------------------------------
-- Slony-I log shipping archive
-- Node 1, Event 5000000021
------------------------------------------------------------------
start transaction;
select "_jsoc".site_log_offline(1);
set local standard_conforming_strings to off;
set local escape_string_warning to off;
select "_jsoc".archiveTracking_offline('7', '2026-11-20 21:39:46.151991+00');
-- end of log archiving header
------------------------------------------------------------------
-- start of Slony-I data
------------------------------------------------------------------
insert into "hmi"."drms_series" ("seriesname","author","archive","retention") values ('hmi.M_45s','A ''B''','1','30');
insert into "hmi"."drms_keyword" ("seriesname","keywordname","description") values ('hmi.M_45s','T_REC','time; of record');
delete from only "hmi"."drms_link" where "seriesname"='hmi.M_45s' and "linkname"='L';
update only "hmi"."drms_segment" set "cparms"='compress Rice' where "seriesname"='hmi.M_45s' and "segmentname"='magnetogram';
update only "hmi"."drms_series" set "description"='new, text' where "seriesname"='hmi.M_45s';
update only "hmi"."drms_series" set "seriesname"='hmi.M_45s' where "seriesname"='hmi.M_45s';
update only "hmi"."drms_series" set "author"='C D' where "seriesname"='hmi.M_45s';

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
-- EOL
