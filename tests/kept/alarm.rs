//! Archives that change behind the splitter, and one that is missing before it.

use std::fs;

use crate::place::Place;
use crate::support::station::log_name;
use crate::text::{archive, archive_of, log};

fn changed(counter: u64) -> String {
    format!(
        "archive {counter} has changed since it was split: the sites have its old content; compare with \
         `resplit --dry-run`"
    )
}

fn missing(counter: u64) -> String {
    format!("archive {counter} is missing, and later ones are there: the splitter waits for it")
}

/// Fails unless both forms of `list` tell exactly these.
#[track_caller]
fn assert_alarms(place: &Place, expected: &[String]) {
    assert_eq!(place.list()["alarms"], serde_json::json!(expected));
    let text = place.run(&["list"]);
    let told: Vec<_> = text.lines().filter(|line| line.starts_with("archive ")).collect();
    assert_eq!(told, expected);
}

fn split_five() -> Place {
    let place = Place::new(&[("nso", &["a.x"])], "");
    place.archives(1..=5);
    place.split(5);
    assert_alarms(&place, &[]);
    place
}

#[test]
fn an_archive_that_was_replaced_is_told() {
    let place = split_five();
    let path = |counter| format!("archives/{}", log_name(counter));
    // Only touched, or written again with the same bytes under another inode.
    place.age(&path(1), 1);
    fs::remove_file(place.at(&path(2))).unwrap();
    place.archive(2, &archive(2));
    assert_alarms(&place, &[]);
    // Other bytes of the same length; another length; gone is not changed.
    place.archive(3, &archive(3).replace("{n,3}", "{n,4}"));
    assert_alarms(&place, &[changed(3)]);
    place.archive(4, &archive_of(4, ""));
    fs::remove_file(place.at(&path(5))).unwrap();
    assert_alarms(&place, &[changed(3), changed(4)]);
    // The sites keep what they have until an operator decides.
    let logs: Vec<_> = (1..=5).map(|counter| (counter, log(counter, &["a.x"]))).collect();
    place.assert_logs("nso", &logs);
    let nso = place.at("site_logs/nso").display().to_string();
    let dry = place.run(&["resplit", "nso", "--from", "1", "--to", "4", "--dry-run"]);
    assert_eq!(
        dry,
        format!(
            "{nso}: 3 differs\n{nso}: 4 differs\n\
             {nso}: 2 logs are the same, 2 that differed and 0 that were missing would be made\n"
        )
    );
    // As it was, it is well.
    place.archive(3, &archive(3));
    place.archive(4, &archive(4));
    assert_alarms(&place, &[]);
}

#[test]
fn what_is_remembered_of_archives_may_be_lost_or_broken() {
    let place = split_five();
    let seen = place.read("work/split.seen");
    assert_eq!(seen.lines().count(), 5);
    place.archive(3, &archive_of(3, ""));
    place.write("work/split.seen", &format!("rubbish\n\n{seen}5 1"));
    assert_alarms(&place, &[changed(3)]);
    fs::write(place.at("work/split.seen"), b"\xff\0\n").unwrap();
    assert_alarms(&place, &[]);
    fs::remove_file(place.at("work/split.seen")).unwrap();
    assert_alarms(&place, &[]);
    place.archives(6..=6);
    place.split(6);
    assert_alarms(&place, &[]);
}

#[test]
fn an_archive_that_is_missing_is_told_and_not_jumped_over() {
    let place = split_five();
    place.archives(8..=9);
    assert_alarms(&place, &[missing(6)]);
    let said = place.fails(&["split", "--until", "9"]);
    assert!(said.contains("archive 6 has committed, but"), "{said}");
    place.archives(6..=6);
    // Not committed yet: it may still come.
    assert_alarms(&place, &[]);
    place.fails(&["split", "--until", "9"]);
    assert_eq!(place.counter(), 6);
    assert_alarms(&place, &[missing(7)]);
    let logs = |last| (1..=last).map(|counter| (counter, log(counter, &["a.x"]))).collect::<Vec<_>>();
    place.assert_logs("nso", &logs(6));
    // Another node's archives are not ours.
    place.write(&format!("archives/{}", log_name(7).replace("log_2_", "log_3_")), &archive(7));
    assert_alarms(&place, &[missing(7)]);
    place.archives(7..=7);
    place.split(9);
    place.assert_logs("nso", &logs(9));
    assert_alarms(&place, &[]);
}

#[test]
fn a_change_is_past_when_every_node_was_split_again() {
    let nodes: [(&str, &[&str]); 4] =
        [("nso", &["a.x"]), ("mps", &["a.x"]), ("kis", &["a.y"]), ("so", &["a.x"])];
    let place = Place::new(&nodes, "");
    place.archives(1..=5);
    place.split(5);
    let other = archive(3).replace("{n,3}", "{n,4}");
    place.archive(3, &other);
    // What a site has fetched, and acknowledged, nobody can take back.
    fs::remove_file(place.at(&format!("site_logs/so/{}", log_name(3)))).unwrap();
    for node in ["nso", "mps", "kis"] {
        assert_alarms(&place, &[changed(3)]);
        let said = place.run(&["resplit", node, "--from", "3", "--to", "3", "--dry-run"]);
        assert!(said.contains(": 3 differs"), "{said}");
        assert_alarms(&place, &[changed(3)]);
        place.resplit(node, 1, 5);
    }
    assert_alarms(&place, &[]);
    // It may change once more: back to what it was.
    place.archive(3, &archive(3));
    assert_alarms(&place, &[changed(3)]);
    place.resplit("nso", 3, 3);
    assert_alarms(&place, &[changed(3)]);
}

#[test]
fn what_an_earlier_version_remembers_still_counts() {
    let place = split_five();
    let seen = place.read("work/split.seen");
    // It did not note the event of an archive.
    let earlier: String =
        seen.lines().map(|line| line.split(' ').take(4).collect::<Vec<_>>().join(" ") + "\n").collect();
    place.write("work/split.seen", &earlier);
    assert_alarms(&place, &[]);
    place.archive(3, &archive(3).replace("{n,3}", "{n,4}"));
    assert_alarms(&place, &[changed(3)]);
    place.archives(6..=6);
    place.split(6);
    assert_alarms(&place, &[changed(3)]);
}
