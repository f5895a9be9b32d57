//! Nothing is wrong: at no stage of a request, beside a daemon that works and rows that are written.

use crate::case::assert_findings;
use crate::support::{Cluster, Site, Station, Writer};

#[test]
fn a_healthy_installation_is_silent_at_every_stage() {
    let cluster = Cluster::shared();
    let station = Station::started(cluster, "");
    let writer = Writer::calm(cluster, &["hmi.v_45s", "aia.lev1"]);
    let site = Site::new(cluster, "nso");
    let silent = |stage: &str| {
        eprintln!("{stage}");
        // Several times: a race would show now and then.
        for _ in 0..3 {
            assert_findings(&station, &[]);
        }
    };
    silent("nobody");
    site.ask(&station, "hmi.v_45s subscribe");
    for _ in 0..3 {
        assert_findings(&station, &[]);
    }
    site.await_sql(&station);
    silent("a new site may fetch its SQL");
    site.apply_sql(&station);
    site.answer(&station, true);
    silent("the site is registered");
    site.ask(&station, "aia.lev1 subscribe");
    site.await_sql(&station);
    station.caught_up();
    silent("a fence stands");
    // Up to the fence: without one, a busy machine writes logs faster than psql applies them.
    site.apply_logs(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    silent("the list is longer");
    site.ask(&station, "hmi.v_45s unsubscribe");
    site.await_sql(&station);
    station.caught_up();
    silent("a request without rows");
    site.answer(&station, false);
    silent("rolled back");
    writer.stop();
    site.assert_equal(&station, &["hmi.v_45s", "aia.lev1"]);
}

#[test]
fn a_check_that_cannot_be_made_says_so() {
    let station = Station::new(Cluster::shared(), "");
    std::fs::remove_dir(station.at("work")).unwrap();
    let output = station.command(&["check"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`work_dir` cannot be used"), "{output:?}");
    station.configure("no_such_key=1");
    let output = station.command(&["check", "--json"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no_such_key"), "{output:?}");
}
