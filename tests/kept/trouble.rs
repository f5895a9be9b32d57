//! What ails the directory or the list of one node: it stops there, the others go on, and when it is mended it gets everything that it
//! would have got.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::place::{Place, assert_same};
use crate::support::programs;
use crate::support::station::{MANAGER, log_name};
use crate::text::{archive, archive_of, log, log_of, row, undecided};

const NODES: [&str; 3] = ["kis", "mps", "nso"];

/// Three nodes; two of them have one list, so that one file is the log of both.
fn three() -> Place {
    Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"]), ("kis", &["a.y"])], "")
}

fn list_of(node: &str) -> &'static [&'static str] {
    if node == "kis" { &["a.y"] } else { &["a.x"] }
}

fn logs(node: &str, counters: std::ops::RangeInclusive<u64>) -> Vec<(u64, String)> {
    counters.map(|counter| (counter, log(counter, list_of(node)))).collect()
}

/// `break_it` is done after archive 3; of twelve archives the others get theirs, the node gets them when `mend` is done, and no command
/// fails. The splitter is killed in the middle of both, at each of several steps.
#[track_caller]
fn check(node: &str, break_it: impl Fn(&Place), mend: impl Fn(&Place), said: &str) {
    for step in [None, Some(1), Some(4), Some(9)] {
        let place = three();
        place.archives(1..=12);
        place.split(3);
        break_it(&place);
        if let Some(step) = step {
            kill(&place, "8", step);
        }
        let output = place.command(&["split", "--until", "8"]);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        let stopped = place.read(&format!("etc/{node}.stopped"));
        assert!(stopped.starts_with("before 4\nfault ") && stopped.contains(said), "{stopped}");
        if step.is_none() {
            assert_eq!(errors.matches("the logs of the node stop").count(), 1, "{errors}");
            assert!(errors.contains(said), "{errors}");
        }
        assert_eq!(place.counter(), 8);
        for other in NODES.iter().filter(|other| **other != node) {
            place.assert_logs(other, &logs(other, 1..=8));
            assert!(!place.at(&format!("etc/{other}.stopped")).exists());
        }
        // Once more: nothing new is said, and nothing done.
        let before = place.tree();
        let again = place.command(&["split", "--until", "8"]);
        assert!(
            again.status.success()
                && !String::from_utf8_lossy(&again.stderr).contains("logs of the node stop")
        );
        assert_same(&before, &place.tree());

        mend(&place);
        if let Some(step) = step {
            kill(&place, "12", step);
        }
        place.split(12);
        for node in NODES {
            place.assert_logs(node, &logs(node, 1..=12));
        }
        assert!(place.hidden().is_empty(), "{:?}", place.hidden());
        assert!(!place.at(&format!("etc/{node}.stopped")).exists());
    }
}

/// Splits, is killed, and leaves no more than a daemon does that starts next.
fn kill(place: &Place, until: &str, step: u32) {
    place.killed(&["split", "--until", until], "fsync", step);
    place.hidden().iter().for_each(|path| fs::remove_file(path).unwrap());
}

/// Where a directory waits while something else has its name.
fn away(place: &Place, node: &str) -> std::path::PathBuf {
    place.at(&format!("{node}.away"))
}

fn take_away(place: &Place, node: &str) {
    fs::rename(place.at(&format!("site_logs/{node}")), away(place, node)).unwrap();
}

fn bring_back(place: &Place, node: &str) {
    fs::rename(away(place, node), place.at(&format!("site_logs/{node}"))).unwrap();
}

#[test]
fn a_directory_that_is_gone_stops_its_node_and_is_never_made_anew() {
    for node in NODES {
        let gone = |place: &Place| take_away(place, node);
        let back = |place: &Place| {
            assert!(!place.at(&format!("site_logs/{node}")).exists());
            bring_back(place, node);
        };
        check(node, gone, back, &format!("site_logs/{node}`"));
    }
}

#[test]
fn a_directory_that_became_a_link_is_not_followed() {
    let link = |place: &Place| {
        take_away(place, "nso");
        fs::create_dir(place.at("elsewhere")).unwrap();
        symlink(place.at("elsewhere"), place.at("site_logs/nso")).unwrap();
    };
    let back = |place: &Place| {
        assert_eq!(fs::read_dir(place.at("elsewhere")).unwrap().count(), 0, "the link was followed");
        fs::remove_file(place.at("site_logs/nso")).unwrap();
        bring_back(place, "nso");
    };
    check("nso", link, back, "it is a link");
}

#[test]
fn a_directory_that_became_a_file_is_left_alone() {
    let file = |place: &Place| {
        take_away(place, "mps");
        place.write("site_logs/mps", "somebody's");
    };
    let back = |place: &Place| {
        assert_eq!(place.read("site_logs/mps"), "somebody's");
        fs::remove_file(place.at("site_logs/mps")).unwrap();
        bring_back(place, "mps");
    };
    check("mps", file, back, "it is no directory");
}

#[test]
fn a_list_that_is_gone_stops_its_node() {
    let gone = |place: &Place| fs::rename(place.at("etc/kis.lst"), place.at("kis.lst")).unwrap();
    let back = |place: &Place| fs::rename(place.at("kis.lst"), place.at("etc/kis.lst")).unwrap();
    check("kis", gone, back, "etc/kis.lst");
}

#[test]
fn a_list_that_cannot_be_read_stops_its_node() {
    let broken = |place: &Place| place.write("etc/nso.cuts", "a.x before any counter\n");
    let mended = |place: &Place| fs::remove_file(place.at("etc/nso.cuts")).unwrap();
    check("nso", broken, mended, "etc/nso.cuts");
}

/// Root may write everywhere: then the program is run by somebody else, who owns the place.
#[test]
fn a_directory_that_may_not_be_written_stops_its_node() {
    let place = three();
    place.archives(1..=6);
    place.split(2);
    let may_write =
        |mode| fs::set_permissions(place.at("site_logs/mps"), Permissions::from_mode(mode)).unwrap();
    let manager = place.at("manager");
    fs::copy(MANAGER, &manager).unwrap();
    let is_root = fs::metadata(&manager).unwrap().uid() == 0;
    let split = || {
        let mut command = Command::new(&manager);
        command.arg("--config").arg(place.at("manager.cfg")).args(["split", "--until", "6"]);
        if is_root {
            let all = Command::new("chown").args(["-R", "65534:65534"]).arg(place.at("")).status().unwrap();
            assert!(all.success());
            command.uid(65534).gid(65534);
        }
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        errors
    };
    may_write(0o555);
    let errors = split();
    assert!(errors.contains("site_logs/mps`: Permission denied"), "{errors}");
    assert!(place.read("etc/mps.stopped").starts_with("before 3\nfault write into `"));
    for node in ["kis", "nso"] {
        place.assert_logs(node, &logs(node, 1..=6));
    }
    place.assert_logs("mps", &logs("mps", 1..=2));
    may_write(0o755);
    split();
    place.assert_logs("mps", &logs("mps", 1..=6));
    assert!(place.hidden().is_empty() && !place.at("etc/mps.stopped").exists());
}

/// A file that may have no more than so many bytes stands for a file system that is full: the log of one node is too large.
#[test]
fn a_log_that_cannot_be_written_stops_its_node() {
    let place = three();
    let large = |counter: u64| row("a.y", counter).replace("{n,", &format!("{{t,{},n,", "y".repeat(60_000)));
    for counter in 1..=6 {
        let y = if counter == 3 { large(counter) } else { row("a.y", counter) };
        place.archive(counter, &archive_of(counter, &(row("a.x", counter) + &y)));
    }
    let config = place.at("manager.cfg");
    // In blocks of 512 bytes; without the signal, which would end the program.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let mut limited = Command::new("sh");
    limited.args(["-c", script, MANAGER, "--config"]).arg(config).args(["split", "--until", "6"]);
    let output = limited.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("write into `") && errors.contains("site_logs/kis`: File too large"), "{errors}");
    let stopped = place.read("etc/kis.stopped");
    assert!(stopped.starts_with("before 3\nfault ") && stopped.contains("File too large"), "{stopped}");
    let small = |counters: std::ops::RangeInclusive<u64>, series: &str| -> Vec<(u64, String)> {
        counters.map(|counter| (counter, log(counter, &[series]))).collect()
    };
    for node in ["nso", "mps"] {
        place.assert_logs(node, &small(1..=6, "a.x"));
    }
    place.assert_logs("kis", &small(1..=2, "a.y"));
    place.split(6);
    let mut all = small(1..=6, "a.y");
    all[2].1 = log_of(3, &large(3));
    place.assert_logs("kis", &all);
    assert!(!place.at("etc/kis.stopped").exists());
}

/// Splits up to archive 6 while the directory of a node is a file system of its own, and full. What it says.
fn split_beside_a_full_disk(place: &Place, node: &str, mode: &str) -> String {
    let unshare: &[&str] = if fs::metadata(place.at("")).unwrap().uid() == 0 {
        &["--mount"]
    } else {
        &["--user", "--map-current-user", "--keep-caps", "--mount"]
    };
    let script = "mount -t tmpfs -o size=4k,mode=$2 full \"$1\" && head -c 4096 /dev/zero >\"$1/full\" && shift 2 && exec \"$@\"";
    let mut command = Command::new(programs::find("unshare"));
    command
        .args(unshare)
        .args(["sh", "-c", script, "sh"])
        .arg(place.at(&format!("site_logs/{node}")))
        .arg(mode);
    command.args([MANAGER, "--config"]).arg(place.at("manager.cfg")).args(["split", "--until", "6"]);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    errors
}

/// One file is the log of both: it is made in the directory of `mps`, because the site of `nso` may write into its own.
#[test]
fn a_full_disk_of_one_node_stops_that_node_and_is_said_once() {
    for (full, mode, other) in [("mps", "0755", "nso"), ("nso", "2770", "mps")] {
        let place = three();
        fs::set_permissions(place.at("site_logs/nso"), Permissions::from_mode(0o2770)).unwrap();
        place.archives(1..=6);
        place.split(2);
        let errors = split_beside_a_full_disk(&place, full, mode);
        assert_eq!(errors.matches("the logs of the node stop").count(), 1, "{errors}");
        let stopped = place.read(&format!("etc/{full}.stopped"));
        let directory = format!("site_logs/{full}`: No space left on device (os error 28)\n");
        assert!(
            stopped.starts_with("before 3\nfault write into `") && stopped.ends_with(&directory),
            "{stopped}"
        );
        for node in ["kis", other] {
            place.assert_logs(node, &logs(node, 1..=6));
            assert!(!place.at(&format!("etc/{node}.stopped")).exists());
        }
        place.assert_logs(full, &logs(full, 1..=2));
        let before = place.tree();
        let errors = split_beside_a_full_disk(&place, full, mode);
        assert!(!errors.contains("logs of the node stop"), "it is said again: {errors}");
        assert_same(&before, &place.tree());
        place.split(6);
        place.assert_logs(full, &logs(full, 1..=6));
        assert!(place.hidden().is_empty() && !place.at(&format!("etc/{full}.stopped")).exists());
    }
}

#[test]
fn where_it_cannot_be_written_down_that_a_node_stopped_all_wait() {
    let place = three();
    place.archives(1..=6);
    place.split(3);
    take_away(&place, "nso");
    // Nothing of this name can be replaced by a file.
    fs::create_dir_all(place.at("etc/nso.stopped/not/empty")).unwrap();
    let before = place.tree();
    let said = place.fails(&["split", "--until", "6"]);
    assert!(said.contains("etc/nso.stopped"), "{said}");
    assert_same(&before, &place.tree());
    assert_eq!(place.counter(), 3);
}

#[test]
fn without_the_directory_of_all_nobody_is_blamed() {
    let place = three();
    place.archives(1..=6);
    place.split(3);
    fs::rename(place.at("site_logs"), place.at("unmounted")).unwrap();
    let before = place.tree();
    let said = place.fails(&["split", "--until", "6"]);
    assert!(said.contains("site_logs`"), "{said}");
    assert_same(&before, &place.tree());
    fs::rename(place.at("unmounted"), place.at("site_logs")).unwrap();
    place.split(6);
    for node in NODES {
        place.assert_logs(node, &logs(node, 1..=6));
    }
}

#[test]
fn one_that_waits_for_a_decision_waits_on_and_then_gets_all() {
    let place = three();
    place.archives(1..=8);
    place.archive(4, &undecided(4));
    place.split(5);
    take_away(&place, "nso");
    place.split(8);
    let stopped = place.read("etc/nso.stopped");
    assert!(stopped.starts_with("before 4\nwhy "), "{stopped}");
    for node in NODES {
        place.run(&["ddl", node, "4", "--skip"]);
    }
    place.split(8);
    let stopped = place.read("etc/nso.stopped");
    assert!(stopped.starts_with("before 4\nfault "), "{stopped}");
    assert!(
        place.notes("nso").iter().any(|note| note.contains("stopped before 4: ")),
        "{:?}",
        place.notes("nso")
    );
    bring_back(&place, "nso");
    place.split(8);
    for node in NODES {
        place.assert_logs(node, &logs(node, 1..=8));
    }
}

#[test]
fn those_who_catch_up_do_not_wait_for_what_all_wait_for() {
    let place = three();
    place.archives(1..=6);
    place.split(2);
    take_away(&place, "nso");
    place.split(6);
    bring_back(&place, "nso");
    // Archive 7 is missing.
    place.archive(8, &archive(8));
    let said = place.fails(&["split", "--until", "8"]);
    assert!(said.contains("archive 7 has committed, but"), "{said}");
    place.assert_logs("nso", &logs("nso", 1..=6));
    assert!(!place.at("etc/nso.stopped").exists());
}

#[test]
fn the_archives_that_a_stopped_node_needs_are_kept() {
    let place = three();
    place.archives(1..=6);
    place.split(2);
    take_away(&place, "nso");
    place.split(6);
    for counter in 1..=6 {
        place.age(&format!("archives/{}", log_name(counter)), 1000);
    }
    place.run(&["tidy"]);
    let left: Vec<u64> =
        (1..=6).filter(|counter| place.at(&format!("archives/{}", log_name(*counter))).exists()).collect();
    assert_eq!(left, [3, 4, 5, 6]);
    bring_back(&place, "nso");
    place.split(6);
    place.assert_logs("nso", &logs("nso", 1..=6));
}
