//! What `resplit` refuses, each with its reason, and without a change.

use std::fs;

use crate::place::Place;
use crate::resplit::split_once;
use crate::support::station::log_name;
use crate::text::undecided;

#[track_caller]
fn refused(place: &Place, node: &str, from: u64, to: u64) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    for flags in [&["--dry-run"][..], &[]] {
        let args: Vec<&str> =
            ["resplit", node, "--from", &from, "--to", &to].iter().chain(flags).copied().collect();
        let said = place.refused(&args);
        assert_eq!(place.hidden(), Vec::<String>::new());
        if flags.is_empty() {
            return said;
        }
    }
    unreachable!("the last of the flags are none")
}

#[test]
fn what_cannot_be_made_again_is_refused_with_its_reason() {
    let place = split_once("");
    let says = |node, from, to, reason: &str| {
        let said = refused(&place, node, from, to);
        assert!(said.contains(reason), "{node} {from} {to}: {said}");
    };
    says("eso", 1, 12, "eso is not registered");
    says("nso", 5, 4, "`--from 5` comes after `--to 4`");
    says("nso", 1, 13, "nso has its part of archives up to 12: what comes after is for the splitter");
    fs::remove_file(place.at(&format!("archives/{}", log_name(7)))).unwrap();
    says("nso", 7, 7, "archive 7 is gone: `");
    says("nso", 7, 7, "` is neither there nor in a bundle");
    fs::remove_file(place.at("work/split.counter")).unwrap();
    says("nso", 1, 1, "nso has its part of archives up to none yet");
}

#[test]
fn what_comes_before_an_archive_that_is_gone_is_made() {
    let place = split_once("");
    for gone in ["archives", "site_logs/nso"] {
        fs::remove_file(place.at(&format!("{gone}/{}", log_name(7)))).unwrap();
    }
    fs::remove_file(place.at(&format!("site_logs/nso/{}", log_name(6)))).unwrap();
    fs::remove_file(place.at(&format!("site_logs/nso/{}", log_name(8)))).unwrap();
    let said = place.fails(&["resplit", "nso", "--from", "1", "--to", "12"]);
    assert!(said.contains("archive 7"), "{said}");
    let there = |counter| place.at(&format!("site_logs/nso/{}", log_name(counter))).exists();
    assert_eq!([6, 7, 8].map(there), [true, false, false]);
    assert_eq!(place.hidden(), Vec::<String>::new());
}

#[test]
fn nothing_is_made_beyond_where_the_node_has_stopped() {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"])], "");
    place.archives(1..=6);
    place.archive(4, &undecided(4));
    place.split(6);
    assert_eq!(place.counter(), 6);
    let said = refused(&place, "nso", 1, 4);
    assert!(said.contains("nso has its part of archives up to 3: "), "{said}");
    place.resplit("nso", 1, 3);
}

#[test]
fn a_statement_that_nobody_has_decided_about_is_not_guessed() {
    let place = Place::new(&[("nso", &["a.x"])], "ddl_unrouted=skip\n");
    place.archives(1..=6);
    place.archive(4, &undecided(4));
    place.split(6);
    place.configure("");
    let said = refused(&place, "nso", 1, 6);
    assert!(said.contains("archive 4 has a statement that nobody has decided about: line 13: "), "{said}");
    place.resplit("nso", 1, 3);
    place.configure("ddl_unrouted=skip\n");
    let nso = place.at("site_logs/nso").display().to_string();
    assert_eq!(
        place.resplit("nso", 1, 6),
        format!("{nso}: 6 logs are the same, 0 that differed and 0 that were missing made\n")
    );
}

#[test]
fn an_archive_that_is_damaged_gives_no_log() {
    let place = split_once("");
    let path = format!("archives/{}", log_name(7));
    let whole = place.read(&path);
    place.write(&path, &whole[..whole.len() - 40]);
    let said = refused(&place, "nso", 7, 7);
    assert!(said.contains("split archive 7: line "), "{said}");
    // One in a bundle that cannot be read is not taken for one that is gone.
    fs::remove_file(place.at(&path)).unwrap();
    place.write("archives/slony_logs_7-8.tar.gz", "no bundle");
    let said = refused(&place, "nso", 7, 7);
    assert!(said.contains("slony_logs_7-8.tar.gz"), "{said}");
}
