//! One request for thousands of series: 5,000, or as many as `WORLD_SERIES` says.
//!
//! To build so many through slonik takes longer than all other tests, so the database is a copy of the archiver's Slony-I
//! schema, to which the tables are entered as `setAddTable` would have done it.

use std::process::Command;
use std::time::Duration;

use crate::cluster;
use crate::process::peak_memory;
use crate::support::postgres::{Shutdown, expect_success, feed};
use crate::support::slony::ARCHIVER;
use crate::support::{Server, Station, wait};

/// How many. Not fewer than 5,000: the server with few locks would have enough.
fn count() -> usize {
    std::env::var("WORLD_SERIES").map_or(5_000, |number| number.parse().expect("a number"))
}

/// The role that owns everything at the site.
const OWNER: &str = "slony";

/// For all series together; the machine may be busy.
const LIMIT: Duration = Duration::from_secs(300);

/// Tables with two rows each, every tenth with a sequence and every third with a comment, in two schemas, one of which has
/// DRMS master tables. A transaction for each hundred: the locks of all are too many for one.
fn tables_sql(series: usize) -> String {
    format!(
        "create schema many; create schema more;
         create table many.drms_series (seriesname text primary key, author text, owner text, archive int, retention int,
             tapegroup int);
         create table many.drms_keyword (seriesname text, keywordname text, primary key (seriesname, keywordname));
         do $$ begin for i in 1 .. {series} loop
             execute format('create table %s.t%s (recnum bigint primary key, note varchar(40))', home(i), i);
             execute format('insert into %s.t%s values (0, ''first of %s''), (%s, E''a\\\\\\\\.\\nb'')', home(i), i, i, i);
             if i % 10 = 0 then
                 execute format('create sequence %s.t%s_seq', home(i), i);
                 perform setval(format('%s.t%s_seq', home(i), i), i, i % 20 = 0);
             end if;
             if i % 3 = 0 then execute format('comment on column %s.t%s.note is ''it''''s %s''', home(i), i, i); end if;
             if i % 100 = 0 then commit; end if;
         end loop; end $$;
         insert into many.drms_series select 'many.T' || i, 'x', 'production', 0, 60, 1 from generate_series(1, {series}) i;
         insert into many.drms_keyword select 'many.T' || i, k from generate_series(1, {series}) i, unnest(array['A', 'B']) k;
         delete from _jsoc.sl_table;
         delete from _jsoc.sl_sequence;
         insert into _jsoc.sl_table (tab_id, tab_reloid, tab_relname, tab_nspname, tab_set, tab_idxname, tab_altered)
             select row_number() over (order by c.oid), c.oid, c.relname, n.nspname, 1, c.relname || '_pkey', false
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname in ('many', 'more') and c.relkind = 'r' and c.relname like 't%';"
    )
}

/// Where the table of a number lies.
const HOME: &str = "create function home(i int) returns text language sql as $$ select case when i % 2 = 0 then 'many' else 'more' end $$;";

fn name(number: usize) -> String {
    format!("{}.t{number}", if number.is_multiple_of(2) { "many" } else { "more" })
}

/// Everything that the tables hold, and where the sequences are.
fn content(server: &Server, database: &str) -> String {
    server.query(
        database,
        "select n.nspname, c.relname, col_description(c.oid, 2), \
             query_to_xml(case c.relkind when 'S' then format('select last_value, is_called from %I.%I', nspname, relname) \
                 else format('select * from %I.%I order by 1', nspname, relname) end, true, true, '') \
         from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where nspname in ('many', 'more') and relkind in ('r', 'S') and relname like 't%' order by 1, 2",
    )
}

#[test]
fn thousands_of_series_come_by_one_request() {
    let series = count();
    let slony = cluster().server().pg_dump(ARCHIVER, &["-n", "_jsoc"]);
    let server = Server::start();
    let locks = |number: u32| {
        server.execute("postgres", &format!("alter system set max_locks_per_transaction = {number}"));
        server.shut_down(Shutdown::Fast);
        server.start_again();
    };
    locks(512);
    for database in [ARCHIVER, "site"] {
        server.create_database(database);
    }
    expect_success("restore the schema of Slony-I", &feed(server.psql(ARCHIVER, "postgres"), &slony));
    server.execute(ARCHIVER, HOME);
    server.execute(ARCHIVER, &tables_sql(series));
    server.execute("site", &format!("create role {OWNER} login; grant create on database site to {OWNER}"));

    let place = server.socket_dir().display();
    let settings = format!("pg_host={place}\nrescan=1\narchive_dir={place}/archives\nlog_level=info");
    server.home().directory("archives");
    let station = Station::new(cluster(), &settings);
    let before = station.tree();
    let lines: String = (1..=series).map(|number| format!("{} subscribe\n", name(number))).collect();
    let request = format!("node nso\nretention 7\n{lines}end\n");

    // Too few locks: refused, with what to do. 10 for each of 200 sessions, and some in reserve.
    locks(10);
    station.start();
    station.drop_file("nso.subscription_series.tgr", &request);
    let refusal = station.await_file("nso.subscription_series.sqldone");
    assert!(refusal.starts_with("failure too many series for one request"), "{refusal}");
    assert!(refusal.contains("max_locks_per_transaction"), "{refusal}");
    station.wait_for("the end of the request", || (!station.has("etc/nso.new.cut")).then_some(()));
    for name in [
        "nso.subscription_series.sqldone",
        "rejected/nso.subscription_series.tgr",
        "rejected/nso.subscription_series.tgr.reason",
    ] {
        std::fs::remove_file(station.at(&format!("triggers/{name}"))).expect("what was refused");
    }
    let mut after = station.tree();
    after.retain(|name, _| name != "triggers/rejected/" && name != "etc/slon_parser.cfg");
    assert_eq!(after, before, "nothing of a refused request remains");

    locks(512);
    station.drop_file("nso.subscription_series.tgr", &request);
    let answer = wait::within(LIMIT, || {
        std::fs::read_to_string(station.at("triggers/nso.subscription_series.sqldone")).ok()
    });
    let answer = answer.unwrap_or_else(|| panic!("no answer\n{}", station.said()));
    assert!(answer.starts_with("cut "), "{answer}");
    for file in ["createns", "subscribe_series"] {
        apply(&server, &station.at(&format!("triggers/nso.{file}.sql")));
    }
    let (here, there) = (content(&server, "site"), content(&server, ARCHIVER));
    assert_eq!(there.lines().filter(|line| line.contains("<row")).count(), 2 * series + series / 10);
    assert!(here == there, "the copy differs from the original");
    let masters = "select (select count(*) from many.drms_series where retention = 7 and owner = 'slony'), \
         (select count(*) from many.drms_keyword)";
    assert_eq!(server.query("site", masters), format!("{}|{series}", series / 2));

    station.drop_file("nso.subscription_series.sqlapplied", "success true\n");
    let done = station.await_file("nso.subscription_series.done");
    assert_eq!(done.lines().count(), 1 + series, "{}", &done[..100]);
    assert_eq!(station.read("etc/nso.lst").lines().count(), series);
    let megabytes = peak_memory(&station);
    assert!(megabytes < 160, "{megabytes} MB");
}

/// Applies a file as a site does.
#[track_caller]
fn apply(server: &Server, path: &std::path::Path) {
    let mut psql: Command = server.psql("site", OWNER);
    let output = psql.args(["-q", "-f"]).arg(path).output().expect("run psql");
    expect_success(&path.display().to_string(), &output);
}
