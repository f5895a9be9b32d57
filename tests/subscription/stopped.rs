//! A node whose logs stop while its request is open.

use crate::feed::Feed;
use crate::support::{Site, Station};
use crate::tree::{assert_contents, contents, cut, nothing, without_logs};
use crate::{change, cluster};

/// An archive with a statement of EXECUTE SCRIPT that is about no table.
fn undecided(counter: u64) -> String {
    let dashes = "-".repeat(66);
    format!(
        "{dashes}\n-- Slony-I log shipping archive\n-- Node 1, Event 4711\n{dashes}\n\
         set session_replication_role to replica;\nstart transaction;\n\
         select \"_jsoc\".archiveTracking_offline('{counter}', '2026-11-20 21:39:46.15+00');\n\
         -- end of log archiving header\n{dashes}\n-- start of Slony-I data\n{dashes}\n\
         COPY \"_jsoc\".\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, \
         log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n\
         1\t9\t\\N\t9\t\\N\t\\N\tS\t\\N\t{{\"create function public.f() returns int as $$ select 1 $$ language sql;\",\"\",\"\"}}\n\
         1\t9\t\\N\t10\t\\N\t\\N\ts\t\\N\t{{}}\n\\.\n\n\
         {dashes}\n-- End Of Archive Log\n{dashes}\ncommit;\nvacuum analyze \"_jsoc\".sl_archive_tracking;\n"
    )
}

#[test]
fn of_a_new_site_that_stopped_and_failed_nothing_remains() {
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "numbers.c subscribe");
    let stop = cut(&site.await_sql(&station)) + 1;
    station.wait_for("archives", || (cluster().archiver_counter() >= stop).then_some(()));
    feed.put(stop, undecided(stop).as_bytes());
    feed.until(&station, stop);
    assert!(station.read("etc/nso.stopped").starts_with(&format!("before {stop}\n")));
    // A newer request takes the place of the open one: it comes after the statement.
    site.ask(&station, "numbers.c subscribe\nnumbers.b subscribe");
    let again = || {
        let text = std::fs::read_to_string(station.at("triggers/nso.subscription_series.sqldone")).ok()?;
        text.contains("numbers.b").then_some(text)
    };
    let answer = station.wait_for("the newer answer", again);
    assert!(cut(&answer) >= stop, "{answer}");
    let stop = cut(&answer) + 1;
    station.wait_for("archives", || (cluster().archiver_counter() >= stop).then_some(()));
    feed.until(&station, stop - 1);
    feed.put(stop, undecided(stop).as_bytes());
    feed.until(&station, stop);
    assert!(station.read("etc/nso.stopped").starts_with(&format!("before {stop}\n")));
    let output = station.command(&["ddl", "nso", &stop.to_string(), "--skip"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(site.answer(&station, false).starts_with("success false\n"));
    let mut expected = nothing();
    expected.insert("etc/slon_parser.cfg".into(), String::new());
    assert_contents(&without_logs(contents(&station)), &expected);

    let second = Site::new(cluster(), "nso");
    second.subscribe(&station, "numbers.c subscribe");
    change("numbers.c");
    cluster().sync();
    let original = cluster().original(&["numbers.c"]);
    feed.until(&station, original.counter);
    second.assert_is(&station, &original);
}
