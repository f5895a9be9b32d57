//! A series that does not come to the log-shipping node for a while: its rows are in no archive, whoever brings the series back. It is
//! said, and its nodes are named until they have it anew.

use std::sync::MutexGuard;

use crate::support::slony::{ARCHIVER, ORIGIN};
use crate::support::{Cluster, Site, Station};
use crate::{THIRD, alone, await_compared, cluster, line, list, row, suspects};

/// The set of these tests; it holds the schema `away`.
const SET: u32 = 4;

/// The daemon, a site that has `away.a` and another series, and one that has only that other.
fn begun() -> (MutexGuard<'static, ()>, Station<'static>, Site<'static>) {
    let turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "away.a subscribe\nlive.a subscribe");
    mps.subscribe(&station, "live.a subscribe");
    await_compared(&station, cluster.sync());
    assert!(!station.has("work/holes") && !suspects(&station.said()), "{}", station.said());
    (turn, station, nso)
}

/// Moves the set, and starts the slons anew: one that has lost or won a set ends itself, and waits for long.
fn move_set(from: u32, to: u32) {
    let cluster = cluster();
    cluster.sync();
    cluster.slonik(&format!(
        "lock set (id = {SET}, origin = {from});\nmove set (id = {SET}, old origin = {from}, new origin = {to});"
    ));
    let origin = format!("select 1 from _jsoc.sl_set where set_id = {SET} and set_origin = {to}");
    for database in [ORIGIN, ARCHIVER, THIRD] {
        let moved = || (cluster.server().query(database, &origin) == "1").then_some(());
        cluster.wait_for("the set to move", moved);
    }
    cluster.stop_slons();
    cluster.start_slons();
}

/// Waits until `holes` is like this.
#[track_caller]
fn await_hole(station: &Station<'_>, is_it: impl Fn(&str) -> bool) -> String {
    station.wait_for("the hole", || {
        let holes = station.has("work/holes").then(|| station.read("work/holes"))?;
        is_it(&holes).then_some(holes)
    })
}

/// Waits until there is none.
#[track_caller]
fn await_no_hole(station: &Station<'_>) {
    station.wait_for("the end of the hole", || (!station.has("work/holes")).then_some(()));
    await_compared(station, station.cluster().sync());
    assert!(!station.has("work/holes"), "{}", station.read("work/holes"));
    assert!(!list(station).contains("resubscribe"), "{}", list(station));
}

/// It is said who must do what, and it is true: what was written meanwhile never comes.
#[track_caller]
fn assert_told(station: &Station<'_>, site: &Site<'_>, note: &str) {
    assert!(
        line(station, "nso").contains("must resubscribe: rows of away.a after archive "),
        "{}",
        list(station)
    );
    assert!(!line(station, "mps").contains("resubscribe"), "{}", list(station));
    let said = station.said();
    assert!(said.contains("nothing of away.a came for a while after archive "), "{said}");
    let check = station.command(&["check"]);
    let found = String::from_utf8_lossy(&check.stdout);
    assert!(found.contains("rows of away.a after archive ") && !check.status.success(), "{found}");
    let cluster = station.cluster();
    let last = cluster.sync();
    station.wait_for("the logs", || (site.apply_logs(station) >= last).then_some(()));
    let count = format!("select count(*) from away.a where note = '{note}'");
    assert_ne!(cluster.server().query(ORIGIN, &count), "0");
    assert_eq!(site.query(&count), "0");
}

/// The site subscribes the series anew, which ends the hole.
#[track_caller]
fn subscribe_anew(station: &Station<'_>, site: &Site<'_>) {
    site.apply_logs(station);
    site.subscribe(station, "away.a unsubscribe");
    site.apply_logs(station);
    site.execute("drop table away.a");
    site.subscribe(station, "away.a subscribe");
    await_no_hole(station);
    station.cluster().origin(&row("away", "later"));
    site.assert_equal(station, &["away.a", "live.a"]);
}

#[test]
fn a_set_that_begins_at_the_log_shipping_node_for_a_while_is_a_hole() {
    let (_turn, station, site) = begun();
    let cluster = cluster();
    move_set(1, 2);
    let open = await_hole(&station, |_| true);
    assert!(open.starts_with("away own-set after ") && !open.contains(" before "), "{open}");
    assert!(open.ends_with("\nseries away.a\nsite nso away.a\n"), "{open}");
    assert!(list(&station).contains("its set begins at the log-shipping node"), "{}", list(&station));
    cluster.server().execute(ARCHIVER, &row("away", "here"));
    move_set(2, 1);
    cluster.origin(&row("away", "back"));
    let closed = await_hole(&station, |holes| holes.contains(" before "));
    assert_eq!(closed.matches("away own-set ").count(), 1, "{closed}");
    assert_told(&station, &site, "here");
    subscribe_anew(&station, &site);

    // The same while nobody looks.
    await_compared(&station, cluster.sync());
    station.kill();
    move_set(1, 2);
    cluster.server().execute(ARCHIVER, &row("away", "unseen"));
    move_set(2, 1);
    cluster.origin(&row("away", "back again"));
    cluster.sync();
    station.start();
    let closed = await_hole(&station, |_| true);
    assert!(closed.starts_with("away own-set after ") && closed.contains(" before "), "{closed}");
    assert_told(&station, &site, "unseen");
    subscribe_anew(&station, &site);
}

/// The log-shipping node leaves the set; this is written, and it is subscribed again.
fn subscribe_again(sql: &str, further: &str, meanwhile: impl FnOnce(&Cluster)) {
    let cluster = cluster();
    cluster.sync();
    cluster.slonik(&format!("unsubscribe set (id = {SET}, receiver = 2);"));
    let rows = format!("select count(*) from _jsoc.sl_subscribe where sub_set = {SET} and sub_receiver = 2");
    for database in [ORIGIN, ARCHIVER] {
        let left = || (cluster.server().query(database, &rows) == "0").then_some(());
        cluster.wait_for("the set to be left", left);
    }
    cluster.origin(sql);
    cluster.sync();
    meanwhile(cluster);
    let subscribe =
        format!("subscribe set (id = {SET}, provider = 1, receiver = 2, forward = yes{further});");
    cluster.slonik(&subscribe);
    let active = format!("{rows} and sub_active");
    let is_active = || (cluster.server().query(ARCHIVER, &active) == "1").then_some(());
    cluster.wait_for("the subscription", is_active);
}

#[test]
fn a_set_that_is_left_and_subscribed_again_is_a_hole_unless_it_is_copied() {
    let (_turn, station, site) = begun();
    let cluster = cluster();
    let is_open = |holes: &str| {
        holes.starts_with("away not-received after ") && holes.ends_with("\nseries away.a\nsite nso away.a\n")
    };
    // The copy comes in an archive: nothing is missing.
    subscribe_again(&row("away", "in the copy"), "", |_| drop(await_hole(&station, is_open)));
    await_no_hole(&station);
    site.assert_equal(&station, &["away.a", "live.a"]);

    let filled = row("away", "by hand");
    let fill = |cluster: &Cluster| {
        await_hole(&station, is_open);
        cluster.server().execute(ARCHIVER, &filled);
    };
    subscribe_again(&filled, ", omit copy = yes", fill);
    await_hole(&station, |holes| holes.contains(" before "));
    assert_told(&station, &site, "by hand");
    subscribe_anew(&station, &site);

    // While nobody looks.
    await_compared(&station, cluster.sync());
    station.kill();
    let filled = row("away", "by hand, unseen");
    subscribe_again(&filled, ", omit copy = yes", |cluster| cluster.server().execute(ARCHIVER, &filled));
    cluster.sync();
    station.start();
    await_hole(&station, |holes| holes.starts_with("away not-received after ") && holes.contains(" before "));
    assert_told(&station, &site, "by hand, unseen");
    subscribe_anew(&station, &site);
}

#[test]
fn a_table_that_has_another_name_for_a_while_is_a_hole() {
    let (_turn, station, site) = begun();
    let cluster = cluster();
    let rename = |from: &str, to: &str| {
        cluster.sync();
        for database in [ORIGIN, ARCHIVER] {
            cluster.server().execute(database, &format!("alter table away.{from} rename to {to}"));
        }
    };
    rename("a", "z");
    await_hole(&station, |holes| {
        holes.starts_with("away not-received after ") && holes.ends_with("\nseries away.a\nsite nso away.a\n")
    });
    cluster.origin("insert into away.z select coalesce(max(id), 0) + 1, 'by another name' from away.z");
    cluster.sync();
    rename("z", "a");
    cluster.origin(&row("away", "by its own name"));
    await_hole(&station, |holes| holes.contains(" before "));
    assert_told(&station, &site, "by another name");
    subscribe_anew(&station, &site);

    // For good: who leaves it is asked nothing any more.
    rename("a", "z");
    await_hole(&station, |holes| holes.ends_with("\nsite nso away.a\n"));
    site.subscribe(&station, "away.a unsubscribe");
    await_no_hole(&station);
    rename("z", "a");
    await_no_hole(&station);
}

#[test]
fn a_series_that_is_taken_away_before_its_snapshot_is_refused() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let site = Site::new(cluster, "nso");
    let set = |active: bool| {
        format!(
            "update _jsoc.sl_subscribe set sub_active = {active} where sub_set = {SET} and sub_receiver = 2;"
        )
    };
    let granted = "select count(*) from pg_locks where relation = 'away.b'::regclass and granted and mode = 'AccessExclusiveLock'";
    // As slon does it: the table is locked and the set changes in one transaction, which ends when the dump waits for the lock.
    let taken = format!(
        "begin; lock table away.b in access exclusive mode; {}
         do $$ begin
           while not exists (select from pg_locks where relation = 'away.b'::regclass and not granted) loop
             perform pg_sleep(0.01);
           end loop;
         end $$;
         commit;",
        set(false)
    );
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| cluster.server().execute(ARCHIVER, &taken));
        cluster.wait_for("the lock", || (cluster.server().query(ARCHIVER, granted) == "1").then_some(()));
        site.ask(&station, "away.b subscribe");
        site.await_sql(&station)
    });
    cluster.server().execute(ARCHIVER, &set(true));
    assert!(answer.starts_with("failure") && answer.contains("not replicated: away.b"), "{answer}");
}
