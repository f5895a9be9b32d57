//! Archives that change after they were split: the daemon looks back.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::feed::Feed;
use crate::support::{Site, Station};
use crate::tree::cut;
use crate::{change, cluster};

const CHANGED: &str = "the archive has changed since it was split";

/// Lets the daemon look back at least twice: it does so each second.
fn look_back(feed: &Feed, station: &Station<'_>) {
    for _ in 0..2 {
        let at = station.counter().expect("a counter");
        station.wait_for("archives", || (cluster().archiver_counter() >= at + 2).then_some(()));
        feed.until(station, at + 2);
    }
}

#[test]
fn an_archive_that_is_replaced_is_told_once() {
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "numbers.b subscribe");
    let first = cut(&site.await_sql(&station));
    site.apply_sql(&station);
    site.answer(&station, true);
    change("numbers.b");
    let last = cluster().sync().max(first + 3);
    station.wait_for("archives", || (cluster().archiver_counter() >= last).then_some(()));
    feed.until(&station, last);
    let [touched, same_size, other_size] = [last, last - 1, last - 2];
    let file = File::options().write(true).open(feed.path(touched)).expect("open an archive");
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("set a time");
    look_back(&feed, &station);
    assert!(!station.said().contains(CHANGED), "{}", station.said());

    let text = feed.original(same_size);
    let other = text.replacen(", Event 5", ", Event 6", 1);
    assert!(other != text && other.len() == text.len());
    feed.put(same_size, other.as_bytes());
    let times = |count: usize| {
        station.wait_for("the alarm", || (station.said().matches(CHANGED).count() >= count).then_some(()));
        look_back(&feed, &station);
        assert_eq!(station.said().matches(CHANGED).count(), count, "{}", station.said());
    };
    times(1);
    feed.put(other_size, (feed.original(other_size) + "\n").as_bytes());
    times(2);
    let output = station.command(&["list", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let alarms: Vec<_> =
        json["alarms"].as_array().expect("alarms").iter().map(|line| line.as_str()).collect();
    let begins = [other_size, same_size].map(|counter| format!("archive {counter} has changed since"));
    assert_eq!(alarms.len(), 2, "{alarms:?}");
    for (alarm, begin) in alarms.iter().zip(begins) {
        assert!(alarm.expect("a text").starts_with(&begin), "{alarm:?}");
    }
    // Nothing was split again: the site is what it would have been.
    let original = cluster().original(&["numbers.b"]);
    feed.until(&station, original.counter);
    site.assert_is(&station, &original);
}
