//! The four ends of a request (new or known site, success true or false), each with everything that must lie there.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::feed::Feed;
use crate::support::{Site, Station};
use crate::tree::{Contents, assert_contents, contents, cut, logs, node, nothing};
use crate::{change, cluster};

/// A data centre whose splitter goes as far as the test lets it, and one site. One at a time: both change the same series, and
/// what a sequence has come to is read when the rows are compared.
struct Case {
    _turn: MutexGuard<'static, ()>,
    station: Station<'static>,
    site: Site<'static>,
    feed: Feed,
}

impl Case {
    fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = Feed::new(cluster());
        let station = Station::started(cluster(), &feed.setting());
        Self { _turn: turn, station, site: Site::new(cluster(), "nso"), feed }
    }

    /// Changes all series, and lets the splitter see that; returns the counter then.
    fn go_on(&self) -> u64 {
        for series in ["outcomes.a", "outcomes.b", "outcomes.c"] {
            change(series);
        }
        let counter = cluster().sync();
        self.feed.until(&self.station, counter);
        counter
    }

    /// Asks and waits for the SQL; returns the cut.
    fn ask(&self, lines: &str) -> u64 {
        self.site.ask(&self.station, lines);
        cut(&self.site.await_sql(&self.station))
    }

    /// What the splitter must have published so far, and nothing else, beside `rest`.
    fn assert_tree(&self, rest: Contents, parts: &[Contents]) {
        let mut expected = rest;
        for part in parts {
            expected.extend(part.clone());
        }
        assert_contents(&contents(&self.station), &expected);
    }

    /// The site, with all logs applied, has what the origin has.
    fn assert_equal(&self, series: &[&str]) {
        cluster().sync();
        let original = cluster().original(series);
        self.feed.until(&self.station, original.counter);
        self.site.assert_is(&self.station, &original);
    }
}

#[test]
fn a_new_site_fails_and_then_succeeds() {
    let case = Case::new();
    let Case { station, site, .. } = &case;
    case.go_on();
    let nobody: Contents = [("etc/slon_parser.cfg".to_owned(), String::new())].into();
    case.assert_tree(nothing(), std::slice::from_ref(&nobody));

    let cut = case.ask("outcomes.a subscribe\noutcomes.b subscribe");
    let last = case.go_on();
    assert_eq!(station.logs("nso.new"), (cut + 1..=last).collect::<Vec<_>>());
    assert!(!station.has("site_logs/nso") && !station.has("site_logs/nso.held"));
    let done = site.answer(station, false);
    assert_eq!(done, "success false\nreason the site could not apply the SQL\n");
    case.assert_tree(nothing(), &[nobody]);

    let wanted = ["outcomes.a", "outcomes.b"];
    let cut = case.ask("outcomes.a subscribe\noutcomes.b subscribe");
    site.apply_sql(station);
    let last = case.go_on();
    let answered = station.names();
    for name in [
        "etc/nso.new.cut",
        "etc/nso.new.lst",
        "site_logs/nso.new/",
        "triggers/nso.createns.sql",
        "triggers/nso.subscribe_series.sql",
        "triggers/nso.subscription_series.cfg",
        "triggers/nso.subscription_series.sqldone",
    ] {
        assert!(answered.iter().any(|there| there == name), "{name} is not in {answered:#?}");
    }
    assert_eq!(site.answer(station, true), "success true\noutcomes.a\noutcomes.b\n");
    let logs = logs(cluster(), "nso", &wanted, cut + 1, last);
    case.assert_tree(nothing(), &[node(station, "nso", &[(cut + 1, &wanted)]), logs]);
    case.assert_equal(&wanted);
}

#[test]
fn a_known_site_fails_and_then_succeeds() {
    let case = Case::new();
    let Case { station, site, .. } = &case;
    let before = ["outcomes.a", "outcomes.c"];
    let first = case.ask("outcomes.a subscribe\noutcomes.c subscribe");
    site.apply_sql(station);
    site.answer(station, true);
    let last = case.go_on();
    let old = |last| logs(cluster(), "nso", &before, first + 1, last);
    let registered = node(station, "nso", &[(first + 1, &before)]);
    case.assert_tree(nothing(), &[registered.clone(), old(last)]);
    site.apply_logs(station);

    let wish = "outcomes.b subscribe\noutcomes.c unsubscribe";
    let cut = case.ask(wish);
    let last = case.go_on();
    let after: Vec<u64> = (cut + 1..=last).collect();
    assert_eq!((station.logs("nso.new"), station.logs("nso.held")), (after.clone(), after));
    assert_eq!(station.logs("nso").last(), Some(&cut), "the fence holds");
    let done = site.answer(station, false);
    assert_eq!(done, "success false\nreason the site could not apply the SQL\noutcomes.a\noutcomes.c\n");
    case.assert_tree(nothing(), &[registered, old(last)]);
    case.assert_equal(&before);

    let wanted = ["outcomes.a", "outcomes.b"];
    let cut = case.ask(wish);
    case.go_on();
    site.apply_logs(station);
    assert_eq!(site.counter(), cut);
    site.apply_sql(station);
    let last = case.go_on();
    assert_eq!(site.answer(station, true), "success true\noutcomes.a\noutcomes.b\n");
    let registered = node(station, "nso", &[(first + 1, &before), (cut + 1, &wanted)]);
    case.assert_tree(nothing(), &[registered, old(cut), logs(cluster(), "nso", &wanted, cut + 1, last)]);
    case.assert_equal(&wanted);
    assert_eq!(site.query("select last_value from outcomes.a_seq"), {
        cluster().server().query(crate::support::slony::ARCHIVER, "select last_value from outcomes.a_seq")
    });
}
