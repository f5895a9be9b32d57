//! Something else than a directory lies where the logs of a node belong when its request is to end.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Site, Station};
use crate::{change, cluster};

/// Its word is taken, and nothing of its end is done: everybody who looks is told what is in the way, the other node goes on, also over
/// a restart.
#[track_caller]
fn waits(station: &Station<'_>, path: &str) {
    let what = format!("site_logs/{path}`: it is a link, which is not followed");
    let remedy = "put the directory in its place, and the request ends by itself";
    station.wait_for("the log to say so", || {
        station.said().lines().any(|line| line.contains(&what) && line.contains(remedy)).then_some(())
    });
    for args in [&["check"][..], &["list"], &["show", "nso"]] {
        let said = String::from_utf8(station.command(args).stdout).expect("text");
        assert!(said.contains(&what), "{args:?}: {said}");
    }
    let shown = String::from_utf8(station.command(&["show", "nso"]).stdout).expect("text");
    assert!(shown.contains("now       cannot end: "), "{shown}");
    for _ in 0..2 {
        change("obstacle.c");
        station.caught_up();
        station.stop();
        station.start_unready();
    }
    change("obstacle.c");
    station.caught_up();
    assert!(!station.has("triggers/nso.subscription_series.done"));
    assert_eq!(fs::read_dir(station.at("elsewhere")).expect("list").count(), 0, "the link was followed");
}

/// A site that is served meanwhile.
fn other(station: &Station<'_>) -> Site<'static> {
    let other = Site::new(cluster(), "mps");
    other.subscribe(station, "obstacle.c subscribe");
    fs::create_dir(station.at("elsewhere")).expect("make a directory");
    other
}

fn word(station: &Station<'_>, success: bool) {
    station.drop_file("nso.subscription_series.sqlapplied", &format!("success {success}\n"));
}

#[track_caller]
fn ends(station: &Station<'_>, site: &Site<'_>, other: &Site<'_>, success: bool, series: &[&str]) {
    let done = station.await_file("nso.subscription_series.done");
    assert!(done.starts_with(&format!("success {success}\n")), "{done}");
    fs::remove_file(station.at("triggers/nso.subscription_series.done")).expect("remove .done");
    for series in series {
        change(series);
    }
    site.assert_equal(station, series);
    other.assert_equal(station, &["obstacle.c"]);
    for left in ["etc/nso.stopped", "etc/nso.new.cut", "site_logs/nso.new", "site_logs/nso.held"] {
        station.wait_for(left, || (!station.has(left)).then_some(()));
    }
}

#[test]
fn a_link_where_the_directory_of_a_new_site_is_to_be() {
    let station = Station::started(cluster(), "rescan=1");
    let (other, site) = (other(&station), Site::new(cluster(), "nso"));
    site.ask(&station, "obstacle.a subscribe");
    site.await_sql(&station);
    let directory = station.at("site_logs/nso");
    symlink(station.at("elsewhere"), &directory).expect("make a link");
    site.apply_sql(&station);
    word(&station, true);
    waits(&station, "nso");
    fs::remove_file(&directory).expect("remove the link");
    ends(&station, &site, &other, true, &["obstacle.a"]);
}

#[test]
fn a_link_in_the_place_of_the_directory_of_a_known_site() {
    for success in [true, false] {
        let station = Station::started(cluster(), "rescan=1");
        let (other, site) = (other(&station), Site::new(cluster(), "nso"));
        site.subscribe(&station, "obstacle.a subscribe");
        site.ask(&station, "obstacle.b subscribe");
        site.await_sql(&station);
        change("obstacle.a");
        station.caught_up();
        let (directory, away) = (station.at("site_logs/nso"), station.at("away"));
        fs::rename(&directory, &away).expect("take the directory away");
        symlink(station.at("elsewhere"), &directory).expect("make a link");
        if success {
            site.apply_sql(&station);
        }
        word(&station, success);
        waits(&station, "nso");
        fs::remove_file(&directory).expect("remove the link");
        fs::rename(&away, &directory).expect("bring the directory back");
        let series = if success { &["obstacle.a", "obstacle.b"][..] } else { &["obstacle.a"] };
        ends(&station, &site, &other, success, series);
    }
}
