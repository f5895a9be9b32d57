//! The database behind the daemon's address is another one: nothing is split by its counters, and no cut is taken there.

use crate::support::slony::ARCHIVER;
use crate::support::{Server, Site, Station};
use crate::{THIRD, alone, cluster, row};

/// The daemon in front of that database, with a request that asks for SQL; it says this, and neither splits nor answers. In front of the
/// right one again it does both.
#[track_caller]
fn check(database: &str, counter: u64, said: &str) {
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "live.a subscribe");
    nso.assert_equal(&station, &["live.a"]);
    station.caught_up();
    station.stop();
    let before = station.counter();
    cluster.server().execute(database, &format!("update _jsoc.sl_archive_counter set ac_num = {counter}"));
    station.configure(&format!("rescan=1\npg_dbname={database}"));
    station.start_unready();
    mps.ask(&station, "live.b subscribe");
    nso.ask(&station, "live.b subscribe");
    station.wait_for("the splitter to complain", || station.said().contains(said).then_some(()));
    // Both requests were tried there: each says so once, besides the splitter.
    let tried = |node: &str| {
        let of_node = |line: &&str| line.contains(&format!("node={node}")) && line.contains(said);
        station.said().lines().any(|line| of_node(&line)).then_some(())
    };
    station.wait_for("the request of nso", || tried("nso"));
    station.wait_for("the request of mps", || tried("mps"));
    assert_eq!(station.counter(), before);
    for node in ["nso", "mps"] {
        assert!(!station.has(&format!("triggers/{node}.subscription_series.sqldone")));
        assert!(!station.has(&format!("site_logs/{node}.new")));
    }
    assert!(!station.has("work/holes"));
    station.stop();
    station.configure("rescan=1");
    station.start();
    for site in [&nso, &mps] {
        let answer = site.await_sql(&station);
        assert!(answer.starts_with("cut "), "{answer}");
        site.apply_sql(&station);
        assert!(site.answer(&station, true).starts_with("success true\n"));
    }
    cluster.origin(&row("live", "after the swap"));
    nso.assert_equal(&station, &["live.a", "live.b"]);
    mps.assert_equal(&station, &["live.b"]);
}

/// Makes a copy of the log-shipping node, as it was once.
fn copy_as(database: &str) {
    let server = cluster().server();
    server.create_database(database);
    let at = format!("-h {} -p {} -U postgres", server.socket_dir().display(), server.port());
    let copy = format!("pg_dump {at} {ARCHIVER} | psql {at} -q -v ON_ERROR_STOP=1 {database} >/dev/null");
    let status = server.home().command("sh").args(["-c", &copy]).status().expect("run sh");
    assert!(status.success(), "{copy}: {status}");
    // Slony-I knows its tables by numbers that a copy by pg_dump does not keep.
    let numbers =
        "update _jsoc.sl_table set tab_reloid = format('%I.%I', tab_nspname, tab_relname)::regclass";
    server.execute(database, numbers);
}

#[test]
fn a_database_that_went_back_gives_no_cut() {
    let _turn = alone();
    copy_as("went_back");
    check("went_back", 1, "time went back there");
}

#[test]
fn a_database_that_went_back_behind_a_copy_is_noticed_also_where_the_splitter_is_late() {
    let _turn = alone();
    let cluster = cluster();
    let empty = cluster.server().socket_dir().join("no-archives");
    std::fs::create_dir(&empty).expect("create a directory");
    let settings = format!("rescan=1\narchive_dir={}", empty.display());
    let station = Station::started(cluster, &settings);
    let site = Site::new(cluster, "nso");
    station.wait_for("the splitter to begin", || station.counter());
    cluster.origin(&row("live", "before the copy"));
    let split = station.counter().expect("a counter");
    station.wait_for("a later archive", || (cluster.sync() > split + 1).then_some(()));
    site.subscribe(&station, "live.a subscribe");
    station.stop();
    copy_as("went_back_a_little");
    let back = format!("update _jsoc.sl_archive_counter set ac_num = {}", split + 1);
    cluster.server().execute("went_back_a_little", &back);
    station.configure(&format!("{settings}\npg_dbname=went_back_a_little"));
    station.start_unready();
    let other = Site::new(cluster, "mps");
    site.ask(&station, "live.b subscribe");
    other.ask(&station, "live.b subscribe");
    let said = |of: &str| {
        let line = |line: &str| line.contains(of) && line.contains("a copy was made at archive");
        station.said().lines().any(line).then_some(())
    };
    station.wait_for("the splitter to complain", || said("the splitter waits"));
    station.wait_for("no cut for the site", || said("node=nso"));
    assert_eq!(station.counter(), Some(split));
    station.stop();
}

#[test]
fn a_database_of_another_slony_node_gives_no_cut() {
    let _turn = alone();
    check(THIRD, 1_000_000, "this database is Slony node 3, but archives of Slony node 2 were split");
}

#[test]
fn a_database_of_another_server_gives_no_cut_until_an_operator_says_that_it_took_the_place() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "live.a subscribe");
    nso.assert_equal(&station, &["live.a"]);
    station.caught_up();
    let remembered = station.read("work/system_identifier");
    station.stop();
    let before = station.counter().expect("a counter");
    let other = copy_to_another_server();
    // Its numbers say nothing against it.
    let ahead = format!("update _jsoc.sl_archive_counter set ac_num = greatest(ac_num, {before})");
    other.execute(ARCHIVER, &ahead);
    let there = format!("rescan=1\npg_host={}", other.socket_dir().display());
    station.configure(&there);
    station.start_unready();
    mps.ask(&station, "live.b subscribe");
    let said = |of: &str| {
        let line = |line: &str| line.contains(of) && line.contains("this is another PostgreSQL server");
        station.said().lines().any(line).then_some(())
    };
    station.wait_for("the splitter to complain", || said("the splitter waits"));
    station.wait_for("no cut for the site", || said("node=mps"));
    let check = station.command(&["check"]);
    assert!(
        String::from_utf8_lossy(&check.stdout).contains("this is another PostgreSQL server"),
        "{check:?}"
    );
    assert!(!station.has("triggers/mps.subscription_series.sqldone") && !station.has("site_logs/mps.new"));
    assert_eq!(
        (station.counter(), station.read("work/system_identifier")),
        (Some(before), remembered.clone())
    );
    // It was moved there: the operator says so.
    std::fs::remove_file(station.at("work/system_identifier")).expect("remove the file");
    let now = station.wait_for("the other one to be remembered", || {
        std::fs::read_to_string(station.at("work/system_identifier")).ok()
    });
    assert_ne!(now, remembered);
    let answer = mps.await_sql(&station);
    assert!(answer.starts_with("cut "), "{answer}");
}

/// A server with a copy of the log-shipping node's database, which has its name, its node and its cluster.
fn copy_to_another_server() -> Server {
    let (server, other) = (cluster().server(), Server::start());
    other.create_database(ARCHIVER);
    let at =
        |server: &Server| format!("-h {} -p {} -U postgres", server.socket_dir().display(), server.port());
    let (from, to) = (at(server), at(&other));
    let copy = format!("pg_dump {from} {ARCHIVER} | psql {to} -q -v ON_ERROR_STOP=1 {ARCHIVER} >/dev/null");
    let status = server.home().command("sh").args(["-c", &copy]).status().expect("run sh");
    assert!(status.success(), "{copy}: {status}");
    let numbers =
        "update _jsoc.sl_table set tab_reloid = format('%I.%I', tab_nspname, tab_relname)::regclass";
    other.execute(ARCHIVER, numbers);
    other
}
