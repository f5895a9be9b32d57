//! How far a dump is, seen from everywhere.

use serde_json::Value;

use crate::documented::assert_fields;
use crate::support::{Site, Station};
use crate::{cluster, json, run};

const FILE: &str = "work/dumps.json";

/// The dump of a node in `list --json`.
fn dump(station: &Station<'_>, node: &str) -> Option<Value> {
    let list = json(station, &["list"]);
    list["dumps"].as_array().unwrap().iter().find(|dump| dump["node"] == node).cloned()
}

#[test]
fn a_dump_is_seen_to_go_on_and_another_to_wait_for_it() {
    // Both series take as many seconds as a slow machine needs to look on.
    let station = Station::new(cluster(), "");
    let file = station.at("status.json");
    station.configure(&format!("rescan=1\ndump_jobs=1\ndump_rate=120000\nstatus_file={}", file.display()));
    station.start();
    cluster().server().execute("archiver", "analyze large.a, large.b");
    assert!(!station.has(FILE));
    let (nso, mps) = (Site::new(cluster(), "nso"), Site::new(cluster(), "mps"));
    nso.ask(&station, "large.a subscribe\nlarge.b subscribe");
    let running = |dump: &Value| dump["state"] == "running";
    let first = station.wait_for("rows", || {
        dump(&station, "nso").filter(|dump| running(dump) && dump["bytes"].as_u64() > Some(0))
    });
    assert_fields(&first, &["dump"]);
    assert_eq!((&first["series"], &first["rows_expected"]), (&2.into(), &8_000.into()), "{first}");
    mps.ask(&station, "large.b subscribe");
    let waiting = station.wait_for("the other one", || dump(&station, "mps"));
    assert_eq!(waiting["state"], "waiting", "`dump_jobs` lets one run at a time");
    let note = run(&station, &["list"]);
    assert!(note.contains("its dump of 1 series waits for its turn, for "), "{note}");
    assert!(note.contains(" of about 8.0 k rows, "), "{note}");
    assert!(
        run(&station, &["show", "mps"]).contains("\n  now       its dump of 1 series waits for its turn")
    );
    assert!(run(&station, &["status"]).contains("\ndump      nso: its dump is at "));
    // Who watches from elsewhere sees the same.
    let shown = station.wait_for("progress in the status file", || {
        let status: Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
        status["dumps"].as_array()?.iter().find(|dump| dump["node"] == "nso" && running(dump)).cloned()
    });
    assert_fields(&shown, &["dump"]);
    assert!(shown["bytes"].as_u64() >= first["bytes"].as_u64() && shown["percent"].is_u64(), "{shown}");
    let later = station.wait_for("more rows", || {
        dump(&station, "nso").filter(|dump| dump["percent"].as_u64() > first["percent"].as_u64())
    });
    assert!(later["rows"].as_u64() > first["rows"].as_u64() && later["seconds_left"].is_u64(), "{later}");
    station.wait_for("a line of the log", || station.said().contains("its dump is at ").then_some(()));
    // What a daemon has told that is dead now is not believed.
    station.kill();
    assert!(station.has(FILE));
    assert_eq!(json(&station, &["list"])["dumps"], serde_json::json!([]));
    station.configure("rescan=1");
    station.start();
    for site in [&nso, &mps] {
        site.await_sql(&station);
    }
    station.wait_for("the end of the file", || (!station.has(FILE)).then_some(()));
}
