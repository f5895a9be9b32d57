//! PostgreSQL goes away, says no, or comes back as another. A cluster of its own: its server is stopped and killed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, OnceLock};

use crate::proxy::Proxy;
use crate::support::home::send;
use crate::support::postgres::{Shutdown, expect_success};
use crate::support::slony::ARCHIVER;
use crate::support::{Cluster, Server, Site, Station};
use crate::{change, schema, seed};

const SUBJECTS: &[&str] = &["base"];

/// Rows that take seconds to dump at [`SLOW`].
const LARGE: &str =
    "create table base.large (recnum bigint primary key, t_rec timestamptz, quality int, note text);\n";
const LARGE_ROWS: &str = "insert into base.large select i, now(), i % 5, repeat(md5(i::text), 10) \
     from generate_series(1, 4000) i;\n";
const SLOW: &str = "dump_rate=400000\nrescan=1\ndump_attempts=50";

/// The cluster, for one test at a time.
fn alone() -> (&'static Cluster, MutexGuard<'static, ()>) {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let start = || Cluster::start(&(schema(SUBJECTS) + LARGE), &(seed(SUBJECTS) + LARGE_ROWS), SUBJECTS);
    (CLUSTER.get_or_init(start), guard)
}

/// A role that may read everything, and is no superuser: limits hold for it.
fn ordinary_role(cluster: &Cluster, name: &str) {
    cluster.server().execute("postgres", &format!("create role {name} login in role pg_read_all_data"));
}

/// Waits until the request of the node has its cut.
#[track_caller]
fn await_cut(station: &Station<'_>) {
    station.wait_for("the cut", || station.has("site_logs/nso.new").then_some(()));
}

/// The SQL comes, is applied, and the site follows.
#[track_caller]
fn end_well(station: &Station<'_>, site: &Site<'_>, series: &[&str]) {
    let answer = site.await_sql(station);
    assert!(answer.starts_with("cut "), "{answer}\n{}", station.said());
    site.apply_sql(station);
    assert!(site.answer(station, true).starts_with("success true\n"));
    for series in series {
        change(station.cluster(), series);
    }
    site.assert_equal(station, series);
    let hidden: Vec<_> = station
        .names()
        .into_iter()
        .filter(|name| name.contains("/.") && !name.starts_with("site_logs/"))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn a_server_that_restarts_or_crashes_in_the_middle_of_a_dump() {
    let (cluster, _guard) = alone();
    let server = cluster.server();
    for how in ["fast", "immediate", "a backend is killed"] {
        let station = Station::started(cluster, SLOW);
        let site = Site::new(cluster, "nso");
        site.ask(&station, "base.large subscribe");
        await_cut(&station);
        cluster.stop_slons();
        match how {
            "fast" => server.shut_down(Shutdown::Fast),
            "immediate" => server.shut_down(Shutdown::Immediate),
            _ => {
                let pid = "select pid from pg_stat_activity where application_name = 'subscription_manager' \
                     and query ilike 'copy %' limit 1";
                let pid: u32 = station.wait_for("a COPY", || server.query(ARCHIVER, pid).parse().ok());
                send("KILL", pid);
            }
        }
        if how != "a backend is killed" {
            station
                .wait_for("a failed attempt", || station.said().contains("it is tried again").then_some(()));
            server.start_again();
        }
        station.wait_for("the server", || {
            let answer =
                server.psql(ARCHIVER, "postgres").args(["-c", "select 1"]).output().expect("run psql");
            answer.status.success().then_some(())
        });
        cluster.start_slons();
        station.wait_for(how, || station.said().contains("it is tried again").then_some(()));
        end_well(&station, &site, &["base.large"]);
    }
}

#[test]
fn a_server_that_is_down_at_the_start() {
    let (cluster, _guard) = alone();
    let station = Station::new(cluster, "rescan=1");
    let site = Site::new(cluster, "nso");
    cluster.stop_slons();
    cluster.server().shut_down(Shutdown::Fast);
    station.start_unready();
    site.ask(&station, "base.a subscribe");
    let said = |what: &str| station.said().contains(what).then_some(());
    station.wait_for("a failed attempt", || said("it is tried again"));
    station.wait_for("the splitter to say so", || said("the splitter waits"));
    assert!(!station.has("triggers/nso.subscription_series.sqldone") && !station.has_ended());
    cluster.server().start_again();
    cluster.start_slons();
    end_well(&station, &site, &["base.a"]);
    assert!(station.said().contains("the splitter goes on"), "{}", station.said());
}

#[test]
fn a_session_that_is_ended_at_any_moment() {
    let (cluster, _guard) = alone();
    cluster.server().execute("postgres", "create role ended superuser login");
    let station = Station::started(cluster, &format!("pg_user=ended\n{SLOW}"));
    let site = Site::new(cluster, "nso");
    site.ask(&station, "base.a subscribe\nbase.large subscribe\nbase.b subscribe");
    let session = "from pg_stat_activity a where usename = 'ended' and";
    let locks = "exists (select from pg_locks l where l.pid = a.pid and l.relation = 'base.b'::regclass)";
    for moment in [
        "true".to_owned(),
        format!("{locks} and not query ilike 'copy%'"),
        format!("{locks} and state = 'idle in transaction'"),
        format!("{locks} and query ilike 'copy%' and state = 'active'"),
        format!("not {locks}"),
    ] {
        // Asked from inside: some of them are over before a client could come again.
        let end = format!(
            "do $$ begin for i in 1..60000 loop
                 perform pg_terminate_backend(a.pid) {session} {moment};
                 if found then return; end if;
                 perform pg_stat_clear_snapshot(), pg_sleep(0.002);
             end loop; raise 'this moment did not come: %', $m${moment}$m$; end $$"
        );
        cluster.server().execute(ARCHIVER, &end);
        assert!(!station.has("triggers/nso.subscription_series.sqldone"), "{moment}");
    }
    end_well(&station, &site, &["base.a", "base.large", "base.b"]);
}

#[test]
fn a_server_that_has_no_place_or_no_leave_for_us() {
    let (cluster, _guard) = alone();
    let server = cluster.server();
    ordinary_role(cluster, "crowded");
    let hba = server.socket_dir().join("data/pg_hba.conf");
    let usual = fs::read_to_string(&hba).expect("read pg_hba.conf");
    let rejecting = format!("local all crowded reject\n{usual}");
    let configure = |text: &str| {
        fs::write(&hba, text).expect("write pg_hba.conf");
        server.query("postgres", "select pg_reload_conf()");
    };
    let station = Station::new(cluster, "pg_user=crowded\nrescan=1");
    let site = Site::new(cluster, "nso");
    server.execute("postgres", "alter role crowded connection limit 0");
    station.start_unready();
    site.ask(&station, "base.b subscribe");
    let said = |what: &str| station.wait_for(what, || station.said().contains(what).then_some(()));
    said("too many connections for role");
    configure(&rejecting);
    server.execute("postgres", "alter role crowded connection limit -1");
    said("pg_hba.conf rejects connection");
    assert!(!station.has("triggers/nso.subscription_series.sqldone"));
    configure(&usual);
    end_well(&station, &site, &["base.b"]);
}

#[test]
fn settings_of_the_role_and_the_database_do_not_reach_a_dump() {
    let (cluster, _guard) = alone();
    ordinary_role(cluster, "hurried");
    for setting in [
        "statement_timeout = '100ms'",
        "idle_in_transaction_session_timeout = '100ms'",
        "lock_timeout = '1ms'",
        "default_transaction_isolation = 'read committed'",
        "search_path = base",
        "datestyle = german",
    ] {
        cluster.server().execute("postgres", &format!("alter role hurried set {setting}"));
        cluster
            .server()
            .execute("postgres", &format!("alter role hurried in database {ARCHIVER} set {setting}"));
    }
    let station = Station::started(cluster, "pg_user=hurried\ndump_rate=400000\ndump_attempts=1");
    let site = Site::new(cluster, "nso");
    site.ask(&station, "base.large subscribe\nbase.a subscribe");
    end_well(&station, &site, &["base.large", "base.a"]);
    assert!(!station.said().contains("it is tried again"), "{}", station.said());
}

#[test]
fn a_server_that_is_frozen_for_a_while() {
    let (cluster, _guard) = alone();
    let station = Station::started(cluster, SLOW);
    let site = Site::new(cluster, "nso");
    site.ask(&station, "base.large subscribe");
    await_cut(&station);
    let sessions = "select pid from pg_stat_activity where application_name = 'subscription_manager'";
    let frozen: Vec<u32> = cluster
        .server()
        .query(ARCHIVER, sessions)
        .lines()
        .map(|pid| pid.parse().expect("a number"))
        .collect();
    assert!(frozen.len() > 1, "{frozen:?}");
    for pid in &frozen {
        send("STOP", *pid);
    }
    // Somebody else is served meanwhile, as soon as there is a session that answers.
    fs::write(station.at("triggers/other.subscription_series.tgr"), "node other\nrubbish\nend\n")
        .expect("write");
    assert!(station.await_file("other.subscription_series.sqldone").starts_with("failure "));
    fs::remove_file(station.at("triggers/other.subscription_series.sqldone")).expect("remove");
    for pid in &frozen {
        send("CONT", *pid);
    }
    end_well(&station, &site, &["base.large"]);
}

#[test]
fn a_slon_that_dies_while_a_request_is_open() {
    let (cluster, _guard) = alone();
    let station = Station::started(cluster, SLOW);
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "base.a subscribe");
    site.ask(&station, "base.large subscribe");
    await_cut(&station);
    cluster.stop_slon(ARCHIVER);
    change(cluster, "base.large");
    change(cluster, "base.a");
    site.await_sql(&station);
    cluster.start_slon(ARCHIVER, &[]);
    change(cluster, "base.large");
    end_well(&station, &site, &["base.a", "base.large"]);
}

#[test]
fn a_standby_that_is_behind_is_noticed() {
    let (cluster, _guard) = alone();
    let server = cluster.server();
    // The address stays the same: what lies behind it changes.
    let place = tempfile::tempdir().expect("a directory");
    let address = place.path().join("address");
    symlink(server.socket_dir(), &address).expect("symlink");
    let station = Station::started(cluster, &format!("pg_host={}\nrescan=1", address.display()));
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "base.a subscribe");
    let home = server.home();
    let socket = server.socket_dir().to_str().expect("a plain path");
    let _ = fs::remove_dir_all(server.socket_dir().join("standby"));
    home.run(
        "postgres-basebackup",
        "pg_basebackup",
        &["-h", socket, "-U", "postgres", "-D", "standby", "-X", "stream", "-c", "fast"],
    );
    // It is behind by this.
    change(cluster, "base.a");
    site.assert_equal(&station, &["base.a"]);

    let other = home.directory("behind");
    let sockets = format!("unix_socket_directories={}", other.display());
    home.start(
        "postgres-standby",
        "postgres",
        &["-D", "standby", "-c", &sockets, "-c", "listen_addresses=", "-c", "port=5432"],
    );
    let answers = || {
        let mut psql = server.psql(ARCHIVER, "postgres");
        psql.env("PGHOST", &other).args(["-Atc", "select ac_num from _jsoc.sl_archive_counter"]);
        let output = psql.output().expect("run psql");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let behind: u64 = station.wait_for("the standby", answers).parse().expect("a counter");
    let split = station.counter().expect("a counter");
    assert!(behind < split, "the standby is not behind: {behind} and {split}");
    fs::remove_file(&address).expect("remove");
    symlink(&other, &address).expect("symlink");
    let ours = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'subscription_manager'";
    server.query(ARCHIVER, ours);
    site.ask(&station, "base.b subscribe");
    station.wait_for("both to say so", || {
        (station.said().matches("time went back there").count() > 1).then_some(())
    });
    assert!(!station.has("triggers/nso.subscription_series.sqldone"), "nothing is served from there");
    assert!(station.counter().is_some_and(|counter| counter >= split), "the counter has gone back");

    // The right one is back.
    fs::remove_file(&address).expect("remove");
    symlink(server.socket_dir(), &address).expect("symlink");
    home.end_by("postgres-standby", "INT");
    end_well(&station, &site, &["base.a", "base.b"]);
    expect_success("list", &station.command(&["list"]));
}

#[test]
fn a_server_that_falls_silent() {
    let (cluster, _guard) = alone();
    let proxy = Proxy::start(cluster.server());
    let settings = format!("pg_host=127.0.0.1\npg_port={}\ndatabase_patience=15\n{SLOW}", proxy.port());
    let station = Station::started(cluster, &settings);
    let site = Site::new(cluster, "nso");
    site.ask(&station, "base.large subscribe");
    await_cut(&station);
    // The connections stay, and nothing comes any more: keepalives are answered all the same.
    proxy.swallow();
    station.wait_for("the dump to be given up", || {
        station.said().contains("the database is silent").then_some(())
    });
    station.wait_for("its traces to go", || (!station.has("site_logs/nso.new")).then_some(()));
    proxy.pass();
    end_well(&station, &site, &["base.large"]);
}

#[test]
fn a_server_that_has_no_place_for_anybody() {
    let (cluster, _guard) = alone();
    let station = Station::new(cluster, "rescan=1");
    let site = Site::new(cluster, "nso");
    let mut crowd = Vec::new();
    while let Some(one) = occupy(cluster.server()) {
        crowd.push(one);
    }
    station.start_unready();
    site.ask(&station, "base.b subscribe");
    let said = |what: &str| station.wait_for(what, || station.said().contains(what).then_some(()));
    said("sorry, too many clients already");
    said("it is tried again");
    assert!(!station.has("triggers/nso.subscription_series.sqldone"));
    drop(crowd);
    end_well(&station, &site, &["base.b"]);
}

/// Takes a place in the server, as a superuser; `None` if there is none.
fn occupy(server: &Server) -> Option<UnixStream> {
    let path = server.socket_dir().join(format!(".s.PGSQL.{}", server.port()));
    let mut stream = UnixStream::connect(path).expect("connect");
    let parameters = format!("user\0postgres\0database\0{ARCHIVER}\0\0");
    let length = u32::try_from(8 + parameters.len()).expect("a small number");
    let mut startup = length.to_be_bytes().to_vec();
    startup.extend(196_608_u32.to_be_bytes());
    startup.extend(parameters.bytes());
    stream.write_all(&startup).expect("ask for a session");
    // Authentication, or an error.
    let mut word = [0];
    stream.read_exact(&mut word).expect("an answer");
    (word == *b"R").then_some(stream)
}

#[test]
fn a_daemon_that_stands_still_for_longer_than_its_sessions_live() {
    let (cluster, _guard) = alone();
    let station = Station::started(cluster, SLOW);
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "base.a subscribe");
    site.ask(&station, "base.large subscribe");
    await_cut(&station);
    send("STOP", station.process());
    let server = cluster.server();
    let ours = "from pg_stat_activity where application_name = 'subscription_manager'";
    server.query(ARCHIVER, &format!("select count(pg_terminate_backend(pid)) {ours}"));
    let ended = || server.query(ARCHIVER, &format!("select count(*) {ours}")) == "0";
    station.wait_for("the end of its sessions", || ended().then_some(()));
    change(cluster, "base.a");
    change(cluster, "base.large");
    cluster.sync();
    assert!(!station.has("triggers/nso.subscription_series.sqldone"));
    send("CONT", station.process());
    station.wait_for("another attempt", || station.said().contains("it is tried again").then_some(()));
    end_well(&station, &site, &["base.a", "base.large"]);
}

#[test]
fn what_is_committed_and_not_on_disk_is_not_believed() {
    let (cluster, _guard) = alone();
    let server = cluster.server();
    let station = Station::started(cluster, "rescan=1");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "base.a subscribe");
    let configure = |settings: &[&str]| {
        for set in settings {
            server.execute("postgres", &format!("alter system {set}"));
        }
        server.query("postgres", "select pg_reload_conf()");
    };
    configure(&["set synchronous_commit = off", "set wal_writer_delay = '3s'"]);
    for _ in 0..3 {
        change(cluster, "base.a");
        let committed = cluster.archiver_counter() + 1;
        station.wait_for("an archive", || (cluster.archiver_counter() >= committed).then_some(()));
        station.wait_for("its logs", || (station.counter() >= Some(committed)).then_some(()));
        cluster.stop_slons();
        server.shut_down(Shutdown::Immediate);
        let split = station.counter().expect("a counter");
        server.start_again();
        let left = cluster.archiver_counter();
        assert!(left >= split, "archive {split} is split, and the database remembers {left}");
        cluster.start_slons();
    }
    configure(&["reset synchronous_commit", "reset wal_writer_delay"]);
    change(cluster, "base.a");
    site.assert_equal(&station, &["base.a"]);
}
