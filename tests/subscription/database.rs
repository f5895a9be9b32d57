//! PostgreSQL goes away and comes back.

use crate::support::slony::ARCHIVER;
use crate::support::{Site, Station};
use crate::{change, cluster};

/// Ends every session of a role.
fn terminate(role: &str) -> u64 {
    let sql =
        format!("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = '{role}'");
    cluster().server().query(ARCHIVER, &sql).parse().expect("a number")
}

fn login(role: &str, may: &str) {
    cluster().server().execute("postgres", &format!("alter role {role} {may}"));
}

#[test]
fn a_dump_whose_connection_breaks_is_made_again() {
    cluster().server().execute("postgres", "create role broken superuser login");
    let station = Station::started(cluster(), "pg_user=broken\ndump_rate=300000\nrescan=1");
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "big.still subscribe");
    station.wait_for("the cut", || station.has("site_logs/nso.new").then_some(()));
    // All of them: the splitter's too, which must connect again.
    assert!(terminate("broken") >= 2);
    let answer = site.await_sql(&station);
    assert!(answer.starts_with("cut "), "{answer}");
    assert!(station.said().contains("it is tried again"), "{}", station.said());
    site.apply_sql(&station);
    site.answer(&station, true);
    site.assert_equal(&station, &["big.still"]);
}

#[test]
fn a_request_waits_for_a_database_that_is_away() {
    cluster().server().execute("postgres", "create role away superuser nologin");
    let station = Station::new(cluster(), "pg_user=away\nrescan=1");
    station.start_unready();
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "hmi.with_identity subscribe\naia.lev1 subscribe");
    station.wait_for("a failed attempt", || station.said().contains("it is tried again").then_some(()));
    assert!(!station.has("triggers/nso.subscription_series.sqldone"));
    login("away", "login");
    site.await_sql(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    change("aia.lev1");
    cluster().origin("update hmi.with_identity set v = v || 'x' where id < 9; insert into hmi.with_identity (v) values ('new')");
    // The generated column is only at the archiver; it is compared with that.
    let last = station.caught_up();
    station.wait_for("the site logs", || (site.apply_logs(&station) >= last).then_some(()));
    let archiver =
        cluster().server().query(ARCHIVER, "select count(*), sum(twice), max(id) from hmi.with_identity");
    let here = cluster()
        .server()
        .query(site.database(), "select count(*), sum(twice), max(id) from hmi.with_identity");
    assert_eq!(here, archiver);
    site.assert_equal(&station, &["aia.lev1"]);
}

#[test]
fn patience_has_an_end() {
    cluster().server().execute("postgres", "create role gone superuser nologin");
    let station = Station::new(cluster(), "pg_user=gone\nrescan=1\ndatabase_patience=1");
    station.start_unready();
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "aia.lev1 subscribe");
    let answer = site.await_sql(&station);
    assert!(
        answer.starts_with("failure the SQL could not be made for 1 s: connect to database archiver"),
        "{answer}"
    );
    assert!(answer.contains("not permitted to log in"), "{answer}");
    let closed = || (!station.has("etc/nso.new.cut") && !station.has("etc/nso.new.lst")).then_some(());
    station.wait_for("the request to be closed", closed);
}
