//! What becomes of requests.

use std::fs;

use serde_json::Value;

use crate::support::{Site, Station};
use crate::{hear, heard, hooked, station, words};

const REQUESTS: &[&str] = &["request_received", "sql_ready", "finished", "rolled_back", "failed"];

/// The lines of the audit trail.
fn trail(station: &Station<'_>) -> Vec<Value> {
    station.read("work/audit.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_request_is_told_from_its_begin_to_its_end_as_the_trail_has_it() {
    let station = station("rescan=1", REQUESTS);
    station.start();
    let site = Site::new(super::cluster(), "nso");
    site.subscribe(&station, "request one\nseen.a subscribe");
    site.ask(&station, "request never\nseen.b subscribe");
    site.await_sql(&station);
    // Its subscriber asks anew instead of answering.
    site.ask(&station, "request two\nseen.b subscribe");
    station.wait_for("the SQL of the newer", || {
        let path = station.at("triggers/nso.subscription_series.sqldone");
        fs::read_to_string(path).ok()?.contains("request two\n").then_some(())
    });
    assert!(site.answer_with(&station, "request two\nsuccess false\n").starts_with("success false\n"));
    site.ask(&station, "seen.nothing subscribe");
    assert!(site.await_sql(&station).starts_with("failure "));
    fs::remove_file(station.at("triggers/nso.subscription_series.sqldone")).expect("remove .sqldone");
    hear(&station, 11);
    station.drop_file("nso.subscription_series.tgr", "this is no request\nend\n");
    let told = hear(&station, 12);
    let expected = [
        "request_received",
        "sql_ready",
        "finished",
        "request_received",
        "sql_ready",
        "rolled_back",
        "request_received",
        "sql_ready",
        "rolled_back",
        "request_received",
        "failed",
        "failed",
    ];
    assert_eq!(words(&told), expected.map(|hook| (hook, "nso")));
    let ends: Vec<_> =
        told.iter().filter(|object| object["hook"] == "rolled_back").map(|it| &it["event"]).collect();
    assert_eq!(ends, ["superseded", "rolled_back"]);
    let lines = trail(&station);
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for ((object, mut line), hook) in told.into_iter().zip(lines).zip(expected) {
        line["hook"] = hook.into();
        line["cluster"] = "jsoc".into();
        assert_eq!(object, line);
    }
    assert!(site.await_sql(&station).starts_with("failure "));
    fs::remove_file(station.at("triggers/nso.subscription_series.sqldone")).expect("remove .sqldone");
    // Neither a restart nor another configuration tells anything again.
    station.stop();
    station.configure(&format!("rescan=1\n{}", hooked(&station, &["finished", "started"])));
    station.start();
    assert_eq!(words(&hear(&station, 13))[12..], [("started", "-")]);
    site.ask(&station, "seen.b subscribe");
    site.await_sql(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    assert_eq!(words(&hear(&station, 14))[13..], [("finished", "nso")]);
    site.assert_equal(&station, &["seen.a", "seen.b"]);
}

#[test]
fn what_happened_when_the_daemon_was_killed_is_told_after_the_start() {
    let station = Station::new(super::cluster(), "");
    let gate = station.at("gate");
    fs::write(&gate, "").expect("close the gate");
    // It is told, and does not come to its end.
    let script = format!(
        "tee -a {}; while [ -e {} ]; do sleep 0.1; done",
        station.at("told").display(),
        gate.display()
    );
    let lines: String = REQUESTS.iter().map(|hook| format!("hook.{hook}=sh -c '{script}'\n")).collect();
    station.configure(&lines);
    station.start();
    let site = Site::new(super::cluster(), "nso");
    site.ask(&station, "seen.a subscribe");
    site.await_sql(&station);
    assert_eq!(words(&hear(&station, 1)), [("request_received", "nso")]);
    station.kill();
    fs::remove_file(&gate).expect("open the gate");
    // The trail has another name by then.
    fs::rename(station.at("work/audit.jsonl"), station.at("work/audit.jsonl.1")).expect("rename");
    station.start();
    site.apply_sql(&station);
    site.answer(&station, true);
    let told = hear(&station, 4);
    let again = ["request_received", "request_received", "sql_ready", "finished"];
    assert_eq!(words(&told), again.map(|hook| (hook, "nso")));
    // Whoever keeps key and hook knows that the first two tell of one event.
    assert_eq!(told[0], told[1]);
    station.stop();
    station.start();
    site.ask(&station, "seen.b subscribe");
    assert_eq!(words(&hear(&station, 5))[4], ("request_received", "nso"));
    assert!(heard(&station).len() <= 6, "{:#?}", heard(&station));
}
