//! The ground of all other tests holds: servers start, Slony-I archives what is written, and nothing stays behind.

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use support::series::{ODD, STANDARD};
use support::slony::{ARCHIVER, ORIGIN};
use support::{Cluster, Comparison, Server, Writer, wait};

/// Set in a child of this test binary that is there to be killed.
const CHILD: &str = "SUBSCRIPTION_MANAGER_FIXTURE_CHILD";

#[test]
fn a_server_answers_and_goes() {
    let start = Instant::now();
    let server = Server::start();
    println!("a server takes {:?}", start.elapsed());
    server.create_database("some \"name");
    server.execute("some \"name", "create table t (x text); insert into t values ('a'), ('b')");
    assert_eq!(server.query("some \"name", "select x from t order by x"), "a\nb");
    assert!(server.pg_dump("some \"name", &["--data-only"]).contains("COPY public.t (x)"));
    let mode = server.socket_dir().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);

    let home = server.socket_dir().to_owned();
    drop(server);
    assert!(!home.exists());
    assert_eq!(processes_in(&home), [] as [u32; 0]);
}

#[test]
fn a_comparison_sees_every_difference() {
    let server = Server::start();
    for database in ["original", "copy"] {
        server.create_database(database);
        server.execute(
            database,
            "create table t (k int primary key, v text);\n\
             insert into t values (1, 'a'), (2, null), (3, E'two\\nlines'), (4, ''), (5, 'x ')",
        );
    }
    let compare = || {
        let found = Comparison::of(&server, "t", "original", "copy");
        assert_eq!(found.is_equal(), found.missing.is_empty() && found.extra.is_empty());
        (found.rows, found.missing, found.extra)
    };
    assert_eq!(compare(), (5, vec![], vec![]));
    for (tampering, missing, extra) in [
        ("update t set v = 'A' where k = 1", vec!["(1,a)"], vec!["(1,A)"]),
        ("update t set v = '' where k = 2", vec!["(2,)"], vec!["(2,\"\")"]),
        ("update t set v = null where k = 4", vec!["(4,\"\")"], vec!["(4,)"]),
        ("update t set v = 'x' where k = 5", vec!["(5,\"x \")"], vec!["(5,x)"]),
        ("delete from t where k = 3", vec!["(3,\"two\nlines\")"], vec![]),
        ("insert into t values (6, 'a')", vec![], vec!["(6,a)"]),
        ("alter table t drop constraint t_pkey; insert into t values (1, 'a')", vec![], vec!["(1,a)"]),
    ] {
        // The copy is as it was after every one.
        server.execute("copy", &format!("create table kept as table t; {tampering}"));
        let (missing, extra) = (missing.into_iter(), extra.into_iter());
        let expected = (5, missing.map(str::to_owned).collect(), extra.map(str::to_owned).collect());
        assert_eq!(compare(), expected, "{tampering}");
        server.execute("copy", "truncate t; insert into t table kept; drop table kept");
    }
}

#[test]
fn what_the_origin_has_arrives() {
    let cluster = Cluster::shared();
    let server = cluster.server();
    assert_eq!(rows(server, ARCHIVER, ODD), rows(server, ORIGIN, ODD));
    let computed = "select count(*) >= 300, max(twice) > 10 from hmi.with_identity";
    assert_eq!(server.query(ARCHIVER, computed), "t|t");
    assert_eq!(server.query(ARCHIVER, "select last_value from hmi.m_45s_seq"), "300");
    for database in [ORIGIN, ARCHIVER] {
        let names = "select seriesname from hmi.drms_series order by 1";
        assert_eq!(server.query(database, names), "hmi.M_45s\nhmi.V_45s");
    }
    let unreplicated =
        server.query(ORIGIN, "select count(*) from _jsoc.sl_table where tab_relname ~ '^drms_'");
    assert_eq!(unreplicated, "0");
}

#[test]
fn a_sync_leads_to_an_archive_with_the_row() {
    let cluster = Cluster::shared();
    let before = cluster.archiver_counter();
    cluster.origin(
        "insert into aia.lev1 values (500001, now(), 1, 'seen in an archive'); \
         insert into hmi.with_identity (v) values ('identity in an archive')",
    );
    let start = Instant::now();
    let after = cluster.sync();
    println!("a sync takes {:?}", start.elapsed());
    let server = cluster.server();
    assert_eq!(
        server.query(ARCHIVER, "select note from aia.lev1 where recnum = 500001"),
        "seen in an archive"
    );
    assert_eq!(
        server.query(ARCHIVER, "select twice from hmi.with_identity where v = 'identity in an archive'"),
        "44"
    );

    let archives: Vec<_> = (before + 1..=after).map(|counter| archive(cluster, counter)).collect();
    let texts: Vec<_> = archives.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for text in ["seen in an archive", "identity in an archive"] {
        assert_eq!(texts.iter().filter(|archive| archive.contains(text)).count(), 1, "{text}");
    }
    let mode = archives[0].metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "everybody may read an archive");
}

#[test]
fn a_writer_writes_all_that_there_is() {
    // A cluster of its own: nothing else writes while both sides are compared, and slons may stop.
    let start = Instant::now();
    let cluster = Cluster::start(
        "create schema s; \
         create table s.\"it's odd\" (x int primary key); \
         create table s.t (recnum bigint primary key, t_rec timestamptz, quality int, note text); \
         create sequence s.t_seq",
        "insert into s.t select i, now(), i, i from generate_series(1, 10) i; \
         insert into s.\"it's odd\" values (1)",
        &["s"],
    );
    println!("a cluster takes {:?}", start.elapsed());
    assert_eq!(rows(cluster.server(), ARCHIVER, "s.\"it's odd\""), "(1)");
    let writer = Writer::start(&cluster, &["s.t"]);
    let start = Instant::now();
    write_more(&writer, 1000);
    println!("1000 statements take {:?}", start.elapsed());
    cluster.stop_slons();
    write_more(&writer, 500);
    cluster.start_slons();
    write_more(&writer, 500);
    writer.stop();

    let start = Instant::now();
    let counter = cluster.sync();
    println!("a sync after slons were killed takes {:?}", start.elapsed());
    let server = cluster.server();
    assert_eq!(rows(server, ARCHIVER, "s.t"), rows(server, ORIGIN, "s.t"));
    assert!(server.query(ORIGIN, "select last_value from s.t_seq").parse::<u64>().unwrap() > 1_000_000);

    let mut text = String::new();
    for counter in 1..=counter {
        text += &fs::read_to_string(archive(&cluster, counter)).unwrap();
    }
    for kind in ["\ts\tt\tI\t", "\ts\tt\tU\t", "\ts\tt\tD\t", "sequenceSetValue_offline('s','t_seq'"] {
        assert!(text.contains(kind), "{kind}");
    }
}

#[test]
fn nothing_survives_a_killed_test() {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "a_test_that_is_killed"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // The test harness puts its own words before the first line.
    let home = lines.find_map(|line| Some(PathBuf::from(line.split_once("home=")?.1))).unwrap();
    let running = processes_in(&home).len();
    assert!(running > 5, "a server, two slons and their sessions, not {running} processes");

    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    wait::until("the home to go", Duration::from_secs(20), || (!home.exists()).then_some(()));
    assert_eq!(processes_in(&home), [] as [u32; 0]);
    println!("it takes {:?} until nothing remains", start.elapsed());
}

/// A cluster in a static, and a writer at work in it: as much as a test can leave behind.
#[test]
#[ignore = "the child of nothing_survives_a_killed_test"]
fn a_test_that_is_killed() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let cluster = Cluster::shared();
    let writer = Writer::start(cluster, STANDARD);
    write_more(&writer, 100);
    println!("home={}", cluster.server().socket_dir().display());
    loop {
        thread::park();
    }
}

/// Waits until the writer has written `count` more statements.
fn write_more(writer: &Writer, count: u64) {
    let goal = writer.rows() + count;
    wait::until("the writer to write", Duration::from_secs(60), || (writer.rows() >= goal).then_some(()));
}

/// The path of an archive.
fn archive(cluster: &Cluster, counter: u64) -> PathBuf {
    cluster.archive_dir().join(format!("slony1_log_2_{counter:020}.sql"))
}

/// All rows of a table, in an order that is the same everywhere.
fn rows(server: &Server, database: &str, table: &str) -> String {
    server.query(database, &format!("select t::text from {table} t order by t::text collate \"C\""))
}

/// The processes whose working directory is in `home`; PostgreSQL and the slons work there.
fn processes_in(home: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("list processes").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd.starts_with(home))).collect()
}
