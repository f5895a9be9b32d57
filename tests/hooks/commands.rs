//! Commands that are slow, fail, are not there or do not listen; and those of the begin and the end of the daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use crate::support::{Hang, Site, Station};
use crate::{change, cluster, hear, hooked, said, send, station, without_time, words};

/// Waits until the process whose number a command has left there is gone.
fn await_gone(station: &Station<'_>, path: &Path) {
    let process =
        station.wait_for("a process", || fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')));
    let stat = format!("/proc/{}/stat", process.trim());
    let is_gone = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    station.wait_for("the end of a command", || is_gone().then_some(()));
}

#[test]
fn commands_that_go_wrong_are_logged_and_hold_nothing_up() {
    let station = Station::new(cluster(), "");
    let vanishing = station.at("vanishing");
    fs::write(&vanishing, "#!/bin/sh\n").expect("write a script");
    fs::set_permissions(&vanishing, fs::Permissions::from_mode(0o755)).expect("chmod");
    let process = station.at("slow.pid");
    let (vanishing, pid) = (vanishing.display(), process.display());
    station.configure(&format!(
        "hook_timeout=1\nhook.request_received=sh -c 'echo $$ >{pid}; sleep 600'\nhook.sql_ready=sh -c 'echo no luck; exit 7'\n\
         hook.finished={vanishing} x\nhook.started=true\nhook.failed=no-such-program\n{}",
        hooked(&station, &["rolled_back", "stopped"])
    ));
    station.start();
    fs::remove_file(station.at("vanishing")).expect("remove the script");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "seen.c subscribe");
    site.ask(&station, "seen.none subscribe");
    assert!(site.await_sql(&station).starts_with("failure "));
    fs::remove_file(station.at("triggers/nso.subscription_series.sqldone")).expect("remove .sqldone");
    site.ask(&station, "seen.d subscribe");
    site.await_sql(&station);
    site.answer(&station, false);
    // What follows in the order of the node is told all the same.
    assert_eq!(words(&hear(&station, 1)), [("rolled_back", "nso")]);
    await_gone(&station, &process);
    let log = station.said();
    for expected in [
        "there is no program `no-such-program` that may be run",
        "the hook failed hook=\"request_received\" node=\"nso\" command=\"sh\" failure=it took longer than 1 s and was ended",
        "hook=\"sql_ready\" node=\"nso\" command=\"sh\" failure=exit status: 7; it said: no luck",
        "hook=\"failed\" node=\"nso\" command=\"no-such-program\" failure=there is no such command",
    ] {
        assert!(log.contains(expected), "{expected} is not in\n{log}");
    }
    let missing =
        format!("hook=\"finished\" node=\"nso\" command=\"{vanishing}\" failure=there is no such command");
    assert!(log.contains(&missing), "{missing} is not in\n{log}");
    change("seen.c");
    site.assert_equal(&station, &["seen.c"]);
    station.stop();
    let told = hear(&station, 2);
    let stopped = json!({"hook": "stopped", "cluster": "jsoc", "reason": "SIGTERM"});
    assert_eq!(without_time(&told[1]), stopped);
}

#[test]
fn the_begin_and_the_end_are_told_whatever_runs() {
    let station = Station::new(cluster(), "");
    let process = station.at("slow.pid");
    let slow = format!("hook.request_received=sh -c 'echo $$ >{}; exec sleep 600'\n", process.display());
    station.configure(&(slow.clone() + &hooked(&station, &["started", "stopped"])));
    station.start();
    let started = json!({"hook": "started", "cluster": "jsoc", "version": env!("CARGO_PKG_VERSION")});
    assert_eq!(without_time(&hear(&station, 1)[0]), started);
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "seen.c subscribe");
    station.wait_for("a slow command", || process.exists().then_some(()));
    station.stop();
    await_gone(&station, &process);
    fs::remove_file(&process).expect("remove a process number");
    assert_eq!(words(&hear(&station, 2)), [("started", "-"), ("stopped", "-")]);
    // What was ended then is told anew.
    station.start();
    station.wait_for("the slow command again", || process.exists().then_some(()));
    fs::write(station.at("work/subscription_manager.die"), "").expect("write the die file");
    station.wait_for("the end", || station.has_ended().then_some(()));
    let told = hear(&station, 4);
    assert_eq!((&told[3]["hook"], &told[3]["reason"]), (&json!("stopped"), &json!("the die file")));
    await_gone(&station, &process);
}

#[test]
fn a_program_that_is_not_there_stops_nobody() {
    let station = station("behind_age=5\nrecovered_age=5\nhook.started=/etc/passwd\nhook.nothing=x", &[]);
    station.start_unready();
    station.wait_for("the end", || station.has_ended().then_some(()));
    for fault in ["`hook.nothing` is no key", "`recovered_age` must be less than `behind_age`"] {
        said(&station, fault, 1);
    }
    assert!(!station.said().contains("/etc/passwd"), "{}", station.said());

    let settings = "hook.started=/etc/passwd\nhook.finished=/usr/local/bin/no-such-program x\n";
    station.configure(&(settings.to_owned() + &hooked(&station, &["sql_ready"])));
    station.start();
    for program in ["/etc/passwd", "/usr/local/bin/no-such-program"] {
        said(&station, &format!("there is no program `{program}` that may be run"), 1);
    }
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "seen.c subscribe");
    assert_eq!(words(&hear(&station, 1)), [("sql_ready", "nso")]);
    said(&station, "hook=\"finished\" node=\"nso\" command=\"/usr/local/bin/no-such-program\" failure=", 1);
    for command in [["list"].as_slice(), &["show", "nso"], &["status"]] {
        let output = station.command(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let checked = String::from_utf8(station.command(&["check"]).stdout).expect("text");
    for program in
        ["hook.started: there is no program /etc/passwd", "hook.finished: there is no program /usr/local/"]
    {
        assert!(checked.contains(program), "{checked}");
    }
}

#[test]
fn the_end_is_told_although_a_directory_does_not_answer() {
    let station = Station::new(cluster(), "");
    let directory = station.at("site_logs/nso");
    fs::create_dir(&directory).expect("create a directory");
    fs::write(station.at("etc/nso.lst"), "seen.a\n").expect("write a list");
    let entry = format!("{}\t{}\n", directory.display(), station.at("etc/nso.lst").display());
    fs::write(station.at("etc/slon_parser.cfg"), entry).expect("write the registry");
    let hooks = hooked(&station, &["started", "node_behind", "stopped"]);
    let status = station.at("status.json");
    let settings = format!("archive_dir=\nrescan=1\nsite_log_days=0\nstatus_file={}\n", status.display());
    station.configure(&(settings + &hooks));
    let hang = Hang::new(&directory);
    station.start_with(&hang.environment());
    station.wait_for("a look", || status.exists().then_some(()));
    // What the start lists is another test's: the loop has looked when it has set this aside.
    fs::write(station.at("triggers/no node.subscription_series.tgr"), "").expect("write a file");
    let is_set_aside = || station.has("triggers/rejected/no node.subscription_series.tgr");
    station.wait_for("the loop", || is_set_aside().then_some(()));
    hang.begin();
    // Who looks again lists what has changed, and comes to no end.
    fs::write(directory.join(".change"), "").expect("change the directory");
    station.wait_for("the directory to be listed", || hang.is_listed().then_some(()));
    assert_eq!(words(&hear(&station, 1)), [("started", "-")]);
    send(&station, "TERM");
    assert_eq!(words(&hear(&station, 2))[1], ("stopped", "-"));
    said(&station, "something does not end; it is left to the next start", 1);
    station.wait_for("the end", || station.has_ended().then_some(()));
}
