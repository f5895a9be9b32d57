//! Commands beside the daemon, and in its place where it does not run, with real sites.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use crate::documented::assert_fields;
use crate::feed::Feed;
use crate::support::slony::ARCHIVER;
use crate::support::{Site, Station};
use crate::{cluster, events, json, refused, run};

const SQLDONE: &str = "nso.subscription_series.sqldone";
const DONE: &str = "nso.subscription_series.done";

/// A change of a series that tells it from before.
fn change(series: &str) {
    cluster().origin(&format!("update {series} set note = note || '.' where recnum = 1"));
}

/// What lies there of a node, or of all but that.
fn tree_of(station: &Station<'_>, node: &str, is_of: bool) -> BTreeMap<String, String> {
    let mut tree = station.tree();
    tree.retain(|name, _| name.contains(node) == is_of && name != "etc/slon_parser.cfg");
    tree
}

#[test]
fn a_paused_node_rests_while_the_others_go_on_and_catches_up_without_a_gap() {
    let station = Station::started(cluster(), "rescan=1");
    let (nso, mps) = (Site::new(cluster(), "nso"), Site::new(cluster(), "mps"));
    for site in [&nso, &mps] {
        site.subscribe(&station, "paused.a subscribe");
    }
    station.caught_up();
    run(&station, &["pause", "nso", "--reason", "new disks"]);
    let before = tree_of(&station, "site_logs/nso", true);
    change("paused.a");
    mps.assert_equal(&station, &["paused.a"]);
    assert_eq!(tree_of(&station, "site_logs/nso", true), before);
    nso.ask(&station, "paused.b subscribe");
    let answer = nso.await_sql(&station);
    assert_eq!(
        answer,
        "failure the operator of the data centre has paused nso: new disks; ask again when it goes on\n"
    );
    std::fs::remove_file(station.at(&format!("triggers/{SQLDONE}"))).unwrap();
    // The daemon finds it as it was left.
    station.stop();
    station.start();
    assert_eq!(tree_of(&station, "site_logs/nso", true), before);
    run(&station, &["resume", "nso"]);
    nso.assert_equal(&station, &["paused.a"]);
    station.wait_for("the end of its stop", || (!station.has("etc/nso.stopped")).then_some(()));
    let logs = station.logs("nso");
    assert!(logs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{logs:?}");
    let told = events(&station, "nso");
    assert_eq!(told[3..], ["pause", "refused", "resume"], "{told:?}");
}

#[test]
fn a_request_that_waits_for_its_site_is_cancelled_beside_the_daemon_and_without_it() {
    let station = Station::started(cluster(), "rescan=1");
    let site = Site::new(cluster(), "nso");
    let said = "the request of nso has ended: rolled back: the operator of the data centre has cancelled the request; \
                `nso.subscription_series.done` tells its site\n";
    for runs in [true, false] {
        site.ask(&station, "cancelled.a subscribe");
        site.await_sql(&station);
        if !runs {
            station.stop();
        }
        assert_eq!(run(&station, &["cancel", "nso"]), said);
        assert!(
            station.await_file(DONE).starts_with("success false\nreason the operator of the data centre")
        );
        assert!(
            refused(&station, &["cancel", "nso"]).contains("there is no node nso: no node is registered")
        );
        let expected = ["etc/slon_parser.cfg", &format!("triggers/{DONE}"), "triggers/rejected/"];
        assert_eq!(station.names(), expected, "nothing else of a new site remains");
        assert!(!station.has("work/nso.cancel"));
        std::fs::remove_file(station.at(&format!("triggers/{DONE}"))).unwrap();
    }
    station.start();
    site.subscribe(&station, "cancelled.a subscribe");
    site.assert_equal(&station, &["cancelled.a"]);
}

#[test]
fn a_dump_that_is_under_way_is_given_up_when_its_request_is_cancelled() {
    let station = Station::started(cluster(), "rescan=1\ndump_rate=20000");
    let site = Site::new(cluster(), "nso");
    let failure = "failure the operator of the data centre has cancelled the request\n";
    for runs in [true, false] {
        site.ask(&station, "large.b subscribe");
        station.wait_for("the cut", || station.has("site_logs/nso.new").then_some(()));
        if !runs {
            station.kill();
        }
        let told = json(&station, &["cancel", "nso"]);
        assert_fields(&told, &["cancel", "deed"]);
        assert_fields(&told["ended"], &["ended"]);
        assert_eq!((&told["ended"]["event"], &told["told"]), (&"refused".into(), &[SQLDONE][..].into()));
        assert_eq!(station.await_file(SQLDONE), failure);
        assert!(!station.has("site_logs/nso.new") && !station.has("etc/nso.new.cut"));
        std::fs::remove_file(station.at(&format!("triggers/{SQLDONE}"))).unwrap();
    }
}

#[test]
fn a_dead_site_is_removed_with_its_open_request_and_the_others_do_not_notice() {
    let station = Station::started(cluster(), "rescan=1");
    let (nso, mps) = (Site::new(cluster(), "nso"), Site::new(cluster(), "mps"));
    for site in [&nso, &mps] {
        site.subscribe(&station, "removed.a subscribe");
    }
    nso.ask(&station, "removed.b subscribe");
    nso.await_sql(&station);
    let last = station.caught_up();
    // Nothing is archived meanwhile but SYNCs, which come as they like: names of logs are compared up to here.
    let others = || {
        let mut tree = tree_of(&station, "nso", false);
        tree.retain(|name, _| {
            !name.contains("/slony1_log_")
                || *name <= format!("site_logs/mps/{}", crate::support::station::log_name(last))
        });
        tree.retain(|name, _| !name.contains("/.tmp-"));
        tree
    };
    let before = others();
    let dry = run(&station, &["remove", "nso", "--dry-run"]);
    assert!(dry.starts_with("its open request would be rolled back\nwould be removed: "), "{dry}");
    assert!(station.has(&format!("triggers/{SQLDONE}")));
    let text = run(&station, &["remove", "nso"]);
    assert!(text.starts_with("the request of nso has ended: rolled back: "), "{text}");
    assert_eq!(tree_of(&station, "nso", true), BTreeMap::new());
    assert_eq!(others(), before);
    let registry = station.read("etc/slon_parser.cfg");
    assert!(!registry.contains("nso") && registry.lines().count() == 1, "{registry}");
    change("removed.a");
    mps.assert_equal(&station, &["removed.a"]);
    assert_eq!(tree_of(&station, "nso", true), BTreeMap::new(), "it does not come back");
    let told = events(&station, "nso");
    assert_eq!(told[3..], ["accepted", "offered", "cancel", "rolled_back", "remove"], "{told:?}");
    // The name is free for another site.
    let again = Site::new(cluster(), "nso");
    again.subscribe(&station, "removed.b subscribe");
    again.assert_equal(&station, &["removed.b"]);
}

#[test]
fn a_request_that_was_being_taken_when_the_daemon_was_killed_does_not_come_again() {
    for (command, other) in [("cancel", "mps"), ("remove", "kis")] {
        let station = Station::started(cluster(), "rescan=1");
        station.stop();
        let site = Site::new(cluster(), "nso");
        let point = "1 remove .nso.subscription_series.tgr.claim".to_owned();
        station.start_with(&[("FAILPOINT_KILL".to_owned(), point)]);
        site.ask(&station, "taken.a subscribe");
        station.wait_for("its death", || station.has_ended().then_some(()));
        station.kill();
        assert!(station.has("triggers/.nso.subscription_series.tgr.claim"));
        let text = run(&station, &[command, "nso"]);
        assert!(text.starts_with("the request of nso has ended: refused: the operator"), "{text}");
        station.start();
        Site::new(cluster(), other).subscribe(&station, "taken.a subscribe");
        let left: Vec<_> = tree_of(&station, "/nso", true).into_keys().collect();
        let refusal = format!("triggers/{SQLDONE}");
        let answer = station.has(&refusal).then_some(refusal);
        assert_eq!(answer.is_some(), command == "cancel", "its site is told, if it still is one");
        let kept = [".tgr", ".tgr.reason"]
            .map(|ending| format!("triggers/rejected/nso.subscription_series{ending}"));
        let expected: Vec<_> = answer.into_iter().chain(kept).collect();
        assert_eq!(left, expected, "{}", station.said());
        assert!(!station.has("triggers/.nso.subscription_series.tgr.claim"));
        assert!(!station.read("etc/slon_parser.cfg").contains("nso"));
    }
}

#[test]
fn an_operator_asks_for_a_site() {
    let station = Station::started(cluster(), "rescan=1");
    let said = refused(&station, &["subscribe", "nso", "asked.a", "asked.aa", "local.a", "--from-operator"]);
    assert!(said.contains("there is no table: asked.aa; not replicated: local.a; "), "{said}");
    assert!(!station.has("triggers/nso.subscription_series.tgr"));
    let asked = json(&station, &["subscribe", "nso", "asked.a", "asked.b", "--from-operator"]);
    assert_fields(&asked, &["subscribe", "deed"]);
    assert_eq!(asked["request"], "nso.subscription_series.tgr");
    let site = Site::new(cluster(), "nso");
    site.await_sql(&station);
    assert!(
        refused(&station, &["subscribe", "nso", "asked.b", "--from-operator"])
            .contains("a request of nso is open")
    );
    let detail = json(&station, &["show", "nso"]);
    assert_fields(&detail, &["node", "show"]);
    assert_fields(&detail["request"], &["request"]);
    assert_eq!(detail["request"]["subscribe"], serde_json::json!(["asked.a", "asked.b"]));
    let happened: Vec<_> = detail["history"].as_array().unwrap().iter().map(|line| &line["event"]).collect();
    assert_eq!(happened, ["subscribe", "accepted", "offered"]);
    let shown = run(&station, &["show", "nso"]);
    assert!(
        shown.contains("\n  now       waits for the site to say whether it could apply the SQL, for "),
        "{shown}"
    );
    assert!(shown.contains("; rolled back in 2 d 23 h\n"), "{shown}");
    assert!(shown.contains("\n  request   adds asked.a, asked.b; accepted "), "{shown}");
    site.apply_sql(&station);
    site.answer(&station, true);
    site.assert_equal(&station, &["asked.a", "asked.b"]);
    let said = refused(&station, &["subscribe", "nso", "asked.a", "--from-operator"]);
    assert!(said.contains("nso has all of them already"), "{said}");
    let text = run(&station, &["subscribe", "nso", "asked.b", "--from-operator", "--unsubscribe"]);
    assert!(text.starts_with("`nso.subscription_series.tgr` lies in the drop directory"), "{text}");
    site.await_sql(&station);
    site.answer(&station, true);
    site.assert_equal(&station, &["asked.a"]);
    let told = events(&station, "nso");
    assert_eq!(told[..4], ["subscribe", "accepted", "offered", "applied"], "{told:?}");
}

#[test]
fn series_and_status_tell_what_there_is() {
    let station = Station::started(cluster(), "rescan=1");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "shown.a subscribe");
    cluster().server().execute("archiver", "analyze shown.a, shown.b");
    let all = json(&station, &["series", "shown.*"]);
    let all = all["series"].as_array().unwrap();
    assert_fields(&all[0], &["series"]);
    let seen: Vec<_> = all.iter().map(|one| (&one["series"], &one["rows"], &one["nodes"])).collect();
    let (a, b) = (serde_json::json!(["shown.a", 3, ["nso"]]), serde_json::json!(["shown.b", 3, []]));
    assert_eq!(seen, [(&a[0], &a[1], &a[2]), (&b[0], &b[1], &b[2])]);
    let text = run(&station, &["series", "shown.a"]);
    let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words, ["shown.a", "1", "1", "3", "16.0", "KiB", "nso"], "{text}");
    // A list that somebody has written by hand.
    std::fs::write(station.at("etc/nso.cuts"), station.read("etc/nso.cuts") + "local.a\n").unwrap();
    let text = run(&station, &["series", "local.*"]);
    assert!(text.contains("local.a (not replicated)"), "{text}");

    let output = station.command(&["status"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [
        "manager   runs for ",
        " answers: Slony node 2, receives 1 set\n",
        " is split, ",
        "nodes     1: 1 idle; ",
        "verdict   all is well\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    station.kill();
    let output = station.command(&["status"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("manager   does not run: start it\n"), "{text}");
}

#[test]
fn a_splitter_that_stands_still_is_an_alarm_wherever_somebody_looks() {
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\nrescan=1"));
    let next = station.counter().unwrap() + 1;
    station.wait_for("an archive", || (cluster().sync() >= next).then_some(()));
    feed.put(next, b"-- no archive\n");
    station.wait_for("the splitter to stop", || {
        station.said().contains(&format!("split archive {next}")).then_some(())
    });
    let status = || {
        let output = station.command(&["status"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = status();
    assert_eq!(code, Some(0), "it may be split in a moment: {text}");
    let file = std::fs::File::options().write(true).open(feed.path(next)).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(5 * 3_600)).unwrap();
    let alarm = format!("archive {next} is more than 10 minutes old and not split: ");
    let (code, text) = status();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("\nalarm     {alarm}")), "{text}");
    assert!(text.ends_with("\nverdict   this needs a person\n"), "{text}");
    assert!(run(&station, &["list"]).contains(&alarm));
    let status_now = json(&station, &["status"]);
    assert!(
        status_now["splitter"]["next_archive_age_seconds"].as_u64().unwrap() >= 5 * 3_600,
        "{status_now}"
    );
    feed.put(next, feed.original(next).as_bytes());
    feed.until(&station, next);
    let (code, text) = status();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn what_cannot_be_done_for_a_node_is_said_wherever_somebody_looks() {
    let station = Station::started(cluster(), "rescan=1");
    let site = Site::new(cluster(), "nso");
    let mut locked = cluster().server().psql(ARCHIVER, "postgres").stdin(Stdio::piped()).spawn().unwrap();
    let mut input = locked.stdin.take().unwrap();
    writeln!(input, "begin; lock table locked.b in access exclusive mode;").unwrap();
    let is_locked = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation = 'locked.b'::regclass";
    station.wait_for("the lock", || (cluster().server().query(ARCHIVER, is_locked) == "1").then_some(()));
    site.ask(&station, "locked.b subscribe");
    let said = "what it asks for cannot be done since ";
    station.wait_for("a note", || run(&station, &["list"]).contains(said).then_some(()));
    let detail = json(&station, &["show", "nso"]);
    assert!(detail["notes"].to_string().contains("cannot be done since"), "{detail}");
    assert_eq!(detail["severity"], "warning");
    drop(input);
    locked.wait().unwrap();
    site.await_sql(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    station.wait_for("the end of it", || (!station.has("work/troubles.json")).then_some(()));
    assert!(!run(&station, &["list"]).contains(said));
    station.kill();
    assert!(run(&station, &["list"]).ends_with("\nno daemon runs: no request is served\n"));
}
