//! While the daemon runs, the directory of one node goes away and comes back.

use std::fs;

use crate::support::station::log_name;
use crate::support::{Site, Station};
use crate::{alone, cluster, line, row};

#[test]
fn a_node_whose_directory_comes_back_catches_up_by_itself() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let sites = ["nso", "mps", "kis"].map(|node| Site::new(cluster, node));
    for site in &sites {
        site.subscribe(&station, "live.a subscribe");
    }
    let [nso, mps, kis] = &sites;
    station.caught_up();
    let (directory, away) = (station.at("site_logs/nso"), station.at("nso.away"));
    fs::rename(&directory, &away).expect("rename a directory");
    station.wait_for("the mark", || station.has("etc/nso.stopped").then_some(()));
    let stopped = station.read("etc/nso.stopped");
    assert!(stopped.contains("\nfault examine `") && stopped.contains("site_logs/nso`"), "{stopped}");
    cluster.origin(&row("live", "while the directory was away"));
    for site in [mps, kis] {
        site.assert_equal(&station, &["live.a"]);
    }
    assert!(line(&station, "nso").contains("stopped before "), "{}", line(&station, "nso"));
    assert!(!directory.exists(), "a directory was made");
    nso.ask(&station, "live.b subscribe");
    let answer = nso.await_sql(&station);
    assert!(
        answer.starts_with("failure ") && answer.contains("the data centre cannot write them"),
        "{answer}"
    );
    // Killed before the request is put away, it would be refused once more, after its answer was read.
    station.wait_for("the end of the request", || station.said().contains("stage=\"refused\"").then_some(()));
    fs::remove_file(station.at("triggers/nso.subscription_series.sqldone")).expect("remove .sqldone");

    // The daemon is killed, and finds it so.
    station.kill();
    station.start();
    cluster.origin(&row("live", "while the directory was still away"));
    let last = station.caught_up();
    assert!(station.has("etc/nso.stopped"));
    let errors = station.said().matches("the logs of the node stop: mend this").count();
    assert_eq!(errors, 1, "{}", station.said());

    fs::rename(&away, &directory).expect("rename a directory");
    station.wait_for("the node to go on", || (!station.has("etc/nso.stopped")).then_some(()));
    nso.assert_equal(&station, &["live.a"]);
    // Byte for byte what the node got that has the same list and had no trouble.
    let first = station.logs("nso")[0].max(station.logs("mps")[0]);
    for counter in first..=last {
        let log = |node: &str| {
            fs::read(station.at(&format!("site_logs/{node}/{}", log_name(counter)))).expect("a log")
        };
        assert!(log("nso") == log("mps"), "log {counter} differs");
    }
    nso.subscribe(&station, "live.b subscribe");
    nso.assert_equal(&station, &["live.a", "live.b"]);
}
