//! The samples of the last day: they outlive the daemon, and are never a reason for it to stop.

use std::fs;
use std::time::{Duration, SystemTime};

use subscription_manager::protocol::LagSample;

use crate::client::{address, get};
use crate::cluster;
use crate::nodes::{SHOWING, delay, names, register};
use crate::support::Station;

/// A sample of so many minutes ago.
pub(crate) fn sample(minutes: u64, node: &str, seconds: u32) -> Vec<u8> {
    let at = SystemTime::now() - Duration::from_secs(minutes * 60);
    LagSample { at, seconds: [(node.to_owned(), seconds)].into() }.write()
}

/// What is known of a node, the oldest first.
fn known(station: &Station<'_>, node: &str) -> Vec<u64> {
    let status = get(&address(station), "/status.json").json();
    let samples = status["lag"]["nodes"][node].as_array().cloned().unwrap_or_default();
    assert!(samples.is_empty() || samples.len() == 288, "{}", samples.len());
    samples.iter().filter_map(serde_json::Value::as_u64).collect()
}

#[test]
fn the_last_day_outlives_the_daemon() {
    let station = Station::new(cluster(), SHOWING);
    register(&station, &names(2));
    delay(&station, "site0001", Duration::from_secs(3_600));
    // What an earlier run has written: one of three days ago, two of today, one that a power loss tore.
    let torn = [
        sample(3 * 1_440, "site0001", 9),
        sample(60, "site0001", 7),
        sample(30, "site0001", 8),
        b"{\"at\":".to_vec(),
    ];
    fs::write(station.at("work/lag.jsonl"), torn.concat()).expect("write samples");
    station.start_unready();
    station.wait_for("a sample", || (known(&station, "site0001").len() == 3).then_some(()));
    let samples = known(&station, "site0001");
    assert_eq!(samples[..2], [7, 8]);
    assert!(samples[2] >= 3_600, "{samples:?}");
    assert_eq!(known(&station, "site0000"), [0]);
    let lines = station.read("work/lag.jsonl");
    assert_eq!(lines.lines().count(), 3, "what is older than two days, or torn, is taken out: {lines}");
    station.kill();
    station.start_unready();
    station.wait_for("the samples", || (known(&station, "site0001").len() >= 3).then_some(()));
    assert_eq!(known(&station, "site0001")[..2], [7, 8]);
}

#[test]
fn samples_that_cannot_be_written_stop_nothing() {
    let station = Station::new(cluster(), SHOWING);
    register(&station, &names(1));
    fs::create_dir(station.at("work/lag.jsonl")).expect("be in the way");
    station.start_unready();
    station.wait_for("the warning", || station.said().contains("those who watch are not told").then_some(()));
    assert_eq!(get(&address(&station), "/healthz").body, "well\n");
    assert_eq!(get(&address(&station), "/status.json").json()["nodes"][0]["node"], "site0000");
    fs::remove_dir(station.at("work/lag.jsonl")).expect("make room");
    station.wait_for("a sample", || (known(&station, "site0000") == [0]).then_some(()));
}
