//! A newer request of a node takes the place of the open one, in each stage before `.sqlapplied`.

use crate::support::slony::ARCHIVER;
use crate::support::{Site, Station, wait};
use crate::tree::{assert_contents, contents, cut, nothing, without_logs};
use crate::{change, cluster};

/// The role of a station's dumps, so that its sessions can be told from those of other tests.
fn role(name: &str) {
    cluster().server().execute("postgres", &format!("create role {name} superuser login"));
}

/// How many sessions of the role run a COPY.
fn copying(role: &str) -> usize {
    let sql = format!(
        "select count(*) from pg_stat_activity where usename = '{role}' and state = 'active' and query ~* '^copy'"
    );
    cluster().server().query(ARCHIVER, &sql).parse().expect("a number")
}

#[test]
fn a_request_is_superseded_during_its_dump() {
    role("superseded");
    let station = Station::started(cluster(), "pg_user=superseded\ndump_rate=50000");
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "big.still subscribe\nsupersede.a subscribe");
    station.wait_for("the dump", || (copying("superseded") == 1).then_some(()));
    station.wait_for("the cut", || station.has("site_logs/nso.new").then_some(()));

    site.ask(&station, "supersede.b subscribe");
    // The old dump would take half a minute.
    let sqldone = station.wait_for("the answer", || {
        let series =
            std::fs::read_to_string(station.at("triggers/nso.subscribe_series.sql")).unwrap_or_default();
        assert!(!series.contains("still"), "the SQL of the old request appears");
        let path = station.at("triggers/nso.subscription_series.sqldone");
        std::fs::read_to_string(path).ok()
    });
    assert!(sqldone.ends_with("\nsupersede.b\n"), "{sqldone}");
    assert_eq!(copying("superseded"), 0, "the server does not go on with the old dump");
    assert!(station.said().contains("a newer request supersedes the open one"));
    assert_eq!(station.read("etc/nso.new.lst"), "supersede.b\n");
    site.apply_sql(&station);
    assert_eq!(site.answer(&station, true), "success true\nsupersede.b\n");
    change("supersede.b");
    site.assert_equal(&station, &["supersede.b"]);
    assert_eq!(station.read("etc/nso.lst"), "supersede.b\n");
    let names = station.names();
    let triggers: Vec<_> = names.iter().filter(|name| name.starts_with("triggers/")).collect();
    assert_eq!(triggers, ["triggers/rejected/"], "nothing of the first request lies there");
}

#[test]
fn a_request_that_comes_while_the_one_before_it_is_taken_is_served() {
    let station = Station::started(cluster(), "");
    station.stop();
    let path = station.at("triggers/nso.subscription_series.tgr");
    // The rename that takes it is done, and its caller does not know yet.
    station.start_failing("inject=rename:delay_exit=2000000", &[&path]);
    station.wait_for("the daemon to start", || station.has("work/subscription_manager.lock").then_some(()));
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "supersede.a subscribe");
    station.wait_for("the taking", || {
        (!path.exists() && station.has("triggers/.nso.subscription_series.tgr.claim")).then_some(())
    });
    site.ask(&station, "supersede.b subscribe");
    station.wait_for("the answer to the second", || {
        let sqldone = std::fs::read_to_string(station.at("triggers/nso.subscription_series.sqldone")).ok()?;
        sqldone.ends_with("\nsupersede.b\n").then_some(())
    });
}

#[test]
fn a_request_lies_where_its_subscriber_sees_it_while_the_hold_is_waited_for() {
    let station = Station::started(cluster(), "");
    let hold =
        std::fs::File::options().write(true).open(station.at("work/hold.lock")).expect("open the hold");
    hold.lock().expect("take the hold");
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "supersede.a subscribe");
    station.wait_for("the stage", || station.said().contains("stage=\"requested\"").then_some(()));
    let path = station.at("triggers/nso.subscription_series.tgr");
    // Many times what it takes to take it.
    let taken = wait::within(std::time::Duration::from_millis(700), || (!path.exists()).then_some(()));
    assert!(taken.is_none(), "nothing is seen of it");
    drop(hold);
    assert!(site.await_sql(&station).ends_with("\nsupersede.a\n"));
}

#[test]
fn a_request_is_superseded_after_its_answer() {
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "supersede.a subscribe\nsupersede.b subscribe");
    let old = cut(&site.await_sql(&station));
    change("supersede.a");
    cluster().sync();
    site.ask(&station, "supersede.c subscribe\naccept gzip");
    let path = station.at("triggers/nso.subscription_series.sqldone");
    let sqldone = station.wait_for("the second answer", || {
        std::fs::read_to_string(&path).ok().filter(|text| text.ends_with("\nsupersede.c\n"))
    });
    assert!(cut(&sqldone) > old);
    let names = station.names();
    for gone in ["triggers/nso.createns.sql", "triggers/nso.subscribe_series.sql"] {
        assert!(!names.iter().any(|name| name == gone), "{gone} is of the first request");
    }
    // The same once more, plain: known sites and failures in between change nothing of this.
    site.ask(&station, "supersede.c subscribe");
    station.wait_for("the third answer", || {
        std::fs::read_to_string(&path).ok().filter(|text| text.contains("nso.createns.sql "))
    });
    site.apply_sql(&station);
    assert_eq!(site.answer(&station, true), "success true\nsupersede.c\n");
    let before = contents(&station);
    site.ask(&station, "supersede.a subscribe");
    site.await_sql(&station);
    site.ask(&station, "supersede.b subscribe\nsupersede.c unsubscribe");
    station.wait_for("the last answer", || {
        std::fs::read_to_string(&path).ok().filter(|text| text.ends_with("\nsupersede.b\n"))
    });
    assert!(site.answer(&station, false).starts_with("success false\n"));
    assert_contents(&without_logs(contents(&station)), &without_logs(before.clone()));
    assert!(nothing().keys().all(|name| before.contains_key(name)));
    site.assert_equal(&station, &["supersede.c"]);
}

#[test]
fn a_request_does_not_overtake_the_answer_to_the_one_before() {
    let station = Station::new(cluster(), "");
    station.start();
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "supersede.a subscribe");
    site.await_sql(&station);
    site.apply_sql(&station);
    let cfg = station.read("triggers/nso.subscription_series.cfg");
    // Both lie there when the daemon looks: what the site has applied must be finished first.
    station.stop();
    station.drop_file("nso.subscription_series.sqlapplied", &format!("{cfg}success true\n"));
    site.ask(&station, "supersede.b subscribe");
    station.start();
    let sqldone = station.wait_for("the second answer", || {
        let path = station.at("triggers/nso.subscription_series.sqldone");
        std::fs::read_to_string(path).ok().filter(|text| text.ends_with("\nsupersede.b\n"))
    });
    assert!(sqldone.starts_with("cut "));
    assert_eq!(station.read("etc/nso.lst"), "supersede.a\n");
    assert_eq!(station.read("etc/nso.new.lst"), "supersede.a\nsupersede.b\n");
    site.apply_sql(&station);
    assert_eq!(site.answer(&station, true), "success true\nsupersede.a\nsupersede.b\n");
    site.assert_equal(&station, &["supersede.a", "supersede.b"]);
}

#[test]
fn what_takes_the_place_of_a_request_while_the_hold_is_waited_for_ends_no_open_one() {
    let station = Station::started(cluster(), "");
    station.stop();
    // Who looks at the drop directory tells of what is set aside, and that takes seconds here: meanwhile a request is taken.
    let trail = station.at("work/audit.jsonl");
    station.start_failing("inject=fsync:delay_enter=3000000:when=1", &[&trail]);
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "supersede.a subscribe");
    let sqldone = site.await_sql(&station);
    let hold =
        std::fs::File::options().write(true).open(station.at("work/hold.lock")).expect("open the hold");
    hold.lock().expect("take the hold");
    site.ask(&station, "supersede.b subscribe");
    let waits = || (station.said().matches("stage=\"requested\"").count() == 2).then_some(());
    station.wait_for("the stage", waits);
    station.drop_file("a b.subscription_series.tgr", "");
    station.wait_for("the line of the trail", || {
        station.read("work/audit.jsonl").contains("is no node name").then_some(())
    });
    let (name, hidden) = ("nso.subscription_series.tgr", station.at("triggers/.link"));
    std::os::unix::fs::symlink("/etc/passwd", &hidden).expect("symlink");
    std::fs::rename(hidden, station.at(&format!("triggers/{name}"))).expect("rename");
    drop(hold);
    let reason = format!("triggers/rejected/{name}.reason");
    station.wait_for(&reason, || station.has(&reason).then_some(()));
    assert_eq!(station.read(&reason), "a symbolic link is not read\n");
    assert_eq!(station.read("triggers/nso.subscription_series.sqldone"), sqldone);
    site.apply_sql(&station);
    assert!(site.answer(&station, true).starts_with("success true\n"));
}
