//! Where a log lies while it is made: nobody but the manager can put something else in its place.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::place::Place;
use crate::support::programs;
use crate::support::station::{MANAGER, log_name};
use crate::text::log;

/// Splits, and returns every call of the system that names a file.
#[track_caller]
fn traced(place: &Place, until: &str) -> String {
    let trace = place.at("trace");
    let mut strace = Command::new(programs::find("strace"));
    strace.args(["-f", "-qq", "-s", "4096", "-e", "trace=%file", "-o"]).arg(&trace).arg(MANAGER);
    strace.arg("--config").arg(place.at("manager.cfg")).args(["split", "--until", until]);
    let output = strace.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(trace).unwrap()
}

#[test]
fn no_log_is_made_where_its_site_may_write() {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"]), ("kis", &["a.y"])], "");
    let open = |node: &str, mode| {
        fs::set_permissions(place.at(&format!("site_logs/{node}")), Permissions::from_mode(mode)).unwrap();
    };
    let mut last = 0;
    // Some of them, and all: then there is no directory of a site in which it could be made.
    for writable in [&["nso", "kis"][..], &["nso", "mps", "kis"], &[]] {
        for node in ["nso", "mps", "kis"] {
            open(node, if writable.contains(&node) { 0o2770 } else { 0o755 });
        }
        place.archives(last + 1..=last + 3);
        last += 3;
        let trace = traced(&place, &last.to_string());
        assert!(trace.contains("/.tmp-"), "nothing was made under a hidden name");
        for node in writable {
            let hidden = place.at(&format!("site_logs/{node}/.tmp-")).display().to_string();
            assert!(!trace.contains(&hidden), "{node} could write there");
        }
        for (node, list) in [("nso", ["a.x"]), ("mps", ["a.x"]), ("kis", ["a.y"])] {
            let logs: Vec<_> = (1..=last).map(|counter| (counter, log(counter, &list))).collect();
            place.assert_logs(node, &logs);
        }
        let tree = place.tree();
        let inode = |node: &str| tree[&format!("site_logs/{node}/{}", log_name(last))].inode;
        assert_eq!(inode("nso"), inode("mps"), "one file for both");
        assert!(place.hidden().is_empty(), "{:?}", place.hidden());
    }
}

#[test]
fn a_link_in_the_place_of_a_log_is_not_bundled() {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.y"])], "bundle_after=3\n");
    place.archives(1..=12);
    place.split(12);
    place.write("secret", "what nobody else may read\n");
    let link = place.at(&format!("site_logs/nso/{}", log_name(2)));
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(place.at("secret"), &link).unwrap();
    let said = place.run(&["tidy"]);
    assert!(said.contains("mps: 0 removed, 3 bundled\n"), "{said}");
    assert!(link.is_symlink());
    fs::remove_file(&link).unwrap();
    let logs = place.reachable("site_logs/nso");
    assert!(logs.values().all(|text| !text.contains("nobody else")), "{logs:?}");
    assert_eq!(logs.len(), 11, "all others are there");
    // The other node is no worse off.
    assert_eq!(place.reachable("site_logs/mps").len(), 12);
    assert!(place.at("site_logs/mps/slony_logs_1-3.tar.gz").exists());
}

#[test]
fn a_pipe_or_a_link_in_the_place_of_a_log_or_a_bundle_keeps_nobody_waiting() {
    let place = Place::new(&[("nso", &["a.x"])], "bundle_after=3\n");
    place.archives(1..=8);
    place.split(8);
    place.run(&["tidy"]);
    let names = ["slony_logs_1-3.tar.gz".to_owned(), log_name(8)];
    let makes: [fn(&Path); 2] = [
        |path| {
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, 0o644.into(), 0).unwrap();
        },
        |path| std::os::unix::fs::symlink(path.with_file_name("away"), path).unwrap(),
    ];
    for name in &names {
        let (path, away) = (place.at(&format!("site_logs/nso/{name}")), place.at("site_logs/nso/away"));
        for make in makes {
            fs::rename(&path, &away).unwrap();
            make(&path);
            let mut command = Command::new("timeout");
            command.arg("60").arg(MANAGER).arg("--config").arg(place.at("manager.cfg"));
            let output =
                command.args(["resplit", "nso", "--from", "1", "--to", "8", "--dry-run"]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{name}: {said}");
            let expected = format!("`{}` is no plain file: take it away", path.display());
            assert!(said.contains(&expected), "{name}: {said}");
            fs::rename(&away, &path).unwrap();
        }
    }
    place.run(&["resplit", "nso", "--from", "1", "--to", "8", "--dry-run"]);
}
