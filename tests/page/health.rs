//! `/healthz`: well while everything turns, and the reason when not.

use std::fs;

use serde_json::Value;

use crate::client::{address, get};
use crate::cluster;
use crate::support::Station;

/// Waits until the daemon says that it is not well, in these words, and that the metrics say the same.
#[track_caller]
fn assert_ill(station: &Station<'_>, words: &str) {
    let address = address(station);
    let ill = station.wait_for("the daemon to say what it lacks", || {
        Some(get(&address, "/healthz")).filter(|answer| answer.status == 503 && answer.body.contains(words))
    });
    assert!(ill.body.ends_with('\n'));
    station.wait_for("the metric", || {
        get(&address, "/metrics").body.contains("subscription_manager_healthy 0\n").then_some(())
    });
    assert!(get(&address, "/").body.contains("it does not go on"), "the page");
}

#[test]
fn a_drop_directory_that_cannot_be_looked_at_is_told() {
    let station = Station::started(cluster(), "http_listen=127.0.0.1:0\nrescan=1\n");
    let address = address(&station);
    assert_eq!(get(&address, "/healthz").body, "well\n");
    fs::rename(station.at("triggers"), station.at("elsewhere")).expect("move it away");
    let ill = station.wait_for("the daemon to say so", || {
        Some(get(&address, "/healthz")).filter(|answer| answer.status == 503)
    });
    assert!(ill.body.starts_with("the drop directory was not looked at for "), "{}", ill.body);
    // The whole cannot be seen either, and that is no reason to be silent.
    assert_eq!(get(&address, "/status.json").status, 503);
    fs::rename(station.at("elsewhere"), station.at("triggers")).expect("put it back");
    station.wait_for("the daemon to be well", || (get(&address, "/healthz").status == 200).then_some(()));
}

#[test]
fn a_database_that_is_away_for_too_long_is_told() {
    let station =
        Station::new(cluster(), "http_listen=127.0.0.1:0\nrescan=1\npg_port=1\ndatabase_patience=2\n");
    station.start_unready();
    assert_ill(&station, "the database is away for ");
}

#[test]
fn a_database_that_does_not_answer_is_away_and_nothing_for_a_person() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = silent.local_addr().expect("an address").port();
    let settings = format!(
        "http_listen=127.0.0.1:0\nrescan=1\npg_host=127.0.0.1\npg_port={port}\ndatabase_patience=2\n"
    );
    let station = Station::new(cluster(), &settings);
    station.start_unready();
    station.wait_for("the splitter to give up", || station.said().contains("nobody answers").then_some(()));
    assert_ill(&station, "the database is away for ");
}

#[test]
fn a_splitter_that_waits_for_a_person_is_told() {
    let station = Station::new(cluster(), "http_listen=127.0.0.1:0\nrescan=1\nslony_node=99\n");
    station.start_unready();
    assert_ill(&station, "the splitter waits: this database is Slony node 2");
    let status = get(&address(&station), "/status.json").json();
    let errors = status["errors"].as_array().expect("errors");
    assert!(
        errors.iter().any(|error| error["text"].as_str().is_some_and(|text| text.contains("slony_node=99")))
    );
    let fields = |error: &Value| error.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert!(errors.iter().all(|error| fields(error) == ["at", "text"]), "{errors:?}");
    assert!(status["totals"]["errors"].as_u64() >= Some(1));
}
