//! File systems that have no room, may not be written, or are not those of the others: made for one process each, in which `check` looks.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use serde_json::Value;

use crate::case::{Case, findings};
use crate::support::programs;
use crate::support::station::MANAGER;

/// What is found where a file system of memory lies over a directory, with what lay there in it: severities, codes and subjects.
#[track_caller]
fn found_over(case: &Case, directory: &str, [size, rights]: [&str; 2]) -> Vec<(String, String, String)> {
    let script = "mount -t tmpfs -o \"mode=755,$1\" none \"$4\" && cp -a \"$3/.\" \"$4\" && mount -o \"remount,$2\" \"$4\" && \
                  shift 4 && exec \"$@\"";
    let (from, over) = (case.at("copy"), case.at(directory));
    fs::create_dir(&from).unwrap();
    assert!(Command::new("cp").arg("-a").arg(over.join(".")).arg(&from).status().unwrap().success());
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = Command::new(programs::find("unshare"));
    command.args(if is_root { &[][..] } else { &["--user", "--map-current-user", "--keep-caps"] });
    command.args(["--mount", "sh", "-c", script, "sh", size, rights]).arg(&from).arg(&over);
    command.arg(MANAGER).arg("--config").arg(case.at("manager.cfg")).args(["check", "--json"]);
    let output = command.output().unwrap();
    fs::remove_dir_all(&from).unwrap();
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let of = |finding: &Value| (word(finding, "severity"), word(finding, "code"), word(finding, "subject"));
    findings(&output).iter().map(of).filter(|(_, code, _)| code != "daemon-away").collect()
}

#[test]
fn a_file_system_without_room_or_rights_or_of_its_own_is_said() {
    let case = Case::new();
    case.finds(&[]);
    for (directory, options, severity, code, subject) in [
        ("triggers", ["size=8m", "rw"], "warning", "disk-full", "triggers"),
        ("triggers", ["size=4g", "ro"], "error", "not-writable", "triggers"),
        ("site_logs/nso", ["size=4g", "rw"], "note", "file-systems", "nso"),
    ] {
        let found = found_over(&case, directory, options);
        assert_eq!(found.len(), 1, "{found:?}");
        let (a, b, c) = &found[0];
        assert!((a.as_str(), b.as_str()) == (severity, code) && c.ends_with(subject), "{found:?}");
    }
    case.finds(&[]);
}

#[test]
fn who_looks_as_root_before_the_first_start_locks_nobody_out() {
    assert_eq!(
        fs::metadata("/proc/self").unwrap().uid(),
        0,
        "this test looks as root at what is another user's: run it as root"
    );
    let user = 65_534.to_string();
    for look in [["check", "--json"].as_slice(), &["remove", "nso", "--dry-run"]] {
        let case = Case::new();
        for directory in ["triggers", "site_logs", "etc", "work", "log", "archives"] {
            let chown = Command::new("chown").args(["-R", &user]).arg(case.at(directory)).status().unwrap();
            assert!(chown.success());
        }
        let hold = case.at("work/hold.lock");
        assert!(!hold.exists());
        let output = case.station.command(look);
        // What is wrong is that no daemon runs.
        let status = i32::from(look[0] == "check");
        assert_eq!(output.status.code(), Some(status), "{look:?}: {output:?}");
        assert_eq!(fs::metadata(&hold).unwrap().uid().to_string(), user, "{look:?}");
        // The daemon looks at the drop directory under the hold.
        case.station.start_by("setpriv", &["--reuid", &user, "--regid", &user, "--clear-groups"]);
        case.station.drop_file("so.subscription_series.tgr", "node so\nno.such subscribe\nend\n");
        let answer = case.station.await_file("so.subscription_series.sqldone");
        assert!(answer.starts_with("failure "), "{answer}");
        case.station.kill();
        case.remove("triggers/so.subscription_series.sqldone");
        // What an earlier version has left so is found without a daemon.
        assert!(Command::new("chown").arg("root").arg(&hold).status().unwrap().success());
        let found = findings(&case.station.command(&["check", "--json"]));
        let is_it = |finding: &Value| {
            finding["code"] == "not-writable" && finding["subject"].as_str().unwrap().ends_with("hold.lock")
        };
        assert!(found.iter().any(is_it), "{found:#?}");
    }
}
