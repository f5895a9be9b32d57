//! What the daemon tells operators and systemd, and how it takes over another configuration: the real daemon in front of a real cluster,
//! with real commands that write down what they were told.

#[path = "../subscription/feed.rs"]
mod feed;
#[path = "../support/mod.rs"]
mod support;

mod commands;
mod reload;
mod requests;
mod state;
mod systemd;

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;
use support::{Cluster, Station};

/// Series of a few rows, one or two for each test that writes.
const SMALL: &[&str] = &["seen.a", "seen.b", "seen.c", "seen.d", "seen.e"];

/// Series that take a while to dump where a station says `dump_rate`: 700 kB each.
const LARGE: &[&str] = &["big.one", "big.two"];

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (mut schema, mut seed) = ("create schema seen;\ncreate schema big;\n".to_owned(), String::new());
        for series in SMALL.iter().chain(LARGE) {
            schema += &format!("create table {series} (id bigint primary key, note text);\n");
        }
        for (series, rows) in SMALL.iter().map(|name| (name, 5)).chain(LARGE.iter().map(|name| (name, 2000)))
        {
            seed += &format!(
                "insert into {series} select i, repeat(md5(i::text), 10) from generate_series(1, {rows}) i;\n"
            );
        }
        Cluster::start(&schema, &seed, &["seen", "big"])
    })
}

/// Adds a row to a series and changes one. Several tests may do so at once.
fn change(series: &str) {
    cluster().origin(&format!(
        "insert into {series} select max(id) + 1, 'new' from {series} on conflict do nothing; update {series} set note = note || '!' where id = 1;"
    ));
}

/// A station that does not run yet, where these hooks are written down; `settings` are further lines of its configuration.
fn station(settings: &str, hooks: &[&str]) -> Station<'static> {
    let station = Station::new(cluster(), "");
    station.configure(&format!("{settings}\n{}", hooked(&station, hooks)));
    station
}

/// The lines of the configuration by which these hooks are written down.
fn hooked(station: &Station<'_>, hooks: &[&str]) -> String {
    let told = station.at("told");
    hooks.iter().map(|hook| format!("hook.{hook}=tee -a {}\n", told.display())).collect()
}

/// Everything that commands were told, in the order in which they were.
fn heard(station: &Station<'_>) -> Vec<Value> {
    let text = fs::read_to_string(station.at("told")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until so many were told, and returns them.
#[track_caller]
fn hear(station: &Station<'_>, count: usize) -> Vec<Value> {
    station.wait_for("what is told", || Some(heard(station)).filter(|heard| heard.len() >= count))
}

/// What each was told for, and of which node.
fn words(heard: &[Value]) -> Vec<(&str, &str)> {
    let word = |object: &'_ Value, field: &str| object[field].as_str().map(str::len).is_some();
    assert!(heard.iter().all(|object| word(object, "hook")), "{heard:#?}");
    heard
        .iter()
        .map(|object| (object["hook"].as_str().unwrap_or(""), object["node"].as_str().unwrap_or("-")))
        .collect()
}

/// The object without its time and what is made of it, which must be well formed.
#[track_caller]
fn without_time(object: &Value) -> Value {
    let mut object = object.clone();
    let fields = object.as_object_mut().expect("an object");
    let at = fields.remove("at").expect("a time");
    let at = at.as_str().expect("a text");
    assert!(at.starts_with("20") && at.ends_with('Z'), "{at}");
    let node = fields.get("node").and_then(Value::as_str).unwrap_or("-").to_owned();
    assert_eq!(fields.remove("key").expect("a key"), format!("{node} {at}"));
    object
}

/// The cut of an answer.
#[track_caller]
fn cut(answer: &str) -> u64 {
    let line = answer.lines().next().and_then(|line| line.strip_prefix("cut "));
    line.unwrap_or_else(|| panic!("{answer}")).parse().expect("a counter")
}

/// Sends the daemon a signal.
fn send(station: &Station<'_>, signal: &str) {
    support::home::send(signal, station.process());
}

/// Waits until the daemon has logged this so often.
#[track_caller]
fn said(station: &Station<'_>, what: &str, times: usize) {
    station.wait_for(what, || (station.said().matches(what).count() >= times).then_some(()));
}
