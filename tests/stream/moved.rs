//! A set moves to another origin and back: the archives go on, and so do the sites.

use std::fs;

use crate::support::slony::{ARCHIVER, ORIGIN};
use crate::support::station::log_name;
use crate::support::{Site, Station};
use crate::{THIRD, alone, change, cluster};

/// An archive that says nothing but that a set was accepted.
const ACCEPTED: &str = "\
DASHES
-- Slony-I log shipping archive
-- Node EVENT
DASHES
set session_replication_role to replica;
start transaction;
select \"_jsoc\".archiveTracking_offline('COUNTER', '2026-01-01 00:00:00+00');
-- end of log archiving header
DASHES
-- start of Slony-I data
DASHES
-- ACCEPT_SET

DASHES
-- End Of Archive Log
DASHES
commit;
vacuum analyze \"_jsoc\".sl_archive_tracking;
";

/// Moves set 2 and waits until the archiver knows it.
fn move_set(from: u32, to: u32) {
    let cluster = cluster();
    let restarts = || cluster.slon_said(ARCHIVER).matches("slon: restart of worker in").count();
    let before = restarts();
    cluster.slonik(&format!(
        "lock set (id = 2, origin = {from});\n\
         move set (id = 2, old origin = {from}, new origin = {to});"
    ));
    let origin = format!("select 1 from _jsoc.sl_set where set_id = 2 and set_origin = {to}");
    for database in [ORIGIN, ARCHIVER, THIRD] {
        cluster
            .wait_for("the set to move", || (cluster.server().query(database, &origin) == "1").then_some(()));
    }
    // slon ends itself then, and would rest for up to 20 s before it comes back.
    cluster.wait_for("slon to end", || (restarts() > before).then_some(()));
    cluster.stop_slon(ARCHIVER);
    cluster.start_slon(ARCHIVER, &[]);
}

/// Waits until everything is split. slon commits an `ACCEPT_SET` before it names the archive, and ends itself then: at
/// times the archive keeps its `.tmp` for ever. The splitter must wait and say so; the operator gives the archive its
/// name. There is nothing in it.
#[track_caller]
fn mend(station: &Station<'_>, until: u64) {
    let cluster = cluster();
    station.wait_for("the splitter", || {
        let at = station.counter().expect("the splitter has begun");
        let missing = cluster.archive_dir().join(log_name(at + 1));
        if station.said().contains(&format!("archive {} has committed, but", at + 1)) && !missing.exists() {
            let event = "select ev_origin || ', Event ' || ev_seqno from _jsoc.sl_event \
                         where ev_type = 'ACCEPT_SET' order by ev_timestamp desc limit 1";
            let empty = || {
                ACCEPTED
                    .replace("DASHES", &"-".repeat(66))
                    .replace("EVENT", &cluster.server().query(ARCHIVER, event))
                    .replace("COUNTER", &(at + 1).to_string())
            };
            // Seen whole under its first name; slon may also die before it has written it.
            let left = fs::read_to_string(missing.with_extension("sql.tmp")).ok();
            let whole = left.filter(|text| text.ends_with("sl_archive_tracking;\n"));
            assert!(whole.as_ref().is_none_or(|text| text.contains("\n-- ACCEPT_SET\n")), "{whole:?}");
            fs::write(&missing, whole.unwrap_or_else(empty)).expect("write an archive");
        }
        (at >= until).then_some(())
    });
}

#[test]
fn a_set_moves_to_a_third_node_and_back() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "moved.a subscribe\nmoved.b subscribe");
    mps.subscribe(&station, "moved.b subscribe");
    let compare = |database: &str| {
        mend(&station, cluster.sync_from(database));
        nso.assert_equal(&station, &["moved.a", "moved.b"]);
        mps.assert_equal(&station, &["moved.b"]);
        for table in ["moved.a", "moved.b"] {
            let rows = crate::support::slony::rows(table);
            assert_eq!(cluster.server().query(database, &rows), cluster.server().query(ARCHIVER, &rows));
        }
    };
    let write = |database: &str| {
        cluster.server().execute(database, &(change("moved.a") + &change("moved.b")));
    };
    write(ORIGIN);
    move_set(1, 3);
    write(THIRD);
    compare(THIRD);
    write(THIRD);
    move_set(3, 1);
    write(ORIGIN);
    compare(ORIGIN);
}
