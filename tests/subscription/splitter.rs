//! A splitter that stands still: before the cut when a request is finished, and at an archive that it does not know.

use std::fs;

use crate::feed::Feed;
use crate::support::station::log_name;
use crate::support::{Site, Station};
use crate::tree::{Contents, assert_contents, contents, cut, logs, node, nothing};
use crate::{change, cluster};

/// Changes all series in a few archives; returns the counter then.
fn go_on() -> u64 {
    for _ in 0..2 {
        for series in ["still.a", "still.b"] {
            change(series);
        }
        cluster().sync();
    }
    cluster().archiver_counter()
}

#[test]
fn a_request_can_be_finished_before_the_splitter_has_seen_its_cut() {
    for success in [true, false] {
        let feed = Feed::new(cluster());
        let station = Station::started(cluster(), &feed.setting());
        let site = Site::new(cluster(), "nso");
        site.ask(&station, "still.a subscribe");
        let first = cut(&site.await_sql(&station));
        site.apply_sql(&station);
        assert!(site.answer(&station, true).starts_with("success true\n"));
        let stood = station.counter().expect("it has begun");
        assert!(stood <= first, "the splitter stands still");

        go_on();
        site.ask(&station, "still.b subscribe");
        let second = cut(&site.await_sql(&station));
        assert!(second > first);
        go_on();
        if success {
            // At a place before the cut: the logs up to it hold the old series only.
            site.apply_sql(&station);
        }
        site.answer(&station, success);
        assert_eq!((station.counter(), station.logs("nso")), (Some(stood), Vec::new()));

        let last = go_on();
        feed.until(&station, last);
        let (old, new): (&[&str], &[&str]) = (&["still.a"], &["still.a", "still.b"]);
        let parts: Vec<Contents> = if success {
            vec![
                node(&station, "nso", &[(first + 1, old), (second + 1, new)]),
                logs(cluster(), "nso", old, first + 1, second),
                logs(cluster(), "nso", new, second + 1, last),
            ]
        } else {
            vec![node(&station, "nso", &[(first + 1, old)]), logs(cluster(), "nso", old, first + 1, last)]
        };
        let mut expected = nothing();
        expected.extend(parts.into_iter().flatten());
        assert_contents(&contents(&station), &expected);
        let original = cluster().original(if success { new } else { old });
        feed.until(&station, original.counter);
        site.assert_is(&station, &original);
    }
}

#[test]
fn an_archive_that_is_not_understood_stops_the_splitter_and_nothing_else() {
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "still.a subscribe");
    site.await_sql(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    let odd = go_on();
    feed.until(&station, odd - 1);
    let archive = feed.original(odd);
    let at = archive
        .find("------------------------------------------------------------------\n-- End Of")
        .expect("a trailer");
    let (body, trailer) = archive.split_at(at);
    let line = body.lines().count() + 1;
    feed.put(odd, format!("{body}alter table still.a add column surprise int;\n{trailer}").as_bytes());

    let said = format!("split archive {odd}: line {line}: ");
    station.wait_for("the splitter to stop", || station.said().contains(&said).then_some(()));
    // Requests need no newer log.
    site.ask(&station, "still.b subscribe");
    let second = cut(&site.await_sql(&station));
    assert!(second >= odd);
    site.apply_sql(&station);
    assert!(site.answer(&station, true).starts_with("success true\n"));
    assert_eq!((station.counter(), station.logs("nso").last().copied()), (Some(odd - 1), Some(odd - 1)));
    assert_eq!(station.said().matches(&said).count(), 1, "it is said once");

    feed.put(odd, archive.as_bytes());
    let original = cluster().original(&["still.a", "still.b"]);
    feed.until(&station, original.counter);
    site.assert_is(&station, &original);
}

#[test]
fn an_archive_that_is_missing_is_waited_for() {
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "still.a subscribe");
    let first = cut(&site.await_sql(&station));
    site.apply_sql(&station);
    site.answer(&station, true);
    let last = go_on();
    let missing = first + 1;
    feed.until(&station, first);
    for counter in missing + 1..=last {
        feed.put(counter, feed.original(counter).as_bytes());
    }
    let said = format!("archive {missing} has committed, but");
    station.wait_for("the splitter to say so", || station.said().contains(&said).then_some(()));
    assert_eq!(station.counter(), Some(first));
    assert!(station.said().contains(&log_name(missing)));
    assert!(fs::exists(station.at("site_logs/nso")).expect("stat"), "the daemon goes on");
    feed.put(missing, feed.original(missing).as_bytes());
    feed.until(&station, last);
    assert_eq!(station.logs("nso"), (missing..=last).collect::<Vec<_>>());
}

#[test]
fn a_counter_that_is_lost_behind_a_fence_leaves_no_gap() {
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "still.a subscribe");
    let split = go_on();
    feed.until(&station, split);
    go_on();
    site.ask(&station, "still.b subscribe");
    assert!(cut(&site.await_sql(&station)) > split);
    station.kill();
    fs::remove_file(station.at("work/split.counter")).expect("remove the counter");
    station.start();
    station.wait_for("the splitter to begin", || station.counter());
    let original = cluster().original(&["still.a", "still.b"]);
    feed.until(&station, original.counter);
    site.apply_logs(&station);
    site.apply_sql(&station);
    assert!(site.answer(&station, true).starts_with("success true\n"));
    site.assert_is(&station, &original);
}
