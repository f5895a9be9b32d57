//! Sites that are kept apart: directories and answers are for the node's group.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::support::{Site, Station};
use crate::{change_rules, cluster, id, me, rule, station};

/// A group whose files the tests may make: for root one that is not its own.
pub(crate) fn group() -> (String, u32) {
    let name = if id(&["-u"]) == "0" { "nogroup".to_owned() } else { id(&["-gn"]) };
    let entry = std::process::Command::new("getent").args(["group", &name]).output().expect("run getent");
    let entry = String::from_utf8(entry.stdout).expect("UTF-8");
    let number = entry.split(':').nth(2).and_then(|number| number.parse().ok());
    let number = number.unwrap_or_else(|| panic!("this test needs the group `{name}`"));
    (name, number)
}

#[track_caller]
fn assert_closed(station: &Station<'_>, path: &str, mode: u32, group: u32) {
    let there = fs::metadata(station.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(format!("{:o}", there.mode() & 0o7777), format!("{mode:o}"), "{path}");
    assert_eq!(there.gid(), group, "{path}");
}

#[test]
fn a_nodes_directories_and_answers_are_closed_to_other_groups() {
    let open = rule("nso", &me(), "*.*") + &rule("mps", &me(), "*.*");
    let station = station(&open, "");
    station.start();
    let (mps, nso) = (Site::new(cluster(), "mps"), Site::new(cluster(), "nso"));
    mps.subscribe(&station, "hmi.m subscribe");
    nso.subscribe(&station, "hmi.m subscribe");
    let (name, number) = group();
    // What is there already.
    change_rules(&station, &format!("{open}group {name}\n"));
    let mode =
        |path: &str| fs::metadata(station.at(path)).map(|there| there.mode() & 0o777).unwrap_or_default();
    station.wait_for("the closed directory", || (mode("site_logs/mps") == 0o750).then_some(()));
    assert_closed(&station, "site_logs/mps", 0o750, number);
    assert_eq!(mode("site_logs/nso"), 0o755, "the rule is of one node");
    // What a request makes.
    mps.ask(&station, "aia.e subscribe");
    mps.await_sql(&station);
    for directory in ["site_logs/mps.new", "site_logs/mps.held"] {
        assert_closed(&station, directory, 0o750, number);
    }
    for file in ["createns.sql", "subscribe_series.sql", "subscription_series.sqldone"] {
        assert_closed(&station, &format!("triggers/mps.{file}"), 0o640, number);
    }
    assert_closed(&station, "triggers/mps.subscription_series.cfg", 0o660, number);
    mps.apply_sql(&station);
    station.drop_file("mps.subscription_series.sqlapplied", "node mps\nsuccess true\n");
    station.await_file("mps.subscription_series.done");
    assert_closed(&station, "triggers/mps.subscription_series.done", 0o640, number);
    fs::remove_file(station.at("triggers/mps.subscription_series.done")).expect("remove .done");
    mps.assert_equal(&station, &["hmi.m", "aia.e"]);
    // A refusal.
    mps.ask(&station, "no.such subscribe");
    mps.await_sql(&station);
    assert_closed(&station, "triggers/mps.subscription_series.sqldone", 0o640, number);
    // What the operator has opened for the group stays so.
    let writable = fs::Permissions::from_mode(0o770);
    fs::set_permissions(station.at("site_logs/mps"), writable).expect("chmod");
    station.stop();
    station.start();
    assert_closed(&station, "site_logs/mps", 0o770, number);
}

#[test]
fn a_new_node_and_a_deployed_one_are_closed_from_the_beginning() {
    let (name, number) = group();
    let station = station(&format!("{}group {name}\n", rule("old", &me(), "*.*")), "");
    station.start();
    let site = Site::new(cluster(), "old");
    station.drop_file("old.subscribe_series.tgr", &site.request("hmi.m subscribe"));
    station.await_file("old.subscribe_series.sqldone");
    assert_closed(&station, "site_logs/old.new", 0o750, number);
    assert_closed(&station, "triggers/old.sql.tar.gz", 0o640, number);
    station.drop_file("old.subscribe_series.sqlapplied", "node old\nsuccess true\n");
    station.await_file("old.subscribe_series.done");
    assert_closed(&station, "site_logs/old", 0o750, number);
}
