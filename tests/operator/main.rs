//! What an operator sees and does: every command beside the real daemon, and without it; its text, its JSON, what it refuses.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "../subscription/feed.rs"]
mod feed;
#[path = "../kept/place.rs"]
#[allow(dead_code, reason = "another test's, which uses all of it")]
mod place;
#[path = "../support/mod.rs"]
mod support;
#[path = "../kept/text.rs"]
#[allow(dead_code, reason = "another test's, which uses all of it")]
mod text;

mod beside;
mod by_hand;
mod documented;
mod progress;
mod screen;
mod session;

use std::sync::OnceLock;

use support::{Cluster, Station};

/// The series of each test, in a schema of its own; `local.a` is not replicated.
const SUBJECTS: [&str; 8] = ["paused", "cancelled", "removed", "taken", "asked", "shown", "locked", "large"];

/// The cluster of all that needs one.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let mut schema = "create schema local; create table local.a (recnum bigint primary key);\n".to_owned();
        let mut seed = String::new();
        for subject in SUBJECTS {
            schema += &format!("create schema {subject};\n");
            for series in ["a", "b"] {
                schema += &format!("create table {subject}.{series} (recnum bigint primary key, note text);\n");
                let rows = if subject == "large" { 4_000 } else { 3 };
                seed += &format!(
                    "insert into {subject}.{series} select i, repeat(md5(i::text), 10) from generate_series(1, {rows}) i;\n"
                );
            }
        }
        Cluster::start(&schema, &seed, &SUBJECTS)
    })
}

/// Runs a command that must succeed; returns what it prints.
#[track_caller]
fn run(station: &Station<'_>, args: &[&str]) -> String {
    let output = station.command(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}\n{}", station.said());
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail and must not change anything; returns what it says.
#[track_caller]
fn refused(station: &Station<'_>, args: &[&str]) -> String {
    let before = station.tree();
    let output = station.command(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert_eq!(output.stdout, b"", "{args:?}");
    assert_eq!(before, station.tree(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Runs a command that prints JSON.
#[track_caller]
fn json(station: &Station<'_>, args: &[&str]) -> serde_json::Value {
    serde_json::from_slice(&station.command(&[args, &["--json"]].concat()).stdout).unwrap()
}

/// The events that `history` tells of a node, without when and who.
fn events(station: &Station<'_>, node: &str) -> Vec<String> {
    let text = run(station, &["history", node, "--json"]);
    let line = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    text.lines().map(|text| line(text)["event"].as_str().unwrap().to_owned()).collect()
}
