//! The dump keeps nobody waiting: replication and splitting go on beside it, and it gives way to what needs its locks.

use crate::support::slony::ARCHIVER;
use crate::support::{Site, Station};
use crate::{change, cluster, tree};

/// A role for one station, so that its sessions can be told from those of others. It is no superuser and may not look
/// into the sessions of others.
fn ordinary_role(name: &str) {
    let server = cluster().server();
    server.execute("postgres", &format!("create role {name} login"));
    let grants = format!(
        "grant usage on schema _jsoc, big, admin to {name}; grant select on all tables in schema _jsoc, big, admin to {name}; \
         grant select on all sequences in schema _jsoc, big to {name};"
    );
    server.execute(ARCHIVER, &grants);
}

fn number(sql: &str) -> u64 {
    cluster().server().query(ARCHIVER, sql).parse().expect("a number")
}

#[test]
fn replication_and_splitting_go_on_beside_a_dump() {
    ordinary_role("steady");
    let station = Station::started(cluster(), "pg_user=steady\ndump_rate=300000");
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "big.steady subscribe");
    let cut =
        station.wait_for("the cut", || station.has("site_logs/nso.new").then(|| station.counter()).flatten());
    let strong = "select count(*) from pg_locks l join pg_stat_activity a using (pid) join pg_class c on c.oid = l.relation \
         where a.usename = 'steady' and c.relnamespace <> 'pg_catalog'::regnamespace and l.mode <> 'AccessShareLock'";
    let mut looks = 0;
    while !station.has("triggers/nso.subscription_series.sqldone") {
        change("big.steady");
        assert_eq!(number(strong), 0, "a lock stronger than ACCESS SHARE");
        station.caught_up();
        looks += 1;
    }
    let split = station.counter().expect("a counter");
    assert!(looks > 1 && split > cut + 1, "the dump was over too soon to show anything: {cut} to {split}");
    site.apply_sql(&station);
    site.answer(&station, true);
    site.assert_equal(&station, &["big.steady"]);
}

#[test]
fn a_dump_gives_way_to_a_truncate_and_is_made_again() {
    ordinary_role("emptied");
    let station = Station::started(cluster(), "pg_user=emptied\ndump_rate=200000\ndump_yield=2");
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "big.emptied subscribe");
    station.wait_for("the cut", || station.has("site_logs/nso.new").then_some(()));
    cluster().origin("truncate big.emptied; insert into big.emptied values (1, now(), 1, 'after')");
    let waiting = "select coalesce(max(extract(epoch from clock_timestamp() - l.waitstart)), 0)::int from pg_locks l \
         where not l.granted and l.relation = 'big.emptied'::regclass";
    let mut longest = 0;
    // The table is empty when its archive has committed, and for that slon needs the lock.
    station.wait_for("the truncate", || {
        longest = longest.max(number(waiting));
        (number("select count(*) from big.emptied") == 1).then_some(())
    });
    // Whole seconds, rounded, and one of slack for a busy machine.
    assert!(longest <= 3, "slon was kept waiting for {longest} s");
    assert!(station.said().contains("the dump gave way"), "{}", station.said());
    site.await_sql(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    site.assert_equal(&station, &["big.emptied"]);
}

#[test]
fn a_dump_that_never_gets_through_is_refused() {
    ordinary_role("refused");
    let station =
        Station::started(cluster(), "pg_user=refused\ndump_rate=50000\ndump_yield=1\ndump_attempts=1");
    let before = tree::contents(&station);
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "big.refused subscribe");
    station.wait_for("the cut", || station.has("site_logs/nso.new").then_some(()));
    cluster().origin("truncate big.refused");
    let answer = site.await_sql(&station);
    assert!(answer.starts_with("failure the dump kept replication waiting"), "{answer}");
    std::fs::remove_file(station.at("triggers/nso.subscription_series.sqldone")).expect("remove .sqldone");
    let reason = "triggers/rejected/nso.subscription_series.tgr.reason";
    station.wait_for("the reason", || station.has(reason).then_some(()));
    for name in ["nso.subscription_series.tgr", "nso.subscription_series.tgr.reason"] {
        std::fs::remove_file(station.at(&format!("triggers/rejected/{name}"))).expect("what was refused");
    }
    station.wait_for("a tidy tree", || (tree::contents(&station) == before).then_some(()));
}

#[test]
fn memory_stays_flat() {
    // On the log-shipping node alone: how the rows came there does not matter for a dump.
    cluster().server().execute(
        ARCHIVER,
        "set session_replication_role = replica; \
         insert into big.wide select i, now(), 1, repeat(md5(i::text), 30) from generate_series(1, 200000) i",
    );
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "big.wide subscribe");
    let answer = site.await_sql(&station);
    let bytes: u64 =
        std::fs::metadata(station.at("triggers/nso.subscribe_series.sql")).expect("the SQL").len();
    assert!(bytes > 150_000_000, "{bytes} bytes are too few to show anything: {answer}");
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", station.process())).expect("the daemon runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak of its memory");
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 64 * 1024, "{kilobytes} kB");
    cluster().server().execute(ARCHIVER, "set session_replication_role = replica; truncate big.wide");
}
