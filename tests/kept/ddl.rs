//! `ddl`: a node that stops before a statement, what is decided about it, and how it catches up.

use std::fs;

use crate::place::{Place, assert_same};
use crate::support::station::log_name;
use crate::text::{SERIES, archive, archive_of, log, log_of, log_with_statement, rows, undecided};

const X: &[&str] = &["a.x"];

/// Three nodes; two of them have one list.
fn three(settings: &str) -> Place {
    Place::new(&[("nso", X), ("mps", X), ("kis", &["a.y"])], settings)
}

/// The three, stopped before archive 4 of eight.
fn stopped() -> Place {
    let place = three("");
    place.archives(1..=8);
    place.archive(4, &undecided(4));
    assert_eq!(place.split(8), "8 archives split, up to 8\n");
    for node in ["nso", "mps", "kis"] {
        assert!(place.read(&format!("etc/{node}.stopped")).starts_with("before 4\nwhy line 13: "));
        let notes = place.notes(node).join("; ");
        assert!(notes.contains("stopped before 4: line 13: "), "{notes}");
        assert!(notes.contains(&format!("`subscription_manager ddl {node} 4 --send|--skip`")), "{notes}");
    }
    place.assert_logs("nso", &logs(1..=3));
    place
}

/// The logs of `a.x` without the statement.
fn logs(counters: std::ops::RangeInclusive<u64>) -> Vec<(u64, String)> {
    counters.map(|counter| (counter, log(counter, X))).collect()
}

/// The same, of one that gets the statement of these archives.
fn logs_with(counters: std::ops::RangeInclusive<u64>, statements: &[u64]) -> Vec<(u64, String)> {
    let one = |counter: u64| {
        if statements.contains(&counter) { log_with_statement(counter, X) } else { log(counter, X) }
    };
    counters.map(|counter| (counter, one(counter))).collect()
}

#[test]
fn a_word_that_decides_nothing_is_refused() {
    let place = stopped();
    let says = |args: &[&str], reason: &str| {
        let said = place.refused(args);
        assert!(said.contains(reason), "{args:?}: {said}");
    };
    says(&["ddl", "nso", "5", "--send"], "the logs of nso stopped before archive 4, not 5");
    says(&["ddl", "nso", "3", "--send"], "the logs of nso stopped before archive 4, not 3");
    says(
        &["ddl", "nso", "3", "--skip"],
        "archive 3, of which nso has its part, has no statement of a script for a site",
    );
    says(&["ddl", "nso", "9", "--skip"], "the logs of nso stopped before archive 4, not 9");
    says(&["ddl", "nso", "4"], "<--send|--skip>");
    says(&["ddl", "nso", "4", "--send", "--skip"], "cannot be used with");
    says(&["ddl", "nso", "four", "--send"], "a counter is a decimal number");
    says(&["ddl", "eso", "4", "--send"], "eso");
    // A decision can be changed before it is taken, but not after.
    place.run(&["ddl", "nso", "4", "--send"]);
    place.run(&["ddl", "nso", "4", "--skip"]);
    place.split(8);
    place.assert_logs("nso", &logs(1..=8));
    says(&["ddl", "nso", "4", "--send"], "the logs of nso have not stopped: there is nothing to decide");
}

#[test]
fn each_node_gets_what_was_decided_for_it() {
    let place = stopped();
    assert_eq!(
        place.run(&["ddl", "nso", "4", "--send"]),
        "what could not be routed in archive 4 is sent to nso; its logs go on with the next round\n"
    );
    assert_eq!(
        place.run(&["ddl", "mps", "4", "--skip"]),
        "what could not be routed in archive 4 is skipped for mps; its logs go on with the next round\n"
    );
    place.split(8);
    place.assert_logs("nso", &logs_with(1..=8, &[4]));
    place.assert_logs("mps", &logs(1..=8));
    let kis: Vec<_> = (1..=3).map(|counter| (counter, log(counter, &["a.y"]))).collect();
    place.assert_logs("kis", &kis);
    assert!(place.at("etc/kis.stopped").exists());
    for node in ["nso", "mps"] {
        assert!(!place.at(&format!("etc/{node}.stopped")).exists());
        assert_eq!(place.notes(node), Vec::<String>::new());
    }
    let before = place.tree();
    place.split(8);
    assert_same(&before, &place.tree());
}

/// A statement that went to the nodes that have its table, and that a site cannot apply.
#[test]
fn what_was_sent_is_skipped_afterwards() {
    for bundled in [false, true] {
        let place = three(if bundled { "bundle_after=2\n" } else { "" });
        place.archives(1..=8);
        let statement = "1\t9\t\\N\t9\t\\N\t\\N\tS\t\\N\t{\"alter table a.x add check (a.here(n));\",\"\",\"\"}\n\
                         1\t9\t\\N\t10\t\\N\t\\N\ts\t\\N\t{}\n";
        place.archive(4, &archive_of(4, &(statement.to_owned() + &rows(&SERIES, 4))));
        place.split(8);
        let sent = |with: bool| -> Vec<(String, String)> {
            let one = |counter: u64| match counter {
                4 if with => log_of(4, &(statement.to_owned() + &rows(X, 4))),
                _ => log(counter, X),
            };
            (1..=8).map(|counter| (log_name(counter), one(counter))).collect()
        };
        let logs_of = |node: &str| -> Vec<(String, String)> {
            place.reachable(&format!("site_logs/{node}")).into_iter().collect()
        };
        assert_eq!(logs_of("nso"), sent(true));
        if bundled {
            place.run(&["tidy"]);
        }
        for counter in ["3", "9"] {
            place.refused(&["ddl", "nso", counter, "--skip"]);
        }
        assert!(!place.at("etc/nso.ddl").exists());
        let said = place.run(&["ddl", "nso", "4", "--skip"]);
        let begin = "every statement of a script in archive 4 is skipped for nso; its log is made again:\n";
        assert!(said.starts_with(begin) && said.contains(": 4 differs\n"), "{said}");
        assert_eq!(place.read("etc/nso.ddl"), "4 skip-scripts\n");
        assert_eq!(logs_of("nso"), sent(false));
        assert_eq!(logs_of("mps"), sent(true));
        // It stays so, whatever is made again.
        place.run(&["tidy"]);
        let again = place.run(&["resplit", "nso", "--from", "1", "--to", "8"]);
        assert!(again.contains("8 logs are the same, 0 that differed"), "{again}");
        assert_eq!(logs_of("nso"), sent(false));
    }
}

#[test]
fn a_setting_decides_for_all() {
    for (setting, statements) in [("skip", &[][..]), ("all", &[4][..])] {
        let place = three(&format!("ddl_unrouted={setting}\n"));
        place.archives(1..=8);
        place.archive(4, &undecided(4));
        place.split(8);
        let expected = logs_with(1..=8, statements);
        place.assert_logs("nso", &expected);
        place.assert_logs("mps", &expected);
        assert_eq!(place.tree().keys().filter(|name| name.ends_with(".stopped")).count(), 0);

        // Set afterwards, it lets those go on that have stopped; what was decided goes before it.
        let place = stopped();
        let other = if setting == "skip" { "--send" } else { "--skip" };
        place.run(&["ddl", "mps", "4", other]);
        place.configure(&format!("ddl_unrouted={setting}\n"));
        place.split(8);
        place.assert_logs("nso", &expected);
        place.assert_logs("mps", &logs_with(1..=8, if setting == "skip" { &[4] } else { &[] }));
        assert_eq!(place.tree().keys().filter(|name| name.ends_with(".stopped")).count(), 0);
    }
}

#[test]
fn a_node_catches_up_while_archives_come() {
    let place = stopped();
    place.archives(9..=2000);
    place.split(2000);
    place.assert_logs("nso", &logs(1..=3));
    place.run(&["ddl", "nso", "4", "--send"]);
    place.run(&["ddl", "kis", "4", "--skip"]);
    place.archives(2001..=2003);
    place.split(2003);
    place.assert_logs("nso", &logs_with(1..=2003, &[4]));
    place.assert_logs("mps", &logs(1..=3));
    let kis: Vec<_> = (1..=2003).map(|counter| (counter, log(counter, &["a.y"]))).collect();
    place.assert_logs("kis", &kis);
}

#[test]
fn a_second_statement_on_the_way_stops_it_again() {
    let place = stopped();
    place.archives(9..=20);
    place.archive(12, &undecided(12));
    place.archive(13, &undecided(13));
    place.run(&["ddl", "nso", "4", "--send"]);
    place.split(20);
    assert!(place.read("etc/nso.stopped").starts_with("before 12\n"));
    assert!(place.read("etc/mps.stopped").starts_with("before 4\n"));
    place.assert_logs("nso", &logs_with(1..=11, &[4]));
    let said = place.refused(&["ddl", "nso", "4", "--send"]);
    assert!(said.contains("stopped before archive 12, not 4"), "{said}");
    place.run(&["ddl", "nso", "12", "--skip"]);
    place.split(20);
    place.assert_logs("nso", &logs_with(1..=12, &[4]));
    place.run(&["ddl", "nso", "13", "--send"]);
    place.split(20);
    place.assert_logs("nso", &logs_with(1..=20, &[4, 13]));
    assert!(!place.at("etc/nso.stopped").exists());
    assert_eq!(place.read("etc/nso.ddl"), "4 send\n12 skip\n13 send\n");
}

#[test]
fn a_node_that_was_held_on_the_way_needs_no_second_word() {
    let place = stopped();
    let gone = format!("archives/{}", log_name(6));
    let text = place.read(&gone);
    fs::remove_file(place.at(&gone)).unwrap();
    place.run(&["ddl", "nso", "4", "--skip"]);
    let said = place.fails(&["split", "--until", "8"]);
    assert!(said.contains("archive 6 has committed, but"), "{said}");
    place.assert_logs("nso", &logs(1..=5));
    assert_eq!(place.read("etc/nso.stopped"), "before 6\n");
    assert_eq!(place.notes("nso"), ["catching up from 6"]);
    let said = place.refused(&["ddl", "nso", "6", "--send"]);
    assert!(said.contains("the logs of nso catch up from archive 6: there is nothing to decide"), "{said}");
    place.write(&gone, &text);
    // Archive 6 has nothing that is to be decided, and the word on 4 has been taken.
    place.split(8);
    place.assert_logs("nso", &logs(1..=8));
}

#[test]
fn a_node_that_cannot_catch_up_does_not_hold_another() {
    let place = stopped();
    place.archives(9..=12);
    place.archive(10, &undecided(10));
    place.run(&["ddl", "mps", "4", "--skip"]);
    place.split(12);
    assert!(place.read("etc/mps.stopped").starts_with("before 10\n"));
    fs::remove_file(place.at(&format!("archives/{}", log_name(6)))).unwrap();
    place.run(&["ddl", "nso", "4", "--skip"]);
    place.run(&["ddl", "mps", "10", "--send"]);
    place.archives(13..=13);
    let said = place.fails(&["split", "--until", "13"]);
    assert!(said.contains("archive 6 has committed, but"), "{said}");
    assert_eq!(place.counter(), 13);
    place.assert_logs("nso", &logs(1..=5));
    place.assert_logs("mps", &logs_with(1..=13, &[10]));
    assert!(!place.at("etc/mps.stopped").exists());
}

#[test]
fn archives_that_a_stopped_node_needs_stay_as_they_are() {
    let place = stopped();
    place.configure("bundle_after=1\narchive_days=10\nsite_log_days=0\n");
    for counter in 1..=8 {
        place.age(&format!("archives/{}", log_name(counter)), if counter < 2 { 11 } else { 5 });
    }
    place.run(&["tidy"]);
    let names = || -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(place.at("archives"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let mut expected: Vec<_> = (3..=8).map(log_name).collect();
    expected.push("slony_logs_2-2.tar.gz".to_owned());
    assert_eq!(names(), expected);
    for counter in 4..=8 {
        place.age(&format!("archives/{}", log_name(counter)), 400);
    }
    place.run(&["tidy"]);
    assert_eq!(names(), expected, "what it needs is never too old");
    for node in ["nso", "mps", "kis"] {
        place.run(&["ddl", node, "4", "--skip"]);
    }
    place.run(&["tidy"]);
    assert_eq!(names(), expected, "it is decided, and not made yet");
    place.split(8);
    place.assert_logs("nso", &logs(1..=8));
    // None goes before one that is older by its number.
    place.age("archives/slony_logs_2-2.tar.gz", 11);
    place.age(&format!("archives/{}", log_name(3)), 11);
    place.run(&["tidy"]);
    assert_eq!(names(), [log_name(8)]);
}

#[test]
fn a_counter_that_is_lost_while_a_node_is_stopped_is_found_again() {
    for others in [true, false] {
        let place = three("");
        if !others {
            place.register(&["nso"]);
        }
        place.archives(1..=8);
        place.archive(4, &undecided(4));
        place.split(8);
        if others {
            place.run(&["ddl", "mps", "4", "--skip"]);
            place.split(8);
        }
        fs::remove_file(place.at("work/split.counter")).unwrap();
        place.archives(9..=10);
        place.split(10);
        assert_eq!(place.counter(), 10);
        place.assert_logs("nso", &logs(1..=3));
        assert!(place.read("etc/nso.stopped").starts_with("before 4\n"));
        if others {
            place.assert_logs("mps", &logs(1..=10));
        }
        place.run(&["ddl", "nso", "4", "--send"]);
        place.split(10);
        place.assert_logs("nso", &logs_with(1..=10, &[4]));
    }
}

/// `nso` and `mps`, stopped before archive 4 of twelve and decided about, and two archives that nobody has yet.
pub(crate) fn decided() -> Place {
    let place = Place::new(&[("nso", X), ("mps", X), ("kis", &["a.y"])], "");
    place.register(&["nso", "mps"]);
    place.archives(1..=12);
    place.archive(4, &undecided(4));
    place.split(12);
    place.run(&["ddl", "nso", "4", "--send"]);
    place.run(&["ddl", "mps", "4", "--skip"]);
    place.register(&["nso", "mps", "kis"]);
    place.archive(13, &archive(13));
    place.archive(14, &archive(14));
    place
}

/// Everybody has everything.
#[track_caller]
pub(crate) fn assert_caught_up(place: &Place) {
    place.assert_logs("nso", &logs_with(1..=14, &[4]));
    place.assert_logs("mps", &logs(1..=14));
    place.assert_logs("kis", &[13, 14].map(|counter| (counter, log(counter, &["a.y"]))));
    assert_eq!(place.tree().keys().filter(|name| name.ends_with(".stopped")).count(), 0);
}
