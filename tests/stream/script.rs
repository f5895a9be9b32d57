//! EXECUTE SCRIPT: statements of slonik between rows, and whom they reach.

use std::fs;

use crate::support::slony::{ARCHIVER, ORIGIN, rows};
use crate::support::station::log_name;
use crate::support::{Site, Station};
use crate::{THIRD, alone, change, cluster};

/// Adds a column in the middle of everything that a script may hold; tables of the subject `script`.
const MIXED: &str = "-- a comment; with a semicolon
alter table script.a add column more text default 'it''s {x}, \"q\"';
;

update script.a set more = 'changed; by \"the\" script', note = null where recnum = 3;
insert into script.a values (777, null, 1, 'in the script', 'and more');
delete from script.a where recnum = 4;
/* a comment at the end */";

/// The archive, after this one, that holds the statement.
#[track_caller]
fn archive_with(text: &str, after: u64) -> u64 {
    let last = cluster().sync();
    let holds = |counter: &u64| {
        let path = cluster().archive_dir().join(log_name(*counter));
        fs::read_to_string(path).expect("read an archive").contains(text)
    };
    (after + 1..=last).find(holds).unwrap_or_else(|| panic!("no archive holds {text}"))
}

/// What `list` says about the node.
#[track_caller]
fn line_of(station: &Station<'_>, node: &str) -> String {
    let output = station.command(&["list"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().find(|line| line.split_whitespace().next() == Some(node)).unwrap_or_default().to_owned()
}

/// Waits until the node's stream has stopped before this archive.
#[track_caller]
fn await_stop(station: &Station<'_>, node: &str, counter: u64) {
    let text = format!("stopped before {counter}: ");
    station.wait_for("a stopped stream", || line_of(station, node).contains(&text).then_some(()));
}

/// Tells the manager what becomes of the statement before which a node has stopped.
#[track_caller]
fn decide(station: &Station<'_>, node: &str, counter: u64, verdict: &str) {
    let output = station.command(&["ddl", node, &counter.to_string(), verdict]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn slon_reads_backslashes_of_a_script_otherwise_than_slonik() {
    let _turn = alone();
    let cluster = cluster();
    let before = cluster.archiver_counter();
    cluster.execute_script(
        r"alter table literal.b add column more text default 'a\\b'; update literal.b set note = E'e\\s' where recnum = 3;",
        "",
    );
    let archive = cluster.archive_dir().join(log_name(archive_with("literal.b", before)));
    let more = "select more || note from literal.b where recnum = 3";
    // slonik leaves the server's setting alone; slon turns standard_conforming_strings off. A site whose setting is the
    // default has what the origin has.
    assert_eq!(cluster.server().query(ORIGIN, more), r"a\\be\s");
    assert_eq!(cluster.server().query(ARCHIVER, more), r"a\be\s");
    // The archive has the statement as it was, a row each, then the end of the script.
    let archive = fs::read_to_string(archive).expect("read an archive");
    let kinds: Vec<_> = archive.lines().filter_map(|line| line.split('\t').nth(6)).collect();
    assert_eq!(kinds, ["S", "S", "S", "s"]);
    assert!(archive.contains(r#"\tS\t\N\t{"alter table literal.b add column more text default 'a\\\\\\\\b';","","#.replace(r"\t", "\t").as_str()));
}

#[test]
fn a_site_has_what_the_origin_has_of_a_backslash() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "ddl_unrouted=all\n");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "literal.a subscribe");
    cluster.execute_script(
        r"alter table literal.a add column more text default 'it''s; \\ {x}, \n';
          update literal.a set note = 'a\b\\' where recnum = 4; update literal.a set note = E'e\\s\n' where recnum = 5;
          insert into literal.a values (60, null, 1, '\\t''', 'C:\\dir');",
        "",
    );
    cluster.origin(&change("literal.a"));
    let last = cluster.sync();
    station.wait_for("the site logs", || (site.apply_logs(&station) >= last).then_some(()));
    assert_eq!(site.rows("literal.a"), cluster.server().query(ORIGIN, &rows("literal.a")));
}

#[test]
fn a_script_changes_a_series_between_its_rows() {
    let _turn = alone();
    let cluster = cluster();
    // What changes rows would wait for a word.
    let station = Station::started(cluster, "ddl_unrouted=all\n");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "script.a subscribe\nscript.b subscribe");
    mps.subscribe(&station, "script.b subscribe");
    // All of it in a few archives.
    cluster.stop_slon(ARCHIVER);
    cluster.origin(&(change("script.a") + &change("script.b")));
    cluster.execute_script(MIXED, "");
    cluster.origin(&(change("script.a") + &change("script.b")));
    cluster.origin("update script.a set more = E'row\\\\' where recnum = 7");
    cluster.execute_script("alter table script.a drop column quality; truncate script.b;", "");
    cluster.origin(
        "insert into script.a values (5000, null, null, 'the last'); insert into script.b values (1)",
    );
    cluster.start_slon(ARCHIVER, &[]);
    nso.assert_equal(&station, &["script.a", "script.b"]);
    mps.assert_equal(&station, &["script.b"]);
    assert_eq!(mps.query("select to_regclass('script.a') is null"), "t");

    // Not for the archiver, and so not for its sites.
    let before = cluster.archiver_counter();
    let only = "update script.a set note = 'only here' where recnum = 9; create table script.only (x int);";
    cluster.execute_script(only, "execute only on = '1,3'");
    archive_with("only here", before);
    cluster.origin("update script.a set more = 'after it' where recnum = 10");
    nso.assert_equal(&station, &["script.a", "script.b"]);
    mps.assert_equal(&station, &["script.b"]);
    assert_eq!(nso.query("select count(*) from script.a where note = 'only here'"), "0");
    assert_eq!(nso.query("select to_regclass('script.only') is null"), "t");
    // With it, a site gets what is meant for the archiver.
    cluster.execute_script("update script.a set note = 'both' where recnum = 9;", "execute only on = '1,2'");
    nso.assert_equal(&station, &["script.a"]);
    assert_eq!(nso.query("select count(*) from script.a where note = 'both'"), "1");
}

#[test]
fn a_statement_that_a_node_has_in_part_stops_its_stream_alone() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "routed.a subscribe\nrouted.b subscribe");
    mps.subscribe(&station, "routed.b subscribe");
    cluster.origin(&(change("routed.a") + &change("routed.b")));
    // All and none of it: nobody stops.
    cluster.execute_script("alter table routed.a add column more text default 'none of it';", "");
    cluster.execute_script("alter table routed.b add column more text default 'all of it';", "");
    nso.assert_equal(&station, &["routed.a", "routed.b"]);
    mps.assert_equal(&station, &["routed.b"]);

    let before = cluster.archiver_counter();
    cluster.execute_script("alter table routed.a add column other bigint references routed.b (recnum);", "");
    let partial = archive_with("references routed.b", before);
    cluster.origin(&(change("routed.a") + &change("routed.b")));
    nso.assert_equal(&station, &["routed.a", "routed.b"]);
    await_stop(&station, "mps", partial);
    assert!(!line_of(&station, "nso").contains("stopped before"));
    assert_eq!(station.logs("mps").last(), Some(&(partial - 1)));

    mps.ask(&station, "routed.a subscribe");
    let answer = mps.await_sql(&station);
    assert!(answer.starts_with("failure ") && answer.contains(&partial.to_string()), "{answer}");
    assert!(!mps.log(&station, partial).exists());
    fs::remove_file(station.at("triggers/mps.subscription_series.sqldone")).expect("take the answer away");

    // A restart does not make it forget.
    station.stop();
    station.start();
    await_stop(&station, "mps", partial);
    cluster.origin(&change("routed.b"));
    decide(&station, "mps", partial, "--skip");
    mps.assert_equal(&station, &["routed.b"]);
    nso.assert_equal(&station, &["routed.a", "routed.b"]);
    assert!(!line_of(&station, "mps").contains("stopped before"));
    let logs = station.logs("mps");
    assert_eq!(logs, (logs[0]..logs[0] + logs.len() as u64).collect::<Vec<_>>(), "a gap");
    mps.subscribe(&station, "routed.a subscribe");
    cluster.origin(&change("routed.a"));
    mps.assert_equal(&station, &["routed.a", "routed.b"]);
}

#[test]
fn a_statement_that_names_no_table_waits_for_a_word_for_each_node() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "held.a subscribe");
    mps.subscribe(&station, "held.b subscribe");
    let before = cluster.archiver_counter();
    let script = |key: u32| {
        format!(
            "do $$ begin update held.a set note = 'by the block', quality = {key} where recnum = {key}; end $$;"
        )
    };
    cluster.execute_script(&script(5), "");
    let first = archive_with("quality = 5", before);
    cluster.origin(&(change("held.a") + &change("held.b")));
    cluster.execute_script(&script(6), "");
    let second = archive_with("quality = 6", first);
    assert!(second > first);
    cluster.origin(&(change("held.a") + &change("held.b")));
    cluster.sync();
    for node in ["nso", "mps"] {
        await_stop(&station, node, first);
    }
    // One after the other, and in this order only.
    let wrong = station.command(&["ddl", "nso", &second.to_string(), "--send"]);
    assert!(!wrong.status.success());
    decide(&station, "nso", first, "--send");
    await_stop(&station, "nso", second);
    await_stop(&station, "mps", first);
    decide(&station, "nso", second, "--send");
    nso.assert_equal(&station, &["held.a"]);
    assert_eq!(nso.query("select count(*) from held.a where note = 'by the block'"), "2");

    decide(&station, "mps", first, "--skip");
    await_stop(&station, "mps", second);
    decide(&station, "mps", second, "--skip");
    mps.assert_equal(&station, &["held.b"]);
    assert_eq!(mps.query("select to_regclass('held.a') is null"), "t");
    for node in ["nso", "mps"] {
        assert!(!line_of(&station, node).contains("stopped before"));
    }
}

/// What foreign keys and triggers of the original make of a statement is in no archive.
#[test]
fn a_script_whose_effect_goes_beyond_what_it_names_waits_for_a_word() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let (nso, mps, kis) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"), Site::new(cluster, "kis"));
    nso.subscribe(&station, "reach.a subscribe\nreach.b subscribe");
    mps.subscribe(&station, "reach.b subscribe\nheld.b subscribe");
    kis.subscribe(&station, "held.b subscribe");
    // Not of a copy: nobody gets it, and nobody stops. Triggers and roles are not at the sites.
    cluster.execute_script(
        "alter table reach.b add constraint refers foreign key (recnum) references reach.a on delete cascade;
         alter table reach.b owner to postgres; alter table reach.b set unlogged; grant select on reach.a to pg_monitor;
         alter table reach.b set logged;",
        "",
    );
    cluster.origin(&change("reach.a"));
    nso.assert_equal(&station, &["reach.a", "reach.b"]);
    mps.assert_equal(&station, &["reach.b"]);
    assert_eq!(nso.query("select count(*) from pg_constraint where contype = 'f'"), "0");

    let before = cluster.archiver_counter();
    cluster.execute_script("delete from reach.a where recnum = 7;", "");
    let cascades = archive_with("delete from reach.a where", before);
    assert_eq!(cluster.server().query(ARCHIVER, "select count(*) from reach.b where recnum = 7"), "0");
    for node in ["nso", "mps"] {
        await_stop(&station, node, cascades);
    }
    kis.assert_equal(&station, &["held.b"]);
    decide(&station, "nso", cascades, "--send");
    // It names nothing that the site has: there is nothing to be sent.
    decide(&station, "mps", cascades, "--send");
    for site in [&nso, &mps] {
        station.wait_for("the site logs", || (site.apply_logs(&station) >= cascades).then_some(()));
        assert_eq!(site.query("select count(*) from reach.b where recnum = 7"), "1");
    }
    // As the operator was told: what followed from it comes by a copy of its own.
    for site in [&nso, &mps] {
        site.subscribe(&station, "reach.b unsubscribe");
        site.execute("drop table if exists reach.b");
        let last = cluster.sync();
        station.wait_for("the site logs", || (site.apply_logs(&station) >= last).then_some(()));
        site.subscribe(&station, "reach.b subscribe");
    }
    nso.assert_equal(&station, &["reach.a", "reach.b"]);
    mps.assert_equal(&station, &["reach.b"]);

    let before = cluster.archiver_counter();
    cluster.execute_script("truncate reach.a cascade;", "");
    let empties = archive_with("truncate reach.a cascade", before);
    for node in ["nso", "mps", "kis"] {
        await_stop(&station, node, empties);
    }
}

/// A statement that went to a site by its tables, and that cannot be applied there.
#[test]
fn a_statement_that_stops_a_site_is_skipped_afterwards() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    for site in [&nso, &mps] {
        site.subscribe(&station, "undone.a subscribe");
    }
    let function = "create function undone.f(bigint) returns bool immutable language sql as 'select true'";
    for database in [ORIGIN, ARCHIVER, THIRD] {
        cluster.server().execute(database, function);
    }
    mps.execute(function);
    let before = cluster.archiver_counter();
    cluster.execute_script("alter table undone.a add constraint c check (undone.f(recnum));", "");
    let counter = archive_with("add constraint c check", before);
    cluster.origin(&change("undone.a"));
    mps.assert_equal(&station, &["undone.a"]);
    station.wait_for("the log", || nso.log(&station, counter).exists().then_some(()));
    nso.apply_logs_until(&station, counter - 1);
    let failed = nso.psql_file(&nso.log(&station, counter));
    assert!(!failed.status.success() && String::from_utf8_lossy(&failed.stderr).contains("undone.f"));
    decide(&station, "nso", counter, "--skip");
    nso.assert_equal(&station, &["undone.a"]);
    assert_eq!(nso.query("select count(*) from pg_constraint where conname = 'c'"), "0");
    cluster.origin(&change("undone.a"));
    for site in [&nso, &mps] {
        site.assert_equal(&station, &["undone.a"]);
    }
}
