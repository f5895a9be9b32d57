//! The file itself: faults, changes, and none at all.

use std::fs;

use crate::support::{Site, Station};
use crate::{OTHER, change_rules, cluster, me, rule, set_aside, station, write};

#[test]
fn with_faults_nothing_starts_and_all_are_named() {
    let station = station("node nso\nuser x\nseries hmi.m\ngroup no_such_group\nnode a/b\n", "");
    station.start_unready();
    station.wait_for("the end", || station.has_ended().then_some(()));
    for fault in [
        "line 1: node nso has no line `users NAME ...`",
        "line 2: `user` is none of `node`, `users`, `series`, `group`",
        "line 5: `a/b` is no node name",
    ] {
        assert!(station.said().contains(fault), "{fault}\n{}", station.said());
    }
    write(&station, &format!("{}group no_such_group\n", rule("nso", &me(), "*.*")));
    let output = station.command(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("line 4: there is no group `no_such_group` on this machine"), "{said}");
    fs::remove_file(station.at("etc/access")).expect("remove the access_file");
    let said = String::from_utf8_lossy(&station.command(&["run"]).stderr).into_owned();
    assert!(said.contains("etc/access` is not there"), "{said}");
}

#[test]
fn a_file_that_became_faulty_leaves_the_rules_before() {
    let station = station(&(rule("nso", &me(), "hmi.*") + &rule("mps", OTHER, "*.*")), "");
    station.start();
    let faulty = |text: &str| station.said().matches(text).count();
    write(&station, "node nso\n");
    station.wait_for("a word about it", || (faulty("has faults:") == 1).then_some(()));
    fs::remove_file(station.at("etc/access")).expect("remove the access_file");
    station.wait_for("another", || (faulty("etc/access` is not there") == 1).then_some(()));
    fs::create_dir(station.at("etc/access")).expect("mkdir");
    station.wait_for("another", || (faulty("the access_file cannot be used: read") == 1).then_some(()));

    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "hmi.m subscribe");
    let stranger = Site::new(cluster(), "mps");
    stranger.ask(&station, "hmi.m subscribe");
    set_aside(&station, "mps.subscription_series.tgr");
    assert_eq!(faulty("the rules before go on"), 3, "each is told once");

    fs::remove_dir(station.at("etc/access")).expect("rmdir");
    change_rules(&station, &rule("mps", &me(), "hmi.*"));
    stranger.subscribe(&station, "hmi.m subscribe");
    site.ask(&station, "hmi.n subscribe");
    set_aside(&station, "nso.subscription_series.tgr");
}

#[test]
fn without_a_file_everything_is_allowed_and_that_is_said() {
    let station = Station::started(cluster(), "");
    station.wait_for("the warning", || station.said().contains("access_file is not set").then_some(()));
    Site::new(cluster(), "anybody").subscribe(&station, "aia.e subscribe");
}

#[test]
fn who_looks_with_a_faulty_file_is_told_and_sees_the_rest() {
    let station = station(&rule("nso", &me(), "*.*"), "slony_node=2\n");
    station.start();
    Site::new(cluster(), "nso").subscribe(&station, "hmi.m subscribe");
    station.stop();
    write(&station, "node nso\n");
    let fault = "line 1: node nso has no line `users NAME ...`";
    let output = station.command(&["list"]);
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && printed.contains("nso"), "{printed}{said}");
    assert!(said.contains("access_file is not asked") && said.contains(fault), "{said}");
    let output = station.command(&["check", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = found["findings"].as_array().expect("a list");
    let of_file: Vec<_> = found.iter().filter(|finding| finding["code"] == "access-file").collect();
    assert_eq!((output.status.code(), of_file.len()), (Some(1), 1), "{found:#?}");
    assert!(of_file[0]["text"].to_string().contains(fault), "{found:#?}");
}
