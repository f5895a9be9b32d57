//! `status_file`, and that it says what `/status.json` and `list --json` say.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;

use crate::client::{address, get};
use crate::cluster;
use crate::nodes::{SHOWING, acknowledge, names, register, showing};
use crate::support::Station;

fn said(station: &Station<'_>) -> Option<Value> {
    let text = fs::read_to_string(station.at("status.json")).ok()?;
    Some(serde_json::from_str(&text).expect("it is whole at any time"))
}

fn keys(value: &Value) -> Vec<&String> {
    value.as_object().expect("an object").keys().collect()
}

#[test]
fn the_file_follows_what_happens_and_is_whole_at_any_time() {
    let station = Station::new(cluster(), "");
    register(&station, &names(5));
    let status_file = station.at("status.json");
    station.configure(&format!("{SHOWING}status_file={}\n", status_file.display()));
    station.start_unready();
    let behind = |count: u64| {
        station.wait_for("the file to tell of it", || {
            let nodes = said(&station)?["nodes"].as_array()?.clone();
            nodes.iter().any(|node| node["node"] == "site0003" && node["behind"] == count).then_some(())
        });
    };
    behind(0);
    acknowledge(&station, "site0003", 1);
    behind(2);
    acknowledge(&station, "site0003", 3);
    behind(0);
    let metadata = fs::metadata(&status_file).expect("the file");
    assert_eq!(metadata.mode() & 0o777, 0o644);
    let left: Vec<_> = fs::read_dir(station.at(""))
        .expect("list")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter(|name| name.starts_with(".tmp-"))
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn all_three_say_the_same_and_the_protocol_page_documents_it() {
    let station = showing(&names(2));
    let served = get(&address(&station), "/status.json").json();
    let printed = station.command(&["list", "--json"]);
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    for key in keys(&printed) {
        assert!(served.get(key).is_some(), "status.json lacks `{key}`");
    }
    assert_eq!(keys(&printed["nodes"][0]), keys(&served["nodes"][0]));
    assert_eq!(printed["nodes"][1]["node"], served["nodes"][1]["node"]);
    let page = include_str!("../../PROTOCOL.md");
    let of_totals = keys(&served["totals"]);
    for key in keys(&served).into_iter().chain(of_totals).chain(keys(&served["lag"])) {
        assert!(page.contains(&format!("`{key}`")), "PROTOCOL.md does not document `{key}`");
    }
}
