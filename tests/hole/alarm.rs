//! A hole is found, whoever ran when, and its nodes are named until they have their series anew.

use crate::support::{Site, Station};
use crate::{
    alone, apply_without_archives, archive_again, await_compared, cluster, line, list, row, suspects,
};

#[test]
fn while_the_daemon_runs_it_is_said_at_once_and_until_the_series_are_subscribed_anew() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::new(cluster, "");
    station.configure(&format!("rescan=1\nhook.archive_gap=tee -a {}", station.at("told").display()));
    station.start();
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "live.a subscribe\nlive.b subscribe");
    mps.subscribe(&station, "live.b subscribe");
    nso.assert_equal(&station, &["live.a", "live.b"]);

    apply_without_archives(&row("live", "in no archive"));
    let open = station.wait_for("the hole", || station.has("work/holes").then(|| station.read("work/holes")));
    assert!(open.starts_with("hole 1 events ") && !open.contains(" before "), "{open}");
    assert!(open.ends_with("site mps live.b\nsite nso live.a\nsite nso live.b\n"), "{open}");
    let listed = list(&station);
    assert!(listed.contains("slon ran without `-a` after archive "), "{listed}");

    // It goes on, and is the same one.
    cluster.origin(&row("live", "in no archive either"));
    cluster.sync();
    let before = archive_again();
    cluster.origin(&row("live", "archived"));
    let closed = || Some(station.read("work/holes")).filter(|holes| holes.contains(" before "));
    let closed = station.wait_for("the end of the hole", closed);
    assert_eq!(closed.matches("hole 1 ").count(), 1, "{closed}");
    let listed = list(&station);
    assert!(listed.contains("slon ran without `-a` between archives "), "{listed}");
    assert!(
        line(&station, "nso").contains("must resubscribe: rows of live.a, live.b after archive "),
        "{listed}"
    );
    assert!(line(&station, "mps").contains("must resubscribe: rows of live.b after archive "), "{listed}");
    let said = station.said();
    for node in ["nso", "mps"] {
        let errors =
            said.lines().filter(|line| line.contains("ERROR") && line.contains("the node misses rows"));
        let of_node = errors.filter(|line| line.contains(&format!("node={node} "))).count();
        assert_eq!(of_node, 1, "{said}");
    }

    // It is true: the logs go on without a gap, and the rows are not there.
    let original = cluster.original(&["live.a"]);
    station.wait_for("the logs", || (nso.apply_logs(&station) >= before).then_some(()));
    assert_eq!(nso.query("select count(*) from live.a where note like 'in no archive%'"), "0");
    assert!(original.rows[0].1.contains("in no archive either"));

    // A site that comes afterwards misses nothing; those that subscribe anew neither.
    let late = Site::new(cluster, "late");
    late.subscribe(&station, "live.a subscribe");
    nso.apply_logs(&station);
    nso.subscribe(&station, "live.a unsubscribe");
    nso.apply_logs(&station);
    nso.execute("drop table live.a");
    nso.subscribe(&station, "live.a subscribe");
    let some = "site mps live.b\nsite nso live.b\n";
    station.wait_for("the record", || station.read("work/holes").ends_with(some).then_some(()));
    assert!(!line(&station, "late").contains("resubscribe"), "{}", list(&station));
    cluster.origin(&row("live", "later"));
    nso.assert_equal(&station, &["live.a"]);
    late.assert_equal(&station, &["live.a"]);

    let told = station.read("told");
    let of_hole: serde_json::Value = serde_json::from_str(&told).expect("one object");
    assert_eq!(of_hole["hook"], "archive_gap", "{told}");
    let words = format!("slon ran without `-a` after archive {}", of_hole["archive"]);
    assert!(of_hole["reason"].as_str().is_some_and(|reason| reason.starts_with(&words)), "{told}");

    // A restart changes nothing and says nothing anew.
    station.stop();
    let before = station.said().matches("misses rows").count();
    station.start();
    await_compared(&station, cluster.sync());
    assert!(station.read("work/holes").ends_with(some));
    assert_eq!(station.said().matches("misses rows").count(), before);
    assert_eq!(station.read("told"), told);

    for site in [&nso, &mps] {
        site.apply_logs(&station);
        site.subscribe(&station, "live.b unsubscribe");
        site.apply_logs(&station);
        site.execute("drop table live.b");
        site.subscribe(&station, "live.b subscribe");
    }
    station.wait_for("the end of the record", || (!station.has("work/holes")).then_some(()));
    assert!(
        !list(&station).contains("slon ran") && !list(&station).contains("resubscribe"),
        "{}",
        list(&station)
    );
    nso.assert_equal(&station, &["live.a", "live.b"]);
    mps.assert_equal(&station, &["live.b"]);
}

#[test]
fn while_the_daemon_is_down_it_is_found_when_it_comes_back() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "later.a subscribe");
    await_compared(&station, cluster.sync());
    station.kill();
    cluster.origin(&row("later", "archived"));
    let first = cluster.sync();
    apply_without_archives(&row("later", "in no archive"));
    let last = archive_again();
    cluster.origin(&row("later", "archived"));
    assert!(!station.has("work/holes"));
    station.start();
    let holes =
        station.wait_for("the hole", || station.has("work/holes").then(|| station.read("work/holes")));
    assert!(holes.contains(" before ") && holes.ends_with("\nsite nso later.a\n"), "{holes}");
    let words: Vec<&str> =
        holes.lines().find(|line| line.starts_with("hole 1 ")).expect("one").split(' ').collect();
    let number = |word: &str| -> u64 {
        let at = words.iter().position(|it| *it == word).expect(word);
        words[at + 1].parse().expect("a number")
    };
    assert!(
        first <= number("after") && number("after") < number("before") && number("before") <= last,
        "{holes}"
    );
    assert!(line(&station, "nso").contains("must resubscribe: rows of later.a "));
}

#[test]
fn what_slony_has_forgotten_is_said_and_not_guessed() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "forgotten.a subscribe");
    await_compared(&station, cluster.sync());
    station.stop();
    assert!(!suspects(&station.said()), "{}", station.said());
    cluster.origin(&row("forgotten", "archived"));
    cluster.sync();
    cluster.server().execute(crate::ARCHIVER, "select _jsoc.cleanupEvent('0 seconds'::interval)");
    station.start();
    await_compared(&station, cluster.sync());
    assert!(
        station.said().contains("it cannot be told whether slon has archived all events"),
        "{}",
        station.said()
    );
    assert!(!station.has("work/holes"));
    site.assert_equal(&station, &["forgotten.a"]);
    // Once.
    station.stop();
    let before = station.said().matches("it cannot be told").count();
    station.start();
    await_compared(&station, cluster.sync());
    assert_eq!(station.said().matches("it cannot be told").count(), before);
}

#[test]
fn where_cron_splits_it_is_found_too() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "cron.a subscribe");
    station.caught_up();
    station.stop();
    let split = || {
        let output = station.command(&["split"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    cluster.origin(&row("cron", "archived"));
    let at = cluster.sync();
    let said = split();
    assert!(!suspects(&said), "{said}");
    await_compared(&station, at);
    apply_without_archives(&row("cron", "in no archive"));
    archive_again();
    let said = split();
    assert!(
        said.contains("in no archive") && said.contains("misses rows") && said.contains("cron.a"),
        "{said}"
    );
    assert!(station.read("work/holes").ends_with("\nsite nso cron.a\n"));
    assert!(line(&station, "nso").contains("must resubscribe: rows of cron.a "), "{}", list(&station));
    // Once.
    let said = split();
    assert!(!suspects(&said), "{said}");
}
