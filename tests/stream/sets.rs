//! Sets and their tables come and go while sites are subscribed.

use std::fs;

use crate::support::slony::{ARCHIVER, ORIGIN};
use crate::support::{Site, Station};
use crate::{alone, beside_others, change, cluster};

/// Whether a text occurs in a log of the site.
fn is_in_logs(site: &Site<'_>, station: &Station<'_>, text: &str) -> bool {
    let logs = station.logs(site.node());
    logs.into_iter().any(|counter| {
        fs::read_to_string(site.log(station, counter)).expect("read a site log").contains(text)
    })
}

/// The sequence of a schema at a site must stand where the archiver's stands.
#[track_caller]
fn assert_sequence(site: &Site<'_>, schema: &str) {
    let value = format!("select last_value from {schema}.a_seq");
    assert_eq!(site.query(&value), cluster().server().query(ARCHIVER, &value));
}

#[test]
fn a_set_that_is_added_and_merged_says_nothing_to_a_site_until_it_subscribes() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "added.a subscribe");
    cluster.origin(&change("added.a"));

    cluster.create_set(3, &["late"]);
    cluster.origin(&change("late.a"));
    cluster.subscribe(3, ARCHIVER);
    cluster.origin(&change("late.a"));
    cluster.sync();
    cluster.slonik("merge set (id = 1, add id = 3, origin = 1);");
    cluster.origin(&(change("late.a") + &change("added.a")));
    site.assert_equal(&station, &["added.a"]);
    let bodies: String = station
        .logs("nso")
        .into_iter()
        .map(|at| station.read(&format!("site_logs/nso/{}", crate::support::station::log_name(at))))
        .collect();
    assert!(bodies.contains("-- ENABLE_SUBSCRIPTION\n") && bodies.contains("-- MERGE_SET\n"));
    assert!(!is_in_logs(&site, &station, "late"));

    let answer = site.subscribe(&station, "late.a subscribe");
    assert!(answer.ends_with("\nlate.a\n"), "{answer}");
    cluster.origin(&(change("late.a") + &change("late.b") + &change("added.a")));
    site.assert_equal(&station, &["added.a", "late.a"]);
    assert_sequence(&site, "late");
    assert!(!is_in_logs(&site, &station, "\tlate\tb\t"));
}

#[test]
fn a_set_that_is_dropped_and_added_anew_is_copied_anew_at_the_sites() {
    let _turn = alone();
    let cluster = cluster();
    cluster.create_set(4, &["again"]);
    cluster.subscribe(4, ARCHIVER);
    let station = Station::started(cluster, "");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "again.a subscribe\nagain.b subscribe");
    mps.subscribe(&station, "again.b subscribe\nadded.b subscribe");
    cluster.origin(&(change("again.a") + &change("again.b")));
    nso.assert_equal(&station, &["again.a", "again.b"]);

    cluster.slonik("drop set (id = 4, origin = 1);");
    // Nobody ships this; the copy has it.
    cluster.origin(
        &(change("again.a")
            + "delete from again.b; insert into again.b values (5, null, null, E'\\\\.\\n\\t\\\\N')"),
    );
    cluster.create_set(5, &["again"]);
    cluster.subscribe(5, ARCHIVER);
    cluster.origin(&(change("again.a") + &change("again.b") + &change("added.b")));
    nso.assert_equal(&station, &["again.a", "again.b"]);
    mps.assert_equal(&station, &["again.b", "added.b"]);
    assert_sequence(&nso, "again");
    for (site, has_a) in [(&nso, true), (&mps, false)] {
        assert!(is_in_logs(site, &station, "\ncopy \"again\".\"b\" "));
        assert_eq!(is_in_logs(site, &station, "\ncopy \"again\".\"a\" "), has_a);
    }
    assert_eq!(nso.query("select count(*) from again.b where recnum <= 50"), "1");
}

#[test]
fn the_rows_of_a_table_that_is_dropped_from_its_set_stop_and_the_stream_goes_on() {
    let _turn = beside_others();
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "dropped.a subscribe\ndropped.b subscribe");
    cluster.origin(&(change("dropped.a") + &change("dropped.b")));
    let id = "select tab_id from _jsoc.sl_table where tab_nspname = 'dropped' and tab_relname = 'a'";
    let id = cluster.server().query(ORIGIN, id);
    cluster.slonik(&format!("set drop table (origin = 1, id = {id});"));
    cluster.origin(&(change("dropped.a") + &change("dropped.b")));
    site.assert_equal(&station, &["dropped.a", "dropped.b"]);
    let count = |database| cluster.server().query(database, "select count(*) from dropped.a");
    assert_ne!(count(ORIGIN), count(ARCHIVER), "rows of it are replicated still");

    // Nobody can subscribe to it any longer; who has it may give it back.
    let other = Site::new(cluster, "mps");
    other.ask(&station, "dropped.a subscribe");
    let answer = other.await_sql(&station);
    assert!(answer.starts_with("failure ") && answer.contains("dropped.a"), "{answer}");
    site.subscribe(&station, "dropped.a unsubscribe");
    cluster.origin(&change("dropped.b"));
    site.assert_equal(&station, &["dropped.b"]);
}
