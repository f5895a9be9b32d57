//! Kills, and directories that are not ours.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::place::House;
use crate::support::station::{MANAGER, log_name};
use crate::support::{programs, wait};

/// Something of every kind to do.
fn prepared() -> House {
    let house = House::new("bundle_after=2\narchive_days=10\n");
    for counter in 1..=8 {
        house.log("site_logs/nso", counter, 5);
        house.log("archives", counter, if counter < 3 { 11 } else { 5 });
    }
    house.acknowledge("2\n");
    fs::write(house.at("work/split.counter"), "8\n").unwrap();
    // In a bundle, with its singles still there, one of them written anew since.
    let mut tar = Command::new("tar");
    tar.arg("cfz").arg(house.at("site_logs/nso/slony_logs_3-4.tar.gz")).args([3, 4].map(log_name));
    assert!(tar.current_dir(house.at("site_logs/nso")).status().unwrap().success());
    house.age("site_logs/nso/slony_logs_3-4.tar.gz", 5);
    house.write(&format!("site_logs/nso/{}", log_name(4)), "-- written anew\n-- EOL\n", 4);
    house
}

#[test]
fn killed_at_any_step_no_log_is_lost() {
    let strace = programs::find("strace");
    let undisturbed = prepared();
    undisturbed.tidy();
    let (logs, archives) = (undisturbed.reachable("site_logs/nso"), undisturbed.reachable("archives"));
    let names = (undisturbed.names("site_logs/nso"), undisturbed.names("archives"));
    assert_eq!(names, ("7 8 slony_counter.txt 3-4 5-6".to_owned(), "7 8 3-4 5-6".to_owned()));
    assert_eq!((logs.len(), archives.len()), (6, 6));
    let mut kills = 0;
    for call in ["fsync", "rename", "unlink", "fchmod", "utimensat"] {
        for step in 1.. {
            let house = prepared();
            let inject = format!("inject={call}:signal=SIGKILL:when={step}");
            let output = Command::new(&strace)
                .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject])
                .args([MANAGER, "--config"])
                .arg(house.at("manager.cfg"))
                .arg("tidy")
                .output()
                .unwrap();
            // Whatever has a visible name is whole, and every log that is needed can be had.
            for (directory, all) in [("site_logs/nso", &logs), ("archives", &archives)] {
                let there = house.reachable(directory);
                for (name, text) in all {
                    assert!(there.get(name) == Some(text), "{call} {step}: {name} in {directory}");
                }
            }
            for round in 0..2 {
                house.tidy();
                let now = (house.names("site_logs/nso"), house.names("archives"));
                assert_eq!(now, names, "{call} {step}, round {round}");
                assert!(house.reachable("site_logs/nso") == logs, "{call} {step}");
            }
            if output.status.success() {
                break;
            }
            assert_eq!(output.status.signal().or(output.status.code().map(|code| code - 128)), Some(9));
            kills += 1;
        }
    }
    assert!(kills >= 15, "it was killed only {kills} times: this test shows nothing");
}

#[test]
fn archives_that_are_not_ours_to_remove_are_told_with_what_to_do() {
    let house = House::new("bundle_after=2\nrescan=1\n");
    for counter in 1..=6 {
        house.log("archives", counter, 3);
        house.log("site_logs/nso", counter, 20);
    }
    fs::write(house.at("work/split.counter"), "6\n").unwrap();
    fs::write(house.at("triggers/nso.counter"), "2\n").unwrap();
    // Nobody's rights, because root may write everywhere.
    let manager = house.at("manager");
    // By another process: a program that this one has open for writing, be it by a fork of another thread, does not start.
    assert!(Command::new("cp").arg(MANAGER).arg(&manager).status().unwrap().success());
    let set = |path: &str, mode: u32| {
        fs::set_permissions(house.at(path), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    for part in ["triggers", "site_logs", "site_logs/nso", "etc", "work"] {
        set(part, 0o777);
    }
    set("", 0o755);
    set("archives", 0o555);
    for part in ["work/split.counter", "etc/slon_parser.cfg", "etc/nso.lst"] {
        set(part, 0o666);
    }
    let mut command = Command::new(&manager);
    command.arg("--config").arg(house.at("manager.cfg")).arg("run");
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let log = house.at("log");
    let mut daemon = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let expected = [
        "let the daemon's user write to `archive_dir`, or set archive_days=0",
        "silent for 20 d",
        "tidied place=nso removed=2 bundled=1",
    ];
    let all = wait::within(Duration::from_secs(30), || {
        expected.iter().all(|part| said().contains(part)).then_some(())
    });
    rustix::process::kill_process(rustix::process::Pid::from_child(&daemon), rustix::process::Signal::TERM)
        .unwrap();
    let status = daemon.wait().unwrap();
    assert!(all.is_some() && status.success(), "{}", said());
    assert_eq!(house.names("site_logs/nso"), "5 6 3-4");
    assert_eq!(house.names("archives"), "1 2 3 4 5 6");
}
