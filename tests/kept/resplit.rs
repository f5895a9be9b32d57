//! `resplit`: each log by the list that held at its counter, and nothing else.

use std::fs;

use crate::place::{Place, assert_same, differing, lines};
use crate::support::station::log_name;
use crate::text::{self, log};

/// Three lists, one after the other.
const CUTS: &str = "from 1\na.x\nfrom 5\na.x\na.y\nfrom 9 shown 9\na.y\na.z\n";

/// The list of that node at a counter.
fn list_at(counter: u64) -> &'static [&'static str] {
    match counter {
        0..5 => &["a.x"],
        5..9 => &["a.x", "a.y"],
        _ => &["a.y", "a.z"],
    }
}

/// Twelve archives that are split for `nso`, which has had three lists, and for `mps`.
pub(crate) fn split_once(settings: &str) -> Place {
    let place = Place::new(&[("nso", &["a.y", "a.z"]), ("mps", &["a.x"])], settings);
    place.write("etc/nso.cuts", CUTS);
    place.archives(1..=12);
    assert_eq!(place.split(12), "12 archives split, up to 12\n");
    assert_right(&place);
    place
}

/// Whoever asks gets the right logs.
#[track_caller]
pub(crate) fn assert_right(place: &Place) {
    let nso: Vec<_> = (1..=12).map(|counter| (log_name(counter), log(counter, list_at(counter)))).collect();
    let mps: Vec<_> = (1..=12).map(|counter| (log_name(counter), log(counter, &["a.x"]))).collect();
    assert_eq!(place.reachable("site_logs/nso").into_iter().collect::<Vec<_>>(), nso);
    assert_eq!(place.reachable("site_logs/mps").into_iter().collect::<Vec<_>>(), mps);
}

/// The same with the first nine archives and logs in bundles, and damaged.
pub(crate) fn damaged() -> Place {
    let place = split_once("bundle_after=3\n");
    assert_eq!(
        place.run(&["tidy"]),
        "nso: 0 removed, 3 bundled\nmps: 0 removed, 3 bundled\narchive_dir: 0 removed, 3 bundled\n"
    );
    assert_right(&place);
    place.damage();
    place
}

/// What is said of the damage.
fn told(place: &Place, done: &str) -> String {
    let nso = place.at("site_logs/nso").display().to_string();
    let each: String =
        [(1, "missing"), (2, "missing"), (3, "missing"), (5, "differs"), (10, "differs"), (12, "missing")]
            .map(|(counter, what)| format!("{nso}: {counter} {what}\n"))
            .concat();
    format!("{each}{nso}: 6 logs are the same, 2 that differed and 4 that were missing {done}\n")
}

#[test]
fn logs_are_made_right_and_those_that_are_right_stay() {
    let place = damaged();
    let before = place.tree();
    let dry = place.run(&["resplit", "nso", "--from", "1", "--to", "12", "--dry-run"]);
    assert_eq!(dry, told(&place, "would be made"));
    assert_same(&before, &place.tree());
    assert_eq!(place.hidden(), Vec::<String>::new());

    assert_eq!(place.resplit("nso", 1, 12), told(&place, "made"));
    assert_right(&place);
    let after = place.tree();
    let made: Vec<_> =
        [1, 2, 3, 5, 10, 12].map(|counter| format!("site_logs/nso/{}", log_name(counter))).to_vec();
    let told = "work/audit.jsonl".to_owned();
    assert_eq!(differing(&before, &after), made.iter().chain([&told]).cloned().collect::<Vec<_>>());
    assert!(made.iter().all(|name| after[name].mode == 0o644 && after[name].links == 1));
    assert_eq!(place.hidden(), Vec::<String>::new());

    let nso = place.at("site_logs/nso").display().to_string();
    let same = format!("{nso}: 12 logs are the same, 0 that differed and 0 that were missing made\n");
    assert_eq!(place.resplit("nso", 1, 12), same);
    assert_same(&after, &place.tree());

    // What stands beside its bundle comes into it.
    place.run(&["tidy"]);
    assert!(!place.at(&format!("site_logs/nso/{}", log_name(5))).exists());
    assert_right(&place);
    assert_eq!(place.resplit("nso", 1, 12), same);
}

#[test]
fn a_part_of_the_range_is_made() {
    let place = damaged();
    let before = place.tree();
    let nso = place.at("site_logs/nso").display().to_string();
    assert_eq!(
        place.resplit("nso", 4, 10),
        format!(
            "{nso}: 5 differs\n{nso}: 10 differs\n\
             {nso}: 5 logs are the same, 2 that differed and 0 that were missing made\n"
        )
    );
    let [five, ten] = [5, 10].map(|counter| format!("site_logs/nso/{}", log_name(counter)));
    assert_eq!(differing(&before, &place.tree()), [five, ten, "work/audit.jsonl".to_owned()]);
}

#[test]
fn a_log_that_several_nodes_share_is_made_for_the_one_alone() {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"])], "");
    place.archives(1..=3);
    place.split(3);
    let (nso, mps) = ([2].map(|counter| format!("site_logs/nso/{}", log_name(counter))), "site_logs/mps");
    // One inode: both have the damage, one is told to be mended.
    place.write(&nso[0], "-- damaged\n");
    place.resplit("nso", 1, 3);
    place.assert_logs("nso", &[1, 2, 3].map(|counter| (counter, log(counter, &["a.x"]))));
    assert_eq!(place.read(&format!("{mps}/{}", log_name(2))), "-- damaged\n");
    place.resplit("mps", 1, 3);
    place.assert_logs("mps", &[1, 2, 3].map(|counter| (counter, log(counter, &["a.x"]))));
}

#[test]
fn before_its_first_list_a_node_gets_nothing() {
    let place = Place::new(&[("nso", &["a.x"])], "");
    place.write("etc/nso.cuts", "from 3\na.x\n");
    place.archives(1..=4);
    place.split(4);
    let logs = [3, 4].map(|counter| (counter, log(counter, &["a.x"])));
    place.assert_logs("nso", &logs);
    let before = place.tree();
    let nothing = "the node had no list at any of these archives: nothing to do\n";
    assert_eq!(place.resplit("nso", 1, 2), nothing);
    assert_same(&before, &place.tree());
    fs::remove_file(place.at(&format!("site_logs/nso/{}", log_name(3)))).unwrap();
    place.resplit("nso", 1, 4);
    place.assert_logs("nso", &logs);
}

/// `nso` with an open request that was cut at archive 9.
fn open_request(fence: &str) -> Place {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"])], "");
    for part in ["new", "held"] {
        fs::create_dir(place.at(&format!("site_logs/nso.{part}"))).unwrap();
    }
    place.write("etc/nso.cuts", "from 1\na.x\n");
    place.write("etc/nso.new.lst", &lines(&["a.x", "a.z"]));
    place.write(
        "etc/nso.new.cut",
        &format!(
            "stem subscription_series\nsite known\ncut 9\n{fence}published 1763700000\nlist\na.x\na.z\n\
             request\nnode nso\na.z subscribe\nend\n"
        ),
    );
    place.register(&["nso", "mps", "nso.new"]);
    place.archives(1..=12);
    place.split(12);
    place
}

fn range(from: u64, to: u64, series: &[&str]) -> Vec<(u64, String)> {
    (from..=to).map(|counter| (counter, log(counter, series))).collect()
}

#[test]
fn behind_a_fence_logs_are_made_where_they_wait() {
    let place = open_request("fence\n");
    let assert_waiting = || {
        place.assert_logs("nso", &range(1, 9, &["a.x"]));
        place.assert_logs("nso.new", &range(10, 12, &["a.x", "a.z"]));
        place.assert_logs("nso.held", &range(10, 12, &["a.x"]));
        place.assert_logs("mps", &range(1, 12, &["a.x"]));
    };
    assert_waiting();
    let in_each = |changes: &[(&str, u64)]| {
        changes.iter().map(|(part, at)| format!("site_logs/{part}/{}", log_name(*at))).collect::<Vec<_>>()
    };
    let damage = in_each(&[("nso", 9), ("nso.held", 11), ("nso.new", 10), ("nso.new", 12)]);
    let before = place.tree();
    for path in &damage {
        fs::remove_file(place.at(path)).unwrap();
    }
    let at = |part: &str| place.at(&format!("site_logs/{part}")).display().to_string();
    let (nso, held, new) = (at("nso"), at("nso.held"), at("nso.new"));
    assert_eq!(
        place.resplit("nso", 8, 12),
        format!(
            "{nso}: 9 missing\n{new}: 10 missing\n{held}: 11 missing\n{new}: 12 missing\n\
             {nso}: 1 logs are the same, 0 that differed and 1 that were missing made\n\
             {held}: 2 logs are the same, 0 that differed and 1 that were missing made\n\
             {new}: 1 logs are the same, 0 that differed and 2 that were missing made\n"
        )
    );
    assert_waiting();
    // What `mps` shared with them has one link less.
    let changed = differing(&before, &place.tree());
    assert!(damage.iter().all(|path| changed.contains(path)), "{changed:?}");
}

#[test]
fn without_a_fence_logs_are_made_in_both_directories() {
    let place = open_request("");
    let assert_both = || {
        place.assert_logs("nso", &range(1, 12, &["a.x"]));
        place.assert_logs("nso.new", &range(10, 12, &["a.x", "a.z"]));
        place.assert_logs("nso.held", &[]);
    };
    assert_both();
    for path in [("nso", 9), ("nso", 12), ("nso.new", 11)] {
        fs::remove_file(place.at(&format!("site_logs/{}/{}", path.0, log_name(path.1)))).unwrap();
    }
    place.resplit("nso", 1, 12);
    assert_both();
}

#[test]
fn a_decision_holds_when_an_archive_is_split_again() {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"])], "");
    place.archives(1..=3);
    place.archive(2, &text::undecided(2));
    place.command(&["split", "--until", "3"]);
    place.run(&["ddl", "nso", "2", "--send"]);
    place.run(&["ddl", "mps", "2", "--skip"]);
    place.split(3);
    let before = place.tree();
    for node in ["nso", "mps"] {
        let at = place.at(&format!("site_logs/{node}")).display().to_string();
        let same = format!("{at}: 3 logs are the same, 0 that differed and 0 that were missing made\n");
        assert_eq!(place.resplit(node, 1, 3), same);
    }
    assert_same(&before, &place.tree());
}
