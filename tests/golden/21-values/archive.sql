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
insert into "hmi"."m_45s" ("recnum","a","b","c","d") values ('1','it''s','back\\slash','ends in \\','\\\\'';\\');
insert into "aia"."lev1" ("recnum","a") values ('3',')
	values ("x");');
insert into "hmi"."m_45s" ("recnum","a") values ('2','one;

-- two

/* three
\\.
; four --');
insert into "aia"."lev1" ("recnum","é") values ('4',' ü $$ $a$ {} %s');

------------------------------------------------------------------
-- End Of Archive Log
------------------------------------------------------------------
commit;
vacuum analyze "_jsoc".sl_archive_tracking;
