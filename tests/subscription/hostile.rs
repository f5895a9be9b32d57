//! Row text that looks like commands, in the hands of plain psql: nothing of it runs, whatever order the files come in.

use crate::support::series::ODD;
use crate::support::slony::ARCHIVER;
use crate::support::station::log_name;
use crate::support::{Site, Station};
use crate::{change, cluster};

/// What the texts would make, if one of them ran.
fn assert_nothing_ran(site: &Site<'_>) {
    let found =
        cluster().server().query(site.database(), "select count(*) from pg_class where relname = 'pwned'");
    assert_eq!(found, "0", "row text was run as SQL");
    assert!(!std::path::Path::new("pwned").exists(), "row text was run as a command of psql");
}

#[test]
fn files_twice_and_out_of_order_change_nothing() {
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    let all = ["hostile.a", "hostile.b", ODD];
    let lines: String = all.iter().map(|series| format!("{series} subscribe\n")).collect();
    site.ask(&station, &lines);
    site.await_sql(&station);
    // Before createns, so that half of the file cannot work.
    let sql = station.at("triggers/nso.subscribe_series.sql");
    assert!(!site.psql_file(&sql).status.success(), "a schema is missing");
    assert_nothing_ran(&site);
    site.apply_sql(&station);
    let rows = || all.map(|series| site.rows(series));
    let before = rows();
    assert!(!site.psql_file(&sql).status.success(), "the same SQL again");
    assert!(rows() == before, "the same SQL again changed rows");
    site.answer(&station, true);

    let first = site.counter() + 1;
    for text in crate::support::series::HOSTILE {
        let text = crate::support::series::quote_literal(text);
        cluster()
            .origin(&format!("insert into hostile.a values (-nextval('public.keys'), now(), 1, {text})"));
    }
    cluster().sync();
    change("hostile.b");
    let last = station.caught_up();
    assert!(last > first + 1, "too few logs to be out of order");
    let log = |counter: u64| station.at(&format!("site_logs/nso/{}", log_name(counter)));
    for counter in (first + 1..=last).rev() {
        assert!(!site.psql_file(&log(counter)).status.success(), "log {counter} came too early");
    }
    assert!(rows() == before, "a log that came too early changed rows");
    for counter in first..=last {
        site.apply(&log(counter));
        let now = rows();
        assert!(!site.psql_file(&log(counter)).status.success(), "log {counter} came twice");
        assert!(rows() == now && site.counter() == counter);
    }
    assert_nothing_ran(&site);
    site.assert_equal(&station, &all);
    let pwned = cluster().server().query(ARCHIVER, "select count(*) from pg_class where relname = 'pwned'");
    assert_eq!(pwned, "0");
}
