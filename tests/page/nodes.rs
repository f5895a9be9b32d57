//! Installations with nodes that were registered by hand.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::cluster;
use crate::support::Station;
use crate::support::station::log_name;

/// What a daemon is to say that only shows.
pub(crate) const SHOWING: &str = "http_listen=127.0.0.1:0\narchive_dir=\nrescan=1\n";

/// An installation whose daemon has no archives to split, with these nodes; it runs.
pub(crate) fn showing(nodes: &[String]) -> Station<'static> {
    let station = Station::new(cluster(), SHOWING);
    register(&station, nodes);
    station.start_unready();
    station
}

/// `site0000`, `site0001` and so on.
pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("site{number:04}")).collect()
}

/// Registers nodes with a list, a directory with three logs, and an acknowledgement of the last one.
pub(crate) fn register(station: &Station<'_>, nodes: &[String]) {
    let mut registry = String::new();
    for node in nodes {
        let directory = station.at(&format!("site_logs/{node}"));
        let list = station.at(&format!("etc/{node}.lst"));
        fs::create_dir(&directory).expect("create a directory");
        fs::write(&list, "big.wide\n").expect("write a list");
        for counter in 1..=3 {
            fs::write(directory.join(log_name(counter)), "-- nothing\n").expect("write a log");
        }
        acknowledge(station, node, 3);
        registry += &format!("{}\t{}\n", directory.display(), list.display());
    }
    fs::write(station.at("etc/slon_parser.cfg"), registry).expect("write the registry");
}

/// The site says that it has applied this log.
pub(crate) fn acknowledge(station: &Station<'_>, node: &str, counter: u64) {
    let path = station.at(&format!("site_logs/{node}/slony_counter.txt"));
    fs::write(path, format!("{counter}\n")).expect("write an acknowledgement");
}

/// Logs that the site has not fetched for so long.
pub(crate) fn delay(station: &Station<'_>, node: &str, by: Duration) {
    acknowledge(station, node, 1);
    for counter in 1..=3 {
        let path = station.at(&format!("site_logs/{node}/{}", log_name(counter)));
        let file = fs::File::options().write(true).open(path).expect("open a log");
        file.set_modified(SystemTime::now() - by).expect("set the time of a log");
    }
}

/// Somebody has to decide about the node's logs, for a reason of these words.
pub(crate) fn stop(station: &Station<'_>, node: &str, why: &str) {
    fs::write(station.at(&format!("etc/{node}.stopped")), format!("before 4\nwhy {why}\n"))
        .expect("stop a node");
}
