//! What the cluster's own tables say.

use crate::case::Case;
use crate::support::slony::{ARCHIVER, ORIGIN};
use crate::support::{Cluster, Station};

#[test]
fn a_database_that_is_away_or_another_is_said() {
    let case = Case::new();
    let back = |case: &Case| case.configure("");
    case.breaks(("error", "database", "archiver", "connect to"), |case| case.configure("pg_port=1\n"), back);
    case.breaks(
        ("error", "database", "archiver", "_nonesuch"),
        |case| case.configure("cluster=nonesuch\n"),
        back,
    );
    case.breaks(
        ("error", "wrong-node", "archiver", "it is Slony node 2, the configuration says slony_node=3"),
        // Its logs are those of another node, too.
        |case| {
            case.remove("work/split.counter");
            case.configure("slony_node=3\n");
        },
        |case| {
            case.write("work/split.counter", "6\n");
            case.configure("");
        },
    );
    case.breaks(
        ("note", "truncate-cascade", "nso", "CASCADE"),
        |case| case.configure("site_dialects=nso:slony\n"),
        back,
    );
}

#[test]
fn what_became_of_a_series_is_said() {
    let case = Case::new();
    let server = case.station.cluster().server();
    let back = |case: &Case| case.write("etc/nso.lst", "hmi.m_45s\n");
    case.breaks(
        ("error", "series-gone", "hmi.nothing", "subscribed by nso"),
        |case| case.write("etc/nso.lst", "hmi.m_45s\nhmi.nothing\n"),
        back,
    );
    server.execute(ARCHIVER, "create table public.local (id int primary key)");
    case.breaks(
        ("error", "series-unreplicated", "public.local", "no set that this node receives"),
        |case| case.write("etc/nso.lst", "public.local\n"),
        back,
    );
    // In the catalog of Slony-I alone: the table itself is one that other tests use.
    let rename = |from: &str, to: &str| {
        server.execute(
            ARCHIVER,
            &format!("update _jsoc.sl_table set tab_relname = '{to}' where tab_nspname = 'aia' and tab_relname = '{from}'"),
        );
    };
    case.breaks(
        ("error", "series-renamed", "aia.before", "it is aia.lev1 now"),
        |case| {
            rename("lev1", "before");
            case.write("etc/nso.lst", "aia.before\n");
        },
        |case| {
            rename("before", "lev1");
            case.write("etc/nso.lst", "hmi.m_45s\n");
        },
    );
    case.breaks(
        ("note", "sequence-unreplicated", "nso", "hmi.other_seq"),
        |case| case.write("etc/nso.cuts", "from 3\nhmi.m_45s hmi.m_45s_seq hmi.other_seq\n"),
        |case| case.remove("etc/nso.cuts"),
    );
}

#[test]
fn a_series_that_a_crash_would_empty_is_said() {
    let case = Case::new();
    let server = case.station.cluster().server();
    // Of its own, and in no set: the others are those of other tests.
    server.execute(ARCHIVER, "create unlogged table public.fleeting (id int primary key)");
    case.write("etc/nso.lst", "public.fleeting\n");
    case.finds(&[
        ("warning", "series-unlogged", "public.fleeting", "subscribed by nso"),
        ("error", "series-unreplicated", "public.fleeting", "subscribed by nso"),
    ]);
    server.execute(ARCHIVER, "alter table public.fleeting set logged");
    case.finds(&[("error", "series-unreplicated", "public.fleeting", "subscribed by nso")]);
}

/// The origin's database has the same cluster: what is written there comes into no archive.
#[test]
fn a_node_that_receives_nothing_is_said() {
    let case = Case::new();
    let settings = |archive_dir: &str| {
        case.station.configure(&format!("pg_dbname=origin\n{archive_dir}"));
    };
    settings(&format!("archive_dir={}\n", case.at("archives").display()));
    // The origin has no archives of its own, but those of this place count as split.
    case.remove("work/split.counter");
    let database = ORIGIN;
    case.finds(&[
        ("error", "no-set", database, "receives no set"),
        ("note", "node-number", database, "Slony node 1"),
        ("error", "own-set", "hmi.m_45s", "its set 1 originates at this node"),
        ("error", "archives-stand-still", database, "events come, but the last archive"),
    ]);
}

#[test]
fn splitting_that_is_left_to_others_is_said() {
    let case = Case::new();
    case.breaks(
        ("note", "no-archives", "archive_dir", "not set"),
        |case| {
            let text = case.station.read("manager.cfg");
            let without: String = text
                .lines()
                .filter(|line| !line.starts_with("archive_dir"))
                .map(|line| format!("{line}\n"))
                .collect();
            case.write("manager.cfg", &without);
        },
        |case| case.configure(""),
    );
}

#[test]
fn a_slon_that_is_away_is_said() {
    let schema = "create schema hmi; create table hmi.a (id int primary key);";
    let cluster = Cluster::start(schema, "insert into hmi.a values (1)", &["hmi"]);
    let station = Station::started(&cluster, "");
    let finds = |expected: &[_]| crate::case::assert_findings(&station, expected);
    finds(&[]);
    cluster.stop_slon(ORIGIN);
    // What is an event there already still comes here: after this one nothing does.
    cluster.sync();
    let old = "update _jsoc.sl_event set ev_timestamp = ev_timestamp - interval '1 hour' where ev_origin = 1";
    cluster.server().execute(ARCHIVER, old);
    finds(&[("warning", "event-lag", ARCHIVER, "the newest event of another node is 60 min old")]);
    cluster.stop_slon(ARCHIVER);
    finds(&[("error", "slon-away", ARCHIVER, "nothing is replicated")]);
}
