//! A site that goes on fetching while its request is open: it must not run past the cut before it has the new series.

use crate::cluster;
use crate::support::{Site, Station, Writer};
use crate::tree::{contents, cut, logs, only_logs};

/// Waits until the splitter is well past this archive.
#[track_caller]
fn well_past(station: &Station<'_>, counter: u64) -> u64 {
    station.wait_for("archives after the cut", || station.counter().filter(|at| *at >= counter + 5))
}

/// Asks for the second series, with a site that fetches all the while, and answers.
#[track_caller]
fn fetching_meanwhile(station: &Station<'_>, site: &Site<'_>, success: bool) {
    // It has logs before the cut already.
    let begun = station.counter().expect("it splits");
    station.wait_for("a log", || station.logs("nso").last().filter(|last| **last > begun).copied());
    site.ask(station, "fence.b subscribe");
    let sqldone = format!("triggers/{}.subscription_series.sqldone", site.node());
    station.wait_for("the SQL", || {
        site.apply_logs(station);
        station.has(&sqldone).then_some(())
    });
    let cut = cut(&station.read(&sqldone));
    well_past(station, cut);
    station.wait_for("the logs up to the cut", || (site.apply_logs(station) == cut).then_some(()));
    let split = station.counter().expect("it splits");
    assert!(split >= cut + 5);
    assert_eq!(station.logs("nso").last(), Some(&cut), "nothing after the cut is published");
    for directory in ["nso.new", "nso.held"] {
        let there = station.logs(directory);
        assert_eq!(there.first(), Some(&(cut + 1)), "{directory}");
        assert!(there.len() >= 5, "{directory}: {there:?}");
    }
    if success {
        site.apply_sql(station);
    }
    site.answer(station, success);
    assert!(!station.has("site_logs/nso.new") && !station.has("site_logs/nso.held"));
    let published = station.logs("nso");
    let (first, last) = (published[0], published[published.len() - 1]);
    assert_eq!(published, (first..=last).collect::<Vec<_>>(), "without a gap");
    assert!(last >= split);
}

#[test]
fn a_site_that_fetches_on_is_kept_before_the_cut() {
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let site = Site::new(cluster, "nso");
    let writer = Writer::calm(cluster, &["fence.a", "fence.b"]);
    site.subscribe(&station, "fence.a subscribe");
    fetching_meanwhile(&station, &site, false);
    site.assert_equal(&station, &["fence.a"]);
    fetching_meanwhile(&station, &site, true);
    writer.stop();
    site.assert_equal(&station, &["fence.a", "fence.b"]);
}

#[test]
fn a_request_that_only_unsubscribes_holds_nothing_back() {
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let site = Site::new(cluster, "nso");
    let writer = Writer::calm(cluster, &["fence.c"]);
    site.subscribe(&station, "fence.b subscribe\nfence.c subscribe");

    site.ask(&station, "fence.c unsubscribe");
    let sqldone = site.await_sql(&station);
    let cut = cut(&sqldone);
    assert_eq!(sqldone.lines().filter(|line| !line.starts_with("file ")).count(), 1, "{sqldone}");
    for name in ["createns", "subscribe_series"] {
        let sql = station.read(&format!("triggers/nso.{name}.sql")).to_lowercase();
        for word in ["copy ", "create schema fence", "create table \"fence", "insert into \"fence"] {
            assert!(!sql.contains(word), "{name} holds `{word}`");
        }
    }
    well_past(&station, cut);
    station.wait_for("logs after the cut", || (site.apply_logs(&station) >= cut + 5).then_some(()));
    assert!(!station.has("site_logs/nso.held"));
    let both = ["fence.b", "fence.c"];
    let last = station.logs("nso").last().copied().expect("a log");
    let published = contents(&station);
    assert_eq!(
        only_logs(&published, "nso", cut + 1, last),
        logs(cluster, "nso", &both, cut + 1, last),
        "the old list holds until the request is finished"
    );
    site.apply_sql(&station);
    let done = site.answer_with(&station, &format!("counter {}\nsuccess true\n", site.counter()));
    assert_eq!(done, "success true\nfence.b\n");
    let last = station.logs("nso").last().copied().expect("a log");
    assert_eq!(
        only_logs(&contents(&station), "nso", cut + 1, last),
        logs(cluster, "nso", &["fence.b"], cut + 1, last),
        "logs after the cut are those of the new list"
    );
    writer.stop();
    site.assert_equal(&station, &["fence.b"]);
}
