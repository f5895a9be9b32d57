//! A node whose logs stop while its request is open.

use crate::feed::Feed;
use crate::support::{Site, Station};
use crate::tree::{assert_contents, contents, cut, nothing, without_logs};
use crate::{change, cluster};

/// An archive with a statement of EXECUTE SCRIPT that is about no table.
fn undecided(counter: u64) -> String {
    script(counter, "create function public.f() returns int as $$ select 1 $$ language sql;")
}

/// An archive with this statement of EXECUTE SCRIPT.
fn script(counter: u64, statement: &str) -> String {
    let dashes = "-".repeat(66);
    format!(
        "{dashes}\n-- Slony-I log shipping archive\n-- Node 1, Event 4711\n{dashes}\n\
         set session_replication_role to replica;\nstart transaction;\n\
         select \"_jsoc\".archiveTracking_offline('{counter}', '2026-11-20 21:39:46.15+00');\n\
         -- end of log archiving header\n{dashes}\n-- start of Slony-I data\n{dashes}\n\
         COPY \"_jsoc\".\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, \
         log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n\
         1\t9\t\\N\t9\t\\N\t\\N\tS\t\\N\t{{\"{statement}\",\"\",\"\"}}\n\
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

#[test]
fn a_known_site_that_stopped_for_its_new_list_goes_on_when_the_request_is_rolled_back() {
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "aia.lev1 subscribe");
    site.ask(&station, "numbers.c subscribe");
    let stop = cut(&site.await_sql(&station)) + 1;
    station.wait_for("archives", || (cluster().archiver_counter() > stop).then_some(()));
    // Of these tables the new list has one, and the old none of their schema.
    feed.put(stop, script(stop, "insert into numbers.c select * from numbers.a;").as_bytes());
    feed.until(&station, stop + 1);
    assert!(station.read("etc/nso.stopped").starts_with(&format!("before {stop}\nwhy ")));
    assert!(site.answer(&station, false).starts_with("success false\n"));
    station.wait_for("the node to go on", || (!station.has("etc/nso.stopped")).then_some(()));
    for counter in [stop, stop + 1] {
        assert!(site.log(&station, counter).exists(), "log {counter}");
    }
    assert!(!std::fs::read_to_string(site.log(&station, stop)).expect("a log").contains("numbers.a"));
}

#[test]
fn a_request_that_is_refused_leaves_a_node_stopped_as_it_was() {
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    let stop = cut(&site.subscribe(&station, "numbers.b subscribe")) + 1;
    station.wait_for("archives", || (cluster().archiver_counter() > stop).then_some(()));
    feed.put(stop, script(stop, "insert into numbers.b select * from numbers.a;").as_bytes());
    feed.until(&station, stop + 1);
    let stopped = station.read("etc/nso.stopped");
    assert!(stopped.starts_with(&format!("before {stop}\nwhy ")), "{stopped}");
    let changed =
        || std::fs::metadata(station.at("etc/nso.stopped")).and_then(|there| there.modified()).expect("stat");
    let before = changed();
    site.ask(&station, "numbers.c subscribe");
    let answer = site.await_sql(&station);
    assert!(answer.starts_with("failure ") && answer.contains("has decided about a statement"), "{answer}");
    station.wait_for("archives", || (cluster().archiver_counter() >= stop + 2).then_some(()));
    feed.until(&station, stop + 2);
    assert_eq!((station.read("etc/nso.stopped"), changed()), (stopped, before));
    assert_eq!(station.said().matches("the logs of the node stop").count(), 1, "{}", station.said());
}

#[test]
fn a_node_whose_list_cannot_be_read_at_the_start_keeps_nobody_else_waiting() {
    let station = Station::started(cluster(), "rescan=1");
    let sites = ["nso", "mps"].map(|node| Site::new(cluster(), node));
    for site in &sites {
        site.subscribe(&station, "numbers.b subscribe");
    }
    let [nso, mps] = &sites;
    station.caught_up();
    station.stop();
    let cuts = station.read("etc/nso.cuts");
    std::fs::write(station.at("etc/nso.cuts"), "no list at all\n").expect("write");
    // Something lies there of the node, so that the start looks at it.
    nso.ask(&station, "numbers.c subscribe");
    station.start();
    change("numbers.b");
    mps.assert_equal(&station, &["numbers.b"]);
    let stopped = station.read("etc/nso.stopped");
    assert!(stopped.contains("\nfault ") && stopped.contains("nso.cuts"), "{stopped}");
    assert!(station.has("triggers/nso.subscription_series.tgr"), "the request waits");

    std::fs::write(station.at("etc/nso.cuts"), cuts).expect("write");
    station.wait_for("the node to go on", || (!station.has("etc/nso.stopped")).then_some(()));
    let answer = nso.await_sql(&station);
    if answer.starts_with("failure ") {
        // It was asked a moment before the logs went on.
        assert!(answer.contains("late, from archive") || answer.contains("cannot write them"), "{answer}");
    } else {
        nso.apply_sql(&station);
        assert!(nso.answer(&station, true).starts_with("success true\n"));
    }
    nso.assert_equal(&station, &["numbers.b"]);
}
