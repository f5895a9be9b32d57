//! `--follow`: it goes on by itself.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use rustix::process::Signal;

use crate::desk::{Desk, server};
use crate::support::Clock;

#[test]
fn it_follows_until_it_is_told_to_stop() {
    let desk = Desk::new("");
    desk.publish([8]);
    let service = desk.follow();
    desk.wait_for_state(&service, &Desk::all_up_to(8));
    desk.publish([9, 10]);
    desk.wait_for_state(&service, &Desk::all_up_to(10));
    fs::write(desk.die_file(), "").unwrap();
    service.wait_for("ingestion rests while the die file is there");
    desk.publish([11]);
    fs::remove_file(desk.die_file()).unwrap();
    service.wait_for("the die file is gone: ingestion goes on");
    desk.wait_for_state(&service, &Desk::all_up_to(11));
    assert_eq!(service.count("ingestion rests"), 1);
    service.stop(Signal::TERM);
    let service = desk.follow();
    desk.publish([12]);
    desk.wait_for_state(&service, &Desk::all_up_to(12));
    service.stop(Signal::INT);
    assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "12\n");
}

#[test]
fn while_it_rests_others_may_ingest() {
    let desk = Desk::new("interval=600\n");
    desk.publish([8]);
    let service = desk.follow();
    desk.wait_for_state(&service, &Desk::all_up_to(8));
    // It does not sleep until the next look is due.
    fs::write(desk.die_file(), "").unwrap();
    service.wait_for("ingestion rests while the die file is there");
    let lock = fs::File::open(desk.at("work/ingest.lock")).unwrap();
    lock.try_lock().expect("the lock was let go");
    desk.publish([9]);
    fs::remove_file(desk.die_file()).unwrap();
    assert_eq!(desk.state(), Desk::all_up_to(8), "another ingests");
    drop(lock);
    desk.wait_for_state(&service, &Desk::all_up_to(9));
    service.stop(Signal::TERM);
}

#[test]
fn told_to_stop_while_a_table_is_locked_it_ends() {
    let desk = Desk::new("");
    let mut psql = server().psql(desk.database(), "postgres");
    let mut other = psql.arg("-q").stdin(Stdio::piped()).spawn().unwrap();
    let mut input = other.stdin.take().unwrap();
    writeln!(input, "begin; lock table aia.l in access exclusive mode;").unwrap();
    let wait_for = |what: &str, locks: &str| {
        let count = format!("select count(*) from pg_locks where relation = 'aia.l'::regclass and {locks}");
        crate::support::wait::until(what, crate::desk::LIMIT, || (desk.query(&count) != "0").then_some(()));
    };
    wait_for("the lock", "granted and mode = 'AccessExclusiveLock'");
    desk.publish([8]);
    let service = desk.follow();
    wait_for("a lock to be waited for", "not granted");
    service.stop(Signal::TERM);
    drop(input);
    other.wait().unwrap();
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(8));
}

#[test]
fn told_to_stop_in_the_middle_it_ends_between_two_logs() {
    let desk = Desk::new("");
    desk.publish(8..=2000);
    let service = desk.follow();
    let some = crate::support::wait::within(crate::desk::LIMIT, || (desk.state() != "at 7").then_some(()));
    assert!(some.is_some(), "{}", service.said());
    let said = service.stop(Signal::TERM);
    let place: u64 = desk.query("select at_counter from _jsoc.sl_archive_tracking").parse().unwrap();
    assert!(place < 2000, "it was over before it was asked to stop: this test shows nothing");
    assert_eq!(desk.state(), Desk::all_up_to(place), "{said}");
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(2000));
}

#[test]
fn the_database_may_go_and_come_back() {
    let desk = Desk::new("");
    desk.publish([8]);
    let service = desk.follow();
    desk.wait_for_state(&service, &Desk::all_up_to(8));
    let name = desk.database();
    server().execute("postgres", &format!("alter database {name} allow_connections false"));
    server().execute(
        "postgres",
        &format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"),
    );
    service.wait_for("it is tried again until it works");
    desk.publish([9]);
    server().execute("postgres", &format!("alter database {name} allow_connections true"));
    service.wait_for("it works again");
    desk.wait_for_state(&service, &Desk::all_up_to(9));
    assert_eq!(service.count("it is tried again until it works"), 1, "{}", service.said());
    // The server's directory, too: a mount that is away.
    fs::rename(desk.at("site_logs"), desk.at("away")).unwrap();
    crate::support::wait::until("the second trouble", crate::desk::LIMIT, || {
        (service.count("it is tried again until it works") == 2).then_some(())
    });
    fs::rename(desk.at("away"), desk.at("site_logs")).unwrap();
    desk.publish([10]);
    desk.wait_for_state(&service, &Desk::all_up_to(10));
    service.stop(Signal::TERM);
}

#[test]
fn what_a_person_must_mend_is_said_once_and_waited_for() {
    let desk = Desk::new("");
    let hook = desk.at("hook");
    let heard = desk.at("heard");
    fs::write(&hook, format!("#!/bin/sh\ncat >> {}\n", heard.display())).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    desk.configure(&format!("on_error={}\n", hook.display()));
    desk.publish([8, 10]);
    let service = desk.follow();
    service.wait_for("log 9 is missing");
    crate::support::wait::until("the hook", crate::desk::LIMIT, || heard.exists().then_some(()));
    // Once more by hand, which tells the same within the hour.
    let service = {
        service.stop(Signal::TERM);
        desk.run().expect_says(4, "log 9 is missing");
        desk.follow()
    };
    service.wait_for("log 9 is missing");
    desk.publish([9]);
    service.wait_for("it was mended");
    desk.wait_for_state(&service, &Desk::all_up_to(10));
    assert_eq!(service.count("log 9 is missing"), 1, "{}", service.said());
    service.stop(Signal::TERM);
    let heard = fs::read_to_string(heard).unwrap();
    assert_eq!(heard.lines().count(), 1, "{heard}");
    let message: serde_json::Value = serde_json::from_str(&heard).unwrap();
    assert_eq!((message["tool"].as_str(), message["node"].as_str()), (Some("get_slony_logs"), Some("nso")));
    assert!(message["error"].as_str().unwrap().contains("log 9 is missing"), "{message}");
    assert!(message["time"].as_u64().unwrap() > 1_600_000_000);
    assert_eq!(message["place"].as_u64(), Some(8));
}

#[test]
fn a_hook_that_fails_or_is_not_there_changes_nothing() {
    for (command, words) in [("/nowhere/hook", "there is no such command"), ("false", "exit status: 1")] {
        let desk = Desk::new(&format!("on_error={command}\n"));
        desk.publish([9]);
        let run = desk.run();
        run.expect_says(4, "log 8 is missing");
        run.expect_says(4, words);
        assert!(!desk.run().said.contains(words), "told once an hour");
    }
    // Nobody is called because another one runs.
    let desk = Desk::new("on_error=/nowhere/hook\n");
    fs::write(desk.die_file(), "").unwrap();
    assert!(!desk.run().expect(3).said.contains("nobody is told"));
}

#[test]
fn a_clock_that_is_set_meanwhile_changes_nothing() {
    let desk = Desk::new("");
    let clock = Clock::new();
    desk.publish([8]);
    let service = desk.follow_in(&clock.environment());
    desk.wait_for_state(&service, &Desk::all_up_to(8));
    for (counter, offset) in [(9, "-400d"), (10, "+400d"), (11, "-1s")] {
        clock.set(offset);
        desk.publish([counter]);
        desk.wait_for_state(&service, &Desk::all_up_to(counter));
    }
    service.stop(Signal::TERM);
    assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "11\n");
}
