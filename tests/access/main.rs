//! Who may do what: the real daemon with an `access_file`. Only root can make files of other users; so the rules change
//! instead of the owners: a node for which only somebody else may speak makes a stranger of whoever runs the tests.

#[path = "../support/mod.rs"]
mod support;

mod groups;
mod guarded;
mod rejected;
mod rules;
mod series;
mod strangers;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::OnceLock;

use support::{Cluster, Station};

/// What there is to subscribe; `aia.large` takes seconds to dump where a station says `dump_rate=100000`.
const SERIES: &[&str] = &["hmi.m", "hmi.n", "aia.e", "aia.f", "aia.large"];

/// A user that nobody is.
const OTHER: &str = "somebody_else";

/// The cluster of all tests here.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let tables: String = SERIES
            .iter()
            .map(|series| format!("create table {series} (recnum bigint primary key, note text);\n"))
            .collect();
        let rows: String = SERIES
            .iter()
            .map(|series| {
                let rows = if *series == "aia.large" { 1_000 } else { 5 };
                format!("insert into {series} select i, repeat(md5(i::text), 10) from generate_series(1, {rows}) i;\n")
            })
            .collect();
        Cluster::start(&format!("create schema hmi; create schema aia;\n{tables}"), &rows, &["hmi", "aia"])
    })
}

/// A station that has not started, with an `access_file` of this text.
fn station(rules: &str, settings: &str) -> Station<'static> {
    let station = Station::new(cluster(), "");
    let file = station.at("etc/access");
    station.configure(&format!("access_file={}\nrescan=1\n{settings}", file.display()));
    write(&station, rules);
    station
}

/// Writes the `access_file`, as a careful operator does.
fn write(station: &Station<'_>, rules: &str) {
    let hidden = station.at("etc/.access");
    fs::write(&hidden, rules).expect("write the access_file");
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o644)).expect("chmod");
    fs::rename(hidden, station.at("etc/access")).expect("rename the access_file");
}

/// Writes other rules and waits until they hold.
fn change_rules(station: &Station<'_>, rules: &str) {
    let times = |station: &Station<'_>| station.said().matches("access_file has changed").count();
    let before = times(station);
    write(station, rules);
    station.wait_for("the new rules", || (times(station) > before).then_some(()));
}

/// The rule of a node for which only this user may speak.
fn rule(node: &str, user: &str, series: &str) -> String {
    format!("node {node}\n  users {user}\n  series {series}\n")
}

/// Who runs the tests.
fn me() -> String {
    id(&["-un"])
}

/// What `id` prints.
fn id(args: &[&str]) -> String {
    let output = Command::new("id").args(args).output().expect("run id");
    String::from_utf8(output.stdout).expect("a name is UTF-8").trim().to_owned()
}

/// What lies in the drop directory, `rejected` left out: names and contents.
fn triggers(station: &Station<'_>) -> Vec<(String, String)> {
    let of_triggers =
        |name: &String| name.starts_with("triggers/") && !name.starts_with("triggers/rejected/");
    station.tree().into_iter().filter(|(name, _)| of_triggers(name)).collect()
}

/// Waits until a file is set aside, and returns the reason.
#[track_caller]
fn set_aside(station: &Station<'_>, name: &str) -> String {
    let reason = format!("triggers/rejected/{name}.reason");
    station.wait_for(&reason, || station.has(&reason).then_some(()));
    let text = station.read(&reason);
    fs::remove_file(station.at(&reason)).expect("remove the reason");
    text
}
