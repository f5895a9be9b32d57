//! Site logs in the hands of plain `psql -X -f`, by a role without special rights, at a site with our offline
//! objects: every log in order, twice, out of order, and full of hostile text.
#![allow(clippy::unwrap_used, reason = "the helpers of tests panic like tests")]

mod support;

use std::fmt::Write as _;
use std::process::Output;

use subscription_manager::logs::{Destination, Expected, Numbers, Routes, Survey, plan, write};
use subscription_manager::model::{
    ArchiveName, Dialect, SeriesList, Subscription, TextStyle, Unrouted, quote_identifier,
};
use subscription_manager::subscription::offline::offline_objects;
use support::Server;
use support::log_row::row;
use support::postgres::{expect_success, feed};

const DASHES: &str = "------------------------------------------------------------------";
const HOSTILE: &str = r#"x"; commit; create table pwned(x int); --"#;

/// A site: a database that belongs to a role without rights, with offline objects at a counter.
struct Site {
    server: Server,
    list: SeriesList,
    cluster: &'static str,
}

impl Site {
    fn new(cluster: &'static str, counter: u64, series: &[&str], tables: &str) -> Self {
        let server = Server::start();
        server.create_database("site");
        server.execute("site", "create role slony login; grant create on database site to slony");
        server.execute("site", "grant all on schema public to slony");
        let list = series.iter().map(|name| Subscription::from_name(name.parse().unwrap())).collect();
        let site = Self { server, list, cluster };
        let objects = offline_objects(cluster, &TextStyle::usual("UTF8"));
        site.own(&format!("{objects}\n{tables}"));
        let tracking = format!("{}.sl_archive_tracking", schema(cluster));
        site.own(&format!("insert into {tracking} values ({counter}, now(), now())"));
        // Again, it changes nothing.
        site.own(&objects);
        site
    }

    /// Runs SQL as the role of the site.
    #[track_caller]
    fn own(&self, sql: &str) {
        let mut psql = self.server.psql("site", "slony");
        psql.args(["-q", "-v", "ON_ERROR_STOP=1"]);
        expect_success(sql, &feed(psql, sql));
    }

    fn split(&self, archive: &str, counter: u64, dialect: Dialect) -> Vec<u8> {
        let name: ArchiveName = format!("slony1_log_2_{counter:020}.sql").parse().unwrap();
        let expected = Expected { cluster: self.cluster, name };
        let routes =
            Routes::new(&[Destination { node: 0, unrouted: Unrouted::Send, dialect, list: &self.list }]);
        let mut survey = Survey::of(archive.as_bytes(), &expected, Vec::new()).unwrap();
        let numbers = Numbers::from([(7, "public.h_seq".parse().unwrap())]);
        let plan = plan(&survey, &routes, &numbers).unwrap();
        let mut written = [Vec::new()];
        write(&mut survey, || Ok(archive.as_bytes()), &expected, &plan, &mut written).unwrap();
        let [log] = written;
        log
    }

    /// `psql -X -f` without any option.
    fn apply(&self, log: &[u8], user: &str) -> Output {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("site.sql");
        std::fs::write(&file, log).unwrap();
        let mut psql = self.server.psql("site", user);
        psql.current_dir(&directory).arg("-f").arg(&file);
        let output = psql.output().unwrap();
        let left: Vec<_> = std::fs::read_dir(&directory).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing in a row runs: {left:?}");
        output
    }

    /// A log that applies once, and changes nothing the second time.
    #[track_caller]
    fn apply_twice(&self, archive: &str, counter: u64) {
        let log = self.split(archive, counter, Dialect::Psql);
        expect_success("apply a site log", &self.apply(&log, "slony"));
        assert_eq!(self.counter(), counter.to_string());
        self.refused(&log, &format!("node is on archive counter {counter}, this archive log expects"));
    }

    /// A log that must change nothing.
    #[track_caller]
    fn refused(&self, log: &[u8], says: &str) {
        let before = self.state();
        let output = self.apply(log, "slony");
        assert_eq!(output.status.code(), Some(3), "psql stops");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(says), "{stderr}");
        assert_eq!(self.state(), before);
    }

    fn counter(&self) -> String {
        self.query(&format!("select at_counter from {}.sl_archive_tracking", schema(self.cluster)))
    }

    fn query(&self, sql: &str) -> String {
        self.server.query("site", sql)
    }

    /// All data and all tables.
    fn state(&self) -> String {
        self.server
            .pg_dump("site", &[])
            .lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
            .fold(String::new(), |all, line| all + line + "\n")
    }
}

/// The schema of Slony's objects, quoted.
fn schema(cluster: &str) -> String {
    quote_identifier(&format!("_{cluster}"))
}

/// An archive as slon writes it.
fn archive(cluster: &str, counter: u64, rows: &[String]) -> String {
    let schema = schema(cluster);
    let mut text = format!(
        "{DASHES}\n-- Slony-I log shipping archive\n-- Node 1, Event 5000000099\n{DASHES}\n\
         set session_replication_role to replica;\nstart transaction;\n\
         select {schema}.archiveTracking_offline('{counter}', '2026-11-20 21:41:14.173756+00');\n\
         -- end of log archiving header\n{DASHES}\n-- start of Slony-I data\n{DASHES}\n\
         COPY {schema}.\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,\
         log_tablenspname, log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n"
    );
    for (at, row) in rows.iter().enumerate() {
        writeln!(text, "1\t17\t1\t{}\t{row}", at + 1).unwrap();
    }
    write!(
        text,
        "\\.\n\n{DASHES}\n-- End Of Archive Log\n{DASHES}\ncommit;\n\
         vacuum analyze {schema}.sl_archive_tracking;\n"
    )
    .unwrap();
    text
}

#[test]
fn real_archives_make_the_tables_that_slony_made() {
    let tables = r#"
        create table public.t1 (id int primary key, data text, n numeric, ts timestamptz, b bytea, arr text[]);
        create table public.nopk2 (a int, b int, v text);
        create schema "Odd Schema";
        create table "Odd Schema"."We""ird,Tab{le}" ("K ey" text, "k\2" int, "select" text, "v""q" text);
        create table public.t4 (id int primary key, v text);
        create table public.keeps (id int references public.t4 deferrable);
        create sequence public.t1_seq;
    "#;
    let series = ["public.t1", "public.nopk2", r#""Odd Schema"."We""ird,Tab{le}""#, "public.t4"];
    let mut site = Site::new("shp", 24, &series, tables);
    // The sequence is in the list, but the site has none: a warning.
    site.list.remove(&"public.t4".parse().unwrap());
    let sequences = ["public.t1_id_seq", r#""Odd Schema"."S eq""#].map(|name| name.parse().unwrap()).to_vec();
    site.list.add(Subscription { series: "public.t4".parse().unwrap(), sequences });
    let sample = |counter: u64| {
        let path = format!("tests/archives/slony-2.2/slony1_log_2_{counter:020}.sql");
        std::fs::read_to_string(path).unwrap()
    };
    site.apply_twice(&sample(25), 25);
    assert_eq!(
        site.query("select * from t1"),
        "1|initial row|1|2020-01-02 03:04:05.678+00|\\x00ff5c27|{a,\"b,c\",NULL,\"NULL\"}"
    );
    assert_eq!(site.query("select \"K ey\" from \"Odd Schema\".\"We\"\"ird,Tab{le}\""), "k\t1\n\\");

    let log = site.split(&sample(38), 38, Dialect::Psql);
    site.refused(&log, "node is on archive counter 25, this archive log expects 37");
    site.own("update \"_shp\".sl_archive_tracking set at_counter = 37; create sequence t1_id_seq");
    site.apply_twice(&sample(38), 38);
    assert_eq!(site.query("select count(*), min(id), max(id), max(length(data)) from t1"), "22|1|23|11");
    for (id, text) in [
        (3, "''"),
        (4, "'NULL'"),
        (5, "'null'"),
        (6, "null"),
        (10, "'quo\"te'"),
        (12, "'back\\slash'"),
        (13, "e'nl\\nnl'"),
        (14, "e'cr\\rcr'"),
        (15, "e'tab\\ttab'"),
        (16, "'\\N'"),
        (17, "'\\.'"),
        (19, "e'vt\\x0bff\\fbs\\b'"),
        (20, "e'\\x01\\x7f'"),
        (21, "'  lead'"),
    ] {
        let equal = site.query(&format!("select data is not distinct from {text} from t1 where id = {id}"));
        // Archive 38 prints the vertical tab as a `v`, as the sample was made.
        assert!(
            equal == "t" || id == 19,
            "{id}: {}",
            site.query(&format!("select data from t1 where id = {id}"))
        );
    }
    assert_eq!(site.query("select b, arr from t1 where id = 23"), "\\x5c22|{{a,b},{\"c d\",NULL}}");
    assert_eq!(site.query("select count(*) from nopk2"), "0");
    assert_eq!(site.query("select last_value from t1_id_seq"), "23");

    site.own("update \"_shp\".sl_archive_tracking set at_counter = 65; insert into t4 values (1, 'old')");
    let log = site.split(&sample(66), 66, Dialect::Psql);
    let output = site.apply(&log, "slony");
    expect_success("apply", &output);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("WARNING:  Slony-I: this site has no sequence \"Odd Schema\".\"S eq\""),
        "{stderr}"
    );
    assert_eq!(site.query("select * from t4"), "9|z");
    // A superuser's tools take the other dialect, at the same site.
    let text = archive("shp", 67, &[row("public", "t4", "I", 0, &[Some("id"), Some("10"), Some("v"), None])]);
    let log = site.split(&text, 67, Dialect::Slony);
    expect_success("the slony dialect", &site.apply(&log, "postgres"));
    assert_eq!(site.query("select id, v is null from t4 order by id"), "9|f\n10|t");
    assert_eq!(site.query("select count(*) from \"_shp\".sl_log_archive"), "0");
}

/// An archive of Slony-I 2.1, or of 1.2 without the line that sets the role.
fn old_archive(counter: u64, has_role: bool, body: &str) -> String {
    let role = if has_role { "set session_replication_role to replica;\n" } else { "" };
    format!(
        "{DASHES}\n-- Slony-I log shipping archive\n-- Node 1, Event 99\n{DASHES}\n{role}start transaction;\n\
         select \"_c\".archiveTracking_offline('{counter}', '2026-11-20 21:41:14.173756+00');\n\
         -- end of log archiving header\n{DASHES}\n-- start of Slony-I data\n{DASHES}\n{body}\n{DASHES}\n\
         -- End Of Archive Log\n{DASHES}\ncommit;\nvacuum analyze \"_c\".sl_archive_tracking;\n"
    )
}

#[test]
fn statements_of_old_archives_are_applied_whatever_they_hold() {
    let tables = "create table public.h (id int primary key, t text); create sequence public.h_seq;
                  create table public.own (id int references public.h)";
    let site = Site::new("c", 0, &["public.h"], tables);
    let texts = [
        HOSTILE,
        "a;\nb",
        "a;\ncommit;\nb",
        "\n-- End Of Archive Log\n",
        "\\! touch pwned",
        "\n\\! touch pwned\n",
        "\\",
        "\\\\'",
        "'; drop table h; --",
        "E'\\'",
        "$$",
        ":own",
        "\t\u{1}é",
        "",
    ];
    let literal = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let mut body = String::new();
    for (id, text) in texts.iter().enumerate() {
        writeln!(body, "insert into \"public\".\"h\" (\"id\",\"t\") values ('{id}',{});", literal(text))
            .unwrap();
        if id % 10 == 9 {
            body.push('\n');
        }
    }
    body += "insert into \"public\".\"other\" (id) values ('1');\n";
    body += "select \"_c\".sequenceSetValue_offline(7,'123');\n";
    site.apply_twice(&old_archive(1, true, &body), 1);
    let found = site.query("select string_agg(t, E'\\x1e' order by id) from h");
    assert_eq!(found.split('\u{1e}').collect::<Vec<_>>(), texts);
    assert_eq!(site.query("select last_value from h_seq"), "123");

    let body = format!(
        "update only \"public\".\"h\" set \"t\"={} where \"id\"='0';\ndelete from only \"public\".\"h\" where \"id\"='1';\n",
        literal("it's \\ new")
    );
    site.apply_twice(&old_archive(2, false, &body), 2);
    assert_eq!(site.query("select t from h where id = 0"), "it's \\ new");
    assert_eq!(site.query("select count(*) from h where id = 1"), "0");

    let script = "-- DDL_SCRIPT\nset session_replication_role to local;\n\n\
                  alter table public.h add column more text default 'a;b'; -- one column\n\
                  update public.h set more = 'it''s' where id = 2\n\
                  set session_replication_role to replica;\n";
    site.apply_twice(&old_archive(3, true, script), 3);
    assert_eq!(site.query("select more from h where id in (2, 3) order by id"), "it's\na;b");

    site.apply_twice(&old_archive(4, true, "TRUNCATE TABLE ONLY \"public\".\"h\" CASCADE;\n"), 4);
    assert_eq!(site.query("select count(*) from h"), "0");
    assert_eq!(site.query("select to_regclass('public.pwned') is null"), "t");
}

#[test]
fn rows_stay_data_whatever_they_hold() {
    let site = Site::new("o\"d'd c", 0, &["public.h"], "create table public.h (id int primary key, t text)");
    let texts = [
        HOSTILE,
        "\\.",
        "\n\\.\n",
        "\\! touch pwned",
        "\n\\! touch pwned\n",
        "\\q",
        "a\tb\\tb",
        "\\",
        "\\\\",
        "'; drop table h; --",
        "\"",
        "{}",
        "",
        "null",
        "NULL",
        "$body$",
        "\\N",
        "\u{1}\u{8}\u{b}é☃",
        ":x :'x'",
        "-- EOL",
        "\r\n\\.\r\n",
    ];
    let ids: Vec<String> = (0..texts.len()).map(|id| id.to_string()).collect();
    let rows: Vec<String> = ids
        .iter()
        .zip(texts)
        .map(|(id, text)| row("public", "h", "I", 0, &[Some("id"), Some(id), Some("t"), Some(text)]))
        .collect();
    let first = archive("o\"d'd c", 1, &rows);
    let second = archive("o\"d'd c", 2, &rows);
    // Before its turn, with the table there and without.
    site.refused(&site.split(&second, 2, Dialect::Psql), "this archive log expects 1");
    site.own("alter table h rename to away");
    site.refused(&site.split(&first, 1, Dialect::Psql), "relation \"public.h\" does not exist");
    site.own("alter table away rename to h");
    assert_eq!(site.counter(), "0");
    let log = site.split(&first, 1, Dialect::Psql);
    expect_success("apply", &site.apply(&log, "slony"));
    site.refused(&log, "node is on archive counter 1, this archive log expects 0");
    // The same keys again: refused as a whole, counter included.
    site.refused(&site.split(&second, 2, Dialect::Psql), "duplicate key value");
    for (id, text) in ids.iter().zip(texts) {
        let hex = text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(site.query(&format!("select encode(t::bytea, 'hex') from (select convert_to(t, 'UTF8') t from h where id = {id}) x")), hex, "{text:?}");
    }
    assert_eq!(site.query("select count(*) from pg_class where relname = 'pwned'"), "0");
    assert_eq!(site.query("select count(*) from h"), texts.len().to_string());
    // Without our objects nothing of a log gets through.
    site.own("drop function \"_o\"\"d'd c\".site_log_offline(int)");
    site.refused(&site.split(&second, 2, Dialect::Psql), "site_log_offline(integer) does not exist");
}

/// Statements of EXECUTE SCRIPT, in both formats. The rights are those of the role.
fn statements_of_scripts(site: &Site) {
    site.own(
        r#"insert into "_c".sl_log_archive values
            (1, 1, null, 1, null, null, 'S', null, array['alter table k add column scripted text default ''a\\b''', '', '']),
            (1, 1, null, 1, null, null, 's', null, '{}');
           select "_c".runScript_offline(E'update k set scripted = scripted || E''\\'' ''');
           select "_c".truncateTable_offline('public', 'parent')"#,
    );
    site.own("insert into k (id) values (77)");
    assert_eq!(site.query("select scripted from k where id = 77"), r"a\\b");
}

#[test]
fn every_kind_of_column_and_change() {
    let tables = r"
        create table public.g (
            id bigint generated always as identity primary key,
            n int, twice int generated always as (n * 2) stored
        );
        create table public.gkey (a int, twice int generated always as (a * 2) stored primary key, v text);
        create table public.parent (id int primary key);
        create table public.child (id int primary key, parent int references public.parent deferrable initially deferred);
        create table public.own (id int primary key, parent int references public.parent on delete set null);
        create schema other;
        create function other.touch() returns trigger language plpgsql as
            $$ begin insert into seen select new.id; return new; end $$;
        create table public.seen (id int);
        create table public.k (id int primary key, a text, b text default 'none');
        create trigger touch after insert or update on public.k for each row execute procedure other.touch();
    ";
    let series = ["public.g", "public.gkey", "public.parent", "public.child", "public.k"];
    let site = Site::new("c", 0, &series, tables);
    let s = Some;
    let rows = [
        row("public", "g", "I", 0, &[s("id"), s("7"), s("n"), s("1"), s("twice"), s("2")]),
        row("public", "g", "I", 0, &[s("id"), s("8"), s("n"), None, s("twice"), None]),
        row("public", "g", "U", 2, &[s("n"), s("5"), s("twice"), s("10"), s("id"), s("7")]),
        row("public", "g", "U", 0, &[s("id"), s("7")]),
        row("public", "g", "U", 1, &[s("id"), s("70"), s("id"), s("8")]),
        row("public", "gkey", "I", 0, &[s("a"), s("1"), s("twice"), s("2"), s("v"), s("x")]),
        row("public", "gkey", "U", 0, &[s("twice"), s("2")]),
        row("public", "gkey", "U", 2, &[s("a"), s("3"), s("twice"), s("6"), s("twice"), s("2")]),
        row("public", "k", "I", 0, &[s("id"), s("1"), s("a"), None, s("b"), s("it's \\ {x}")]),
        row("public", "k", "U", 2, &[s("a"), s("now"), s("b"), None, s("id"), s("1")]),
        row("public", "k", "U", 1, &[s("id"), s("2"), s("id"), s("1")]),
        row("public", "k", "U", 0, &[s("id"), s("2")]),
        row("public", "k", "I", 0, &[s("id"), s("3"), s("a"), s(""), s("b"), s("NULL")]),
        row("public", "k", "D", 0, &[s("id"), s("3")]),
        row("public", "parent", "I", 0, &[s("id"), s("1")]),
        row("public", "child", "I", 0, &[s("id"), s("1"), s("parent"), s("1")]),
        row("public", "elsewhere", "D", 0, &[s("id"), s("3")]),
    ];
    site.apply_twice(&archive("c", 1, &rows), 1);
    assert_eq!(site.query("select * from g order by id"), "7|5|10\n70||");
    assert_eq!(
        site.query("select attidentity from pg_attribute where attrelid = 'g'::regclass and attname = 'id'"),
        "a"
    );
    assert_eq!(site.query("select * from gkey"), "3|6|x");
    assert_eq!(site.query("select id, a, b is null from k"), "2|now|t");
    assert_eq!(site.query("select count(*) from seen"), "5", "the site's triggers fire");

    site.own("insert into own values (1, 1)");
    let rows = [
        row("public", "child", "T", 0, &[]),
        row("public", "parent", "T", 0, &[]),
        row("public", "k", "T", 0, &[]),
    ];
    site.apply_twice(&archive("c", 2, &rows), 2);
    assert_eq!(site.query("select count(*) from parent"), "0");
    assert_eq!(site.query("select * from own"), "1|", "a table of the site's own is never emptied");
    assert_eq!(site.query("select count(*) from k"), "0");

    // Two at once: one applies, the other waits and is refused.
    let rows = [row("public", "k", "I", 0, &[s("id"), s("1")])];
    let log = site.split(&archive("c", 3, &rows), 3, Dialect::Psql);
    let both = std::thread::scope(|scope| {
        let both = [scope.spawn(|| site.apply(&log, "slony")), scope.spawn(|| site.apply(&log, "slony"))];
        both.map(|one| one.join().unwrap().status.success())
    });
    assert_eq!(both.iter().filter(|success| **success).count(), 1);
    assert_eq!(site.query("select count(*) from k"), "1");

    // What must never be applied, though a log said so.
    let script = "insert into \"_c\".sl_log_archive values (1, 1, null, 1, null, null, 'X', null, '{create table pwned()}')";
    let mut psql = site.server.psql("site", "slony");
    psql.args(["-v", "ON_ERROR_STOP=1", "-c", script]);
    assert!(!psql.output().unwrap().status.success());
    let mut psql = site.server.psql("site", "slony");
    psql.args(["-c", "select \"_c\".site_log_offline(2)"]);
    assert!(String::from_utf8_lossy(&psql.output().unwrap().stderr).contains("this site log is of format 2"));
    statements_of_scripts(&site);
    // Calls of the older formats.
    site.own("create sequence q; insert into \"_c\".sl_sequence_offline values (7, 'q', 'public')");
    site.own(
        "select \"_c\".sequenceSetValue_offline(7, '123'); select \"_c\".sequenceSetValue_offline(8, '1')",
    );
    assert_eq!(site.query("select last_value from q"), "123");
}

#[test]
fn logs_are_in_the_encoding_of_the_origin() {
    let site = Site::new("l", 0, &["public.h"], "create table public.h (id int primary key, t text)");
    site.own(&offline_objects("l", &TextStyle::usual("LATIN1")));
    let text =
        archive("l", 1, &[row("public", "h", "I", 0, &[Some("id"), Some("1"), Some("t"), Some("E-acute")])]);
    let mut log = site.split(&text, 1, Dialect::Psql);
    let at = log.windows(7).position(|window| window == b"E-acute").unwrap();
    log.splice(at..at + 7, [0xe9]);
    expect_success("apply", &site.apply(&log, "slony"));
    assert_eq!(site.query("select t from h"), "é");
}
