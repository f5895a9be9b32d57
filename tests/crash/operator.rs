//! What an operator has done to a node while the daemon does not run: killed anywhere and done again, it ends the same.

use crate::offline::Offline;
use crate::place::Place;
use crate::support::station::log_name;
use crate::walk::{Extent, walk};

/// Two nodes that have the same series, everything split.
fn two() -> Place {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"])], "");
    place.archives(1..=3);
    place.split(3);
    place
}

/// One of them is paused, and has missed two archives.
fn paused() -> Place {
    let place = two();
    place.run(&["pause", "nso", "--reason", "new disks"]);
    place.archives(4..=5);
    place.split(5);
    place
}

/// A request of one of them was answered, and waits behind its fence.
fn answered() -> Place {
    answered_as("subscription_series")
}

/// The same by a deployed client; another archive is not split yet.
fn answered_as_deployed() -> Place {
    let place = answered_as("subscribe_series");
    place.archives(6..=6);
    place
}

fn answered_as(stem: &str) -> Place {
    let place = two();
    let at = place.at("").display().to_string();
    let at = at.trim_end_matches('/');
    let registry =
        place.read("etc/slon_parser.cfg") + &format!("{at}/site_logs/nso.new\t{at}/etc/nso.new.lst\n");
    place.write("etc/slon_parser.cfg", &registry);
    place.write("etc/nso.new.lst", "a.x\na.y\n");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    place.write(
        "etc/nso.new.cut",
        &format!(
            "stem {stem}\nsite known\ncut 3\nfence\npublished {now}\nlist\na.x\na.y\n\
             request\nnode nso\na.y subscribe\nend\n"
        ),
    );
    for part in ["new", "held"] {
        std::fs::create_dir(place.at(&format!("site_logs/nso.{part}"))).unwrap();
    }
    let answers = [format!("{stem}.cfg"), format!("{stem}.sqldone")];
    for name in answers.iter().map(String::as_str).chain(["createns.sql", "subscribe_series.sql"]) {
        place.write(&format!("triggers/nso.{name}"), "of the open request\n");
    }
    place.archives(4..=5);
    place.split(5);
    assert!(place.at(&format!("site_logs/nso.held/{}", log_name(5))).exists(), "the fence stands");
    place
}

/// A node has every log by its old list, and nothing else is there.
#[track_caller]
fn assert_has_all(place: &Place, node: &str, last: u64) {
    let logs: Vec<_> = (1..=last).map(|counter| (counter, crate::text::log(counter, &["a.x"]))).collect();
    place.assert_logs(node, &logs);
}

#[test]
fn a_node_is_paused() {
    let right = |place: &Place| {
        assert_eq!(place.read("etc/nso.stopped"), "before 4\npaused new disks\n");
        assert_has_all(place, "mps", 3);
    };
    walk("pause", Extent::Sample(8), &Offline::new(two, &["pause", "nso", "--reason", "new disks"], right));
}

#[test]
fn a_node_goes_on() {
    let right = |place: &Place| {
        assert_eq!(place.read("etc/nso.stopped"), "before 4\n");
        assert!(!place.at(&format!("site_logs/nso/{}", log_name(4))).exists());
    };
    walk("resume", Extent::Sample(8), &Offline::new(paused, &["resume", "nso"], right));
}

#[test]
fn a_request_is_cancelled() {
    let right = |place: &Place| {
        assert_has_all(place, "nso", 5);
        assert_has_all(place, "mps", 5);
        assert!(place.read("triggers/nso.subscription_series.done").starts_with("success false\n"));
        assert!(!place.read("etc/slon_parser.cfg").contains("nso.new"));
        let gone = [
            "work/nso.cancel",
            "etc/nso.new.cut",
            "etc/nso.new.lst",
            "site_logs/nso.new",
            "site_logs/nso.held",
        ];
        for gone in gone {
            assert!(!place.at(gone).exists(), "{gone}");
        }
    };
    walk("cancel", Extent::Sample(12), &Offline::new(answered, &["cancel", "nso"], right));
}

/// What cron does beside everything else. Whoever follows the logs of the node never finds one before those that are held back.
fn split_and_follow(place: &Place) {
    place.split(6);
    let logs = place.tree().into_keys().filter(|name| name.starts_with("site_logs/nso/slony1_log_"));
    let logs: Vec<_> = logs.collect();
    let unbroken: Vec<_> =
        (1..=logs.len() as u64).map(|at| format!("site_logs/nso/{}", log_name(at))).collect();
    assert_eq!(logs, unbroken, "a gap");
}

/// Names of logs are put into place while the fence falls; behind them the registry, and the directories go.
const THE_FENCE_FALLS: Extent = Extent::At(&[
    "rename slony#_log_#_#.sql",
    "rename nso.new.cut",
    "sync nso",
    "rename slon_parser.cfg",
    "rmtree nso.held",
]);

#[test]
fn a_request_is_cancelled_while_another_splits() {
    let right = |place: &Place| {
        assert_has_all(place, "nso", 6);
        assert_has_all(place, "mps", 6);
        assert!(place.read("triggers/nso.subscribe_series.sqldone").starts_with("failure "));
        assert!(!place.at("etc/nso.stopped").exists(), "no log had to be made again");
        assert!(!place.at("etc/nso.new.cut").exists() && !place.at("site_logs/nso.held").exists());
    };
    let cancelled = Offline::new(answered_as_deployed, &["cancel", "nso"], right);
    walk("cancel beside split", THE_FENCE_FALLS, &Offline { beside: split_and_follow, ..cancelled });
}

/// The words before a program that make the renames of held logs fail.
fn failing(place: &Place, error: &str, counters: &[u64]) -> Vec<String> {
    let held = |counter: &u64| place.at(&format!("site_logs/nso.held/{}", log_name(*counter)));
    let mut words = vec![crate::support::programs::find("strace").display().to_string()];
    words.extend(["-f", "-qq", "-o", "/dev/null", "-e", "trace=rename", "-e"].map(str::to_owned));
    words.push(format!("inject=rename:error={error}"));
    words.extend(counters.iter().flat_map(|counter| ["-P".to_owned(), held(counter).display().to_string()]));
    words
}

#[test]
fn a_disk_that_fails_while_the_fence_falls_leaves_no_gap() {
    let place = answered_as_deployed();
    let words = failing(&place, "ENOSPC", &[5]);
    let mut command = std::process::Command::new(&words[0]);
    command
        .args(&words[1..])
        .arg(crate::support::station::MANAGER)
        .arg("--config")
        .arg(place.at("manager.cfg"));
    let output = command.args(["cancel", "nso"]).env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("No space left"), "{said}");
    split_and_follow(&place);
    place.run(&["cancel", "nso"]);
    assert_has_all(&place, "nso", 6);
}

/// As if the directory of the node were a file system of its own.
fn over_two_disks(place: &Place) -> Vec<String> {
    failing(place, "EXDEV", &[4, 5])
}

#[test]
fn a_request_is_cancelled_where_a_node_has_a_disk_of_its_own() {
    let right = |place: &Place| {
        assert_has_all(place, "nso", 5);
        assert!(!place.at("etc/nso.stopped").exists(), "no log had to be made again");
        assert!(!place.at("site_logs/nso.held").exists());
    };
    let always = |place: &Place| {
        let there =
            |directory: &str, counter| place.at(&format!("{directory}/{}", log_name(counter))).exists();
        for counter in [4, 5] {
            let is_there = there("site_logs/nso", counter) || there("site_logs/nso.held", counter);
            assert!(is_there, "log {counter} is on neither disk");
        }
    };
    let cancelled = Offline::new(answered, &["cancel", "nso"], right);
    let extent = Extent::At(&["remove slony#_log_#_#.sql"]);
    walk(
        "cancel over two disks",
        extent,
        &Offline { always, under: over_two_disks, disk: Some("site_logs/nso"), ..cancelled },
    );
}

#[test]
fn a_node_is_removed() {
    let right = |place: &Place| {
        assert_has_all(place, "mps", 5);
        let left: Vec<_> = place.tree().into_keys().filter(|name| name.contains("nso")).collect();
        assert_eq!(left, Vec::<String>::new());
        assert!(!place.read("etc/slon_parser.cfg").contains("nso"));
    };
    walk("remove", Extent::Sample(12), &Offline::new(answered, &["remove", "nso"], right));
}

/// What belongs to nobody: of requests of two nodes that are not open any more, of a fence, of a node that is gone, and of one that
/// wrote and was killed.
fn strewn() -> Place {
    let place = two();
    let at = place.at("").display().to_string();
    let mut registry = place.read("etc/slon_parser.cfg");
    for node in ["nso", "mps"] {
        registry += &format!("{at}site_logs/{node}.new\t{at}etc/{node}.new.lst\n");
        place.write(&format!("etc/{node}.new.lst"), "a.x\na.y\n");
        std::fs::create_dir(place.at(&format!("site_logs/{node}.new"))).unwrap();
        place.write(&format!("site_logs/{node}.new/{}", log_name(3)), &crate::text::log(3, &["a.x", "a.y"]));
    }
    place.write("etc/slon_parser.cfg", &registry);
    std::fs::create_dir(place.at("site_logs/nso.held")).unwrap();
    place.write(&format!("site_logs/nso.held/{}", log_name(4)), &crate::text::log(4, &["a.x"]));
    place.write("etc/kis.stopped", "before 2\n");
    place.write("triggers/.tmp-half", "of an answer");
    crate::offline::age(&place.at("triggers/.tmp-half"), 2);
    place
}

#[test]
fn what_belongs_to_nobody_is_taken_away() {
    let right = |place: &Place| {
        assert_has_all(place, "nso", 4);
        assert_has_all(place, "mps", 3);
        let names: Vec<_> = place.tree().into_keys().collect();
        let is_strewn = |name: &&String| [".new", ".held", "kis"].iter().any(|part| name.contains(part));
        assert_eq!(names.iter().filter(is_strewn).count(), 0, "{names:?}");
        let registry = place.read("etc/slon_parser.cfg");
        assert!(registry.lines().count() == 2 && !registry.contains(".new"), "{registry}");
        assert!(!place.at("triggers/.tmp-half").exists());
    };
    // The database is away: that stays to be said.
    let fixed = Offline { status: 1, ..Offline::new(strewn, &["check", "--fix"], right) };
    walk("check --fix", Extent::Sample(16), &fixed);
}
