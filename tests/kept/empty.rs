//! An archive that slon committed and never wrote.

use std::fs;

use crate::place::{Place, assert_same};
use crate::support::Server;
use crate::support::station::log_name;
use crate::text::{archive, archive_of, archive_with, empty_log, log, log_with, row};

const X: &[&str] = &["a.x"];

/// Archives 1 to 8 without the sixth, split as far as that goes.
fn waiting() -> Place {
    let place = Place::new(&[("nso", X), ("mps", &["a.y"]), ("old", X)], "site_dialects=old:slony\n");
    place.archives(1..=5);
    place.archives(7..=8);
    let said = place.fails(&["split", "--until", "8"]);
    assert!(said.contains("archive 6 has committed, but `"), "{said}");
    assert!(said.contains("`split --accept-empty 6` takes it as empty"), "{said}");
    assert_eq!(place.counter(), 5);
    place
}

fn expected(counters: std::ops::RangeInclusive<u64>, series: &[&str]) -> Vec<(u64, String)> {
    let one = |counter| if counter == 6 { empty_log(counter) } else { log(counter, series) };
    counters.map(|counter| (counter, one(counter))).collect()
}

#[test]
fn only_the_archive_that_is_waited_for_is_taken_as_empty() {
    let place = waiting();
    let says = |args: &[&str], reason: &str| {
        let said = place.refused(args);
        assert!(said.contains(reason), "{args:?}: {said}");
    };
    let waited = "only the archive that the splitter waits for can be taken as empty, and that is 6";
    for other in ["4", "5", "7", "8"] {
        says(&["split", "--until", "8", "--accept-empty", other], waited);
    }
    says(&["split", "--until", "8", "--accept-empty", "9"], "archive 9 has not committed yet, only 8");
    says(&["split", "--until", "5", "--accept-empty", "6"], "archive 6 has not committed yet, only 5");
    let six = format!("archives/{}", log_name(6));
    place.write(&six, &archive(6));
    says(&["split", "--until", "8", "--accept-empty", "6"], &format!("{waited}; the file is there"));
    assert!(!place.at("work/accepted_empty").exists());
    fs::remove_file(place.at(&six)).unwrap();
    place.assert_logs("nso", &expected(1..=5, X));
}

#[test]
fn an_empty_archive_gives_every_node_a_log() {
    let place = waiting();
    assert_eq!(place.run(&["split", "--until", "8", "--accept-empty", "6"]), "3 archives split, up to 8\n");
    assert_eq!(place.read("work/accepted_empty"), "6\n");
    place.assert_logs("nso", &expected(1..=8, X));
    place.assert_logs("mps", &expected(1..=8, &["a.y"]));
    let old = place.read(&format!("site_logs/old/{}", log_name(6)));
    let of_slony = empty_log(6)
        .replace("\\set ON_ERROR_STOP on\n", "")
        .replace("start transaction;\n", "set session_replication_role to replica;\nstart transaction;\n")
        .replace("select \"_jsoc\".site_log_offline(1);\n", "");
    assert_eq!(old, of_slony);

    let before = place.tree();
    for node in ["nso", "mps", "old"] {
        let at = place.at(&format!("site_logs/{node}")).display().to_string();
        let same = format!("{at}: 8 logs are the same, 0 that differed and 0 that were missing made\n");
        assert_eq!(place.resplit(node, 1, 8), same);
    }
    assert_same(&before, &place.tree());
    fs::remove_file(place.at(&format!("site_logs/nso/{}", log_name(6)))).unwrap();
    place.resplit("nso", 6, 6);
    place.assert_logs("nso", &expected(1..=8, X));
    // Split once more from the start, as after a loss of the counter.
    fs::remove_file(place.at("work/split.counter")).unwrap();
    place.split(8);
    place.assert_logs("nso", &expected(1..=8, X));
    // It comes all the same: the sites do not have it.
    assert!(!place.run(&["list"]).contains("archive 6"));
    place.write(&format!("archives/{}", log_name(6)), &archive(6));
    assert!(place.run(&["list"]).contains("archive 6 has changed since it was split"));
}

#[test]
fn postgresql_applies_the_log_of_an_empty_archive() {
    let place = waiting();
    place.run(&["split", "--until", "8", "--accept-empty", "6"]);
    let server = Server::start();
    server.create_database("site");
    let socket = server.socket_dir().display();
    place.configure(&format!(
        "pg_host={socket}\npg_port={}\npg_user=postgres\npg_dbname=site\n",
        server.port()
    ));
    let without_host = place.read("manager.cfg").replacen("pg_host=", "#", 1);
    place.write("manager.cfg", &without_host);
    // The database of a log-shipping node knows its sequences.
    server.execute(
        "site",
        "create schema _jsoc; create table _jsoc.sl_sequence (seq_id int, seq_nspname name, seq_relname name)",
    );
    server.execute("site", &place.run(&["offline-sql", "nso"]));
    server.execute(
        "site",
        "create schema a; create table a.x (n int primary key); \
         insert into _jsoc.sl_archive_tracking values (0, now(), now())",
    );
    for counter in 1..=8 {
        let path = place.at(&format!("site_logs/nso/{}", log_name(counter)));
        // Twice is once, also of an empty one.
        for success in [true, false] {
            let output = server.psql("site", "postgres").arg("-f").arg(&path).output().unwrap();
            assert_eq!(output.status.success(), success, "{}", String::from_utf8_lossy(&output.stderr));
        }
        let at = server.query("site", "select at_counter from _jsoc.sl_archive_tracking");
        assert_eq!(at, counter.to_string());
    }
    let rows = server.query("site", "select string_agg(n::text, ' ' order by n) from a.x");
    assert_eq!(rows, "1 2 3 4 5 7 8");
}

#[test]
fn the_archive_of_accept_set_is_taken_under_its_first_name() {
    let place = waiting();
    let unnamed = format!("archives/{}.tmp", log_name(6));
    let event = "-- ACCEPT_SET\n";
    let whole = archive_with(6, event);
    let rows = archive_of(6, &row("a.x", 6));
    let of_others = archive_of(6, &row("b.x", 6));
    let another = archive_with(7, event);
    for (what, text) in [
        ("cut off in the trailer", &whole[..whole.len() - 1]),
        ("cut off in the body", &whole[..600]),
        ("nothing", ""),
        ("with rows", &rows),
        ("with rows of nobody", &of_others),
        ("of another number", &another),
    ] {
        place.write(&unnamed, text);
        let said = place.refused(&["split", "--until", "8"]);
        assert!(said.contains("archive 6 has committed, but `"), "{what}: {said}");
        assert_eq!(place.hidden(), Vec::<String>::new());
    }
    place.write(&unnamed, &whole);
    assert_eq!(place.split(8), "3 archives split, up to 8\n");
    let mut expected = expected(1..=8, X);
    expected[5].1 = log_with(6, event);
    place.assert_logs("nso", &expected);
    assert_eq!(place.read(&unnamed), whole, "it is slon's");

    // Named in the end, it is the same.
    fs::rename(place.at(&unnamed), place.at(&format!("archives/{}", log_name(6)))).unwrap();
    let before = place.tree();
    place.resplit("nso", 6, 6);
    assert_same(&before, &place.tree());
}

#[test]
fn one_that_is_not_committed_is_not_looked_at() {
    let place = waiting();
    place.write(&format!("archives/{}.tmp", log_name(6)), &archive_with(6, "-- ACCEPT_SET\n"));
    place.run(&["split", "--until", "5"]);
    assert_eq!(place.counter(), 5);
    place.assert_logs("nso", &expected(1..=5, X));
}
