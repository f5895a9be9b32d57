//! The wall clock is set, back and forward, while requests are open. What is right does not depend on it; only a wait of days does.

use crate::support::{Clock, Site, Station};
use crate::{change, cluster};

/// Starts the daemon by this clock.
fn started(clock: &Clock) -> Station<'static> {
    let station = Station::new(cluster(), "rescan=1\nsettle=1\nrequest_days=3");
    station.start_with(&clock.environment());
    station.wait_for("the daemon to start", || station.counter().map(drop));
    station
}

/// Another node is served from the beginning to the end: the daemon has looked at everything since.
#[track_caller]
fn probe(station: &Station<'_>, node: &str) {
    let site = Site::new(cluster(), node);
    // Without a last line: time has to pass until it is whole.
    let path = station.at(&format!("triggers/{node}.subscription_series.tgr"));
    std::fs::write(path, format!("node {node}\nclock.c subscribe\n")).expect("write");
    site.await_sql(station);
    site.apply_sql(station);
    assert!(site.answer(station, true).starts_with("success true\n"));
}

#[test]
fn a_clock_that_is_set_while_requests_are_open_changes_nothing() {
    let clock = Clock::new();
    let station = started(&clock);
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "clock.a subscribe");
    // Back behind the time at which everything was written; then forward, by less than a request may wait.
    for (number, (offset, verb, series)) in [
        ("-400d", "subscribe", "clock.b"),
        ("+2d", "unsubscribe", "clock.b"),
        ("-1s", "subscribe", "clock.c"),
    ]
    .into_iter()
    .enumerate()
    {
        clock.set("+0");
        site.ask(&station, &format!("{series} {verb}"));
        site.await_sql(&station);
        clock.set(offset);
        change(cluster(), "clock.a");
        station.caught_up();
        probe(&station, &format!("probe{number}"));
        assert!(station.has("etc/nso.new.cut"), "{offset}: the request is still open");
        site.apply_sql(&station);
        assert!(site.answer(&station, true).starts_with("success true\n"), "{offset}");
    }
    site.assert_equal(&station, &["clock.a", "clock.c"]);

    // Longer than a request may wait: it ends, its site is told, and may ask again.
    clock.set("+0");
    site.ask(&station, "clock.b subscribe");
    site.await_sql(&station);
    clock.set("+4d");
    let done = station.await_file("nso.subscription_series.done");
    assert!(done.starts_with("success false\n") && done.contains("nobody said within 3 days"), "{done}");
    std::fs::remove_file(station.at("triggers/nso.subscription_series.done")).expect("remove .done");
    clock.set("+0");
    // A restart with files from the future.
    station.stop();
    station.start();
    change(cluster(), "clock.a");
    site.assert_equal(&station, &["clock.a", "clock.c"]);
    assert!(!station.has("site_logs/nso.new") && !station.has("site_logs/nso.held"));
    // Each request has one end.
    let trail = station.read("work/audit.jsonl");
    let count = |event: &str| trail.matches(&format!("\"event\":\"{event}\"")).count();
    assert_eq!((count("accepted"), count("applied"), count("expired")), (8, 7, 1), "{trail}");
}
