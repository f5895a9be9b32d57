//! Nothing of what Slony-I and its operators do otherwise is taken for a hole.

use crate::support::slony::{ARCHIVER, ORIGIN};
use crate::support::{Site, Station};
use crate::{THIRD, alone, apply_without_archives, archive_again, await_compared, cluster, row, suspects};

/// Everything is split, compared, and nothing is suspected. Where slon has died between the commit of an archive and its name, the
/// operator says so.
#[track_caller]
fn assert_quiet(station: &Station<'_>, what: &str, until: u64) {
    station.wait_for(what, || {
        let at = station.counter().expect("the splitter has begun");
        if station.said().contains(&format!("archive {} has committed, but", at + 1)) {
            station.command(&["split", "--accept-empty", &(at + 1).to_string()]);
        }
        (at >= until).then_some(())
    });
    await_compared(station, until);
    assert!(!station.has("work/holes"), "{what}: {}", station.read("work/holes"));
    assert!(!suspects(&station.said()), "{what}: {}", station.said());
}

/// Moves set 2 and waits until every node knows it; slon of the log-shipping node ends itself then.
fn move_set(from: u32, to: u32) {
    let cluster = cluster();
    let restarts = || cluster.slon_said(ARCHIVER).matches("slon: restart of worker in").count();
    let before = restarts();
    cluster.slonik(&format!(
        "lock set (id = 2, origin = {from});\nmove set (id = 2, old origin = {from}, new origin = {to});"
    ));
    let origin = format!("select 1 from _jsoc.sl_set where set_id = 2 and set_origin = {to}");
    for database in [ORIGIN, ARCHIVER, THIRD] {
        let moved = || (cluster.server().query(database, &origin) == "1").then_some(());
        cluster.wait_for("the set to move", moved);
    }
    cluster.wait_for("slon to end", || (restarts() > before).then_some(()));
    cluster.stop_slon(ARCHIVER);
    cluster.start_slon(ARCHIVER, &[]);
}

#[test]
fn groups_kills_scripts_sets_and_their_moves_are_no_holes() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1\nddl_unrouted=skip");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "quiet.a subscribe\nmoved.a subscribe");

    // SYNCs go on without slon of the log-shipping node, and are grouped then; the daemon is down meanwhile, and killed.
    station.kill();
    cluster.stop_slon(ARCHIVER);
    let syncs = || -> u64 {
        let count = "select count(*) from _jsoc.sl_event where ev_origin = 1 and ev_type = 'SYNC'";
        cluster.server().query(ORIGIN, count).parse().expect("a number")
    };
    let first = syncs();
    cluster.wait_for("many SYNCs", || {
        cluster.origin(&row("quiet", "grouped"));
        (syncs() >= first + 15).then_some(())
    });
    cluster.start_slon(ARCHIVER, &[]);
    cluster.sync();
    let groups = "select count(*) from (select from _jsoc.sl_confirm where con_received = 2 and con_origin = 1 \
                  group by xmin::text having count(*) > 3) g";
    assert_ne!(cluster.server().query(ARCHIVER, groups), "0", "no SYNCs were grouped");
    station.start();
    assert_quiet(&station, "groups", cluster.sync());

    for _ in 0..5 {
        cluster.origin(&row("quiet", "killed"));
        cluster.stop_slon(ARCHIVER);
        cluster.start_slon(ARCHIVER, &[]);
    }
    assert_quiet(&station, "kills", cluster.sync());

    cluster.execute_script("alter table quiet.a add column more text default 'more';", "");
    cluster.origin(&row("quiet", "after the script"));
    assert_quiet(&station, "a script", cluster.sync());

    cluster.create_set(3, &["late"]);
    cluster.subscribe(3, ARCHIVER);
    cluster.origin(&row("late", "before it is merged"));
    cluster.slonik("merge set (id = 1, add id = 3, origin = 1);");
    assert_quiet(&station, "a set that comes and is merged", cluster.sync());

    move_set(1, 3);
    cluster.server().execute(THIRD, &row("moved", "at the third node"));
    assert_quiet(&station, "a set that moves", cluster.sync_from(THIRD));
    cluster.origin(&row("quiet", "meanwhile"));
    move_set(3, 1);
    cluster.origin(&row("moved", "back again"));
    assert_quiet(&station, "a set that moves back", cluster.sync());
    site.assert_equal(&station, &["quiet.a", "moved.a"]);

    // A hole is a hole still.
    apply_without_archives(&row("quiet", "in no archive"));
    archive_again();
    let holes =
        station.wait_for("the hole", || station.has("work/holes").then(|| station.read("work/holes")));
    assert!(holes.contains("site nso quiet.a\n") && suspects(&station.said()), "{holes}");
}
