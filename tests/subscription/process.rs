//! The daemon as a process: one of it, how it ends, what it says, and that it rests.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use crate::cluster;
use crate::support::home::send;
use crate::support::station::MANAGER;
use crate::support::{Site, Station, programs};

#[test]
fn a_second_daemon_is_refused() {
    let station = Station::started(cluster(), "");
    let second = station.command(&["run"]);
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains("it runs already") && said.contains(&station.process().to_string()), "{said}");
    Site::new(cluster(), "nso").subscribe(&station, "aia.lev1 subscribe");
}

/// A copied configuration: the same drop directory, and what `settings` make different.
fn start_beside(station: &Station<'_>, settings: &[(&str, &str)]) -> Output {
    let config = station.at("copied.cfg");
    let changed = |line: &str| {
        let other = settings.iter().find(|(key, _)| line.starts_with(&format!("{key}=")));
        other.map_or_else(|| line.to_owned(), |(key, path)| format!("{key}={}", station.at(path).display()))
            + "\n"
    };
    let text: String = station.read("manager.cfg").lines().map(changed).collect();
    fs::write(&config, text).expect("write a configuration");
    for (_, path) in settings.iter().filter(|(key, _)| key.ends_with("dir")) {
        fs::create_dir_all(station.at(path)).expect("make a directory");
    }
    // One that is not refused would go on for ever.
    let mut command = Command::new(programs::find("timeout"));
    command.arg("60").arg(MANAGER).arg("--config").arg(config).arg("run").output().expect("run the daemon")
}

#[test]
fn a_second_daemon_with_a_work_dir_of_its_own_is_refused() {
    let station = Station::started(cluster(), "");
    let own_lists =
        [("work_dir", "work2"), ("tables_dir", "etc2"), ("parser_config", "etc2/slon_parser.cfg")];
    for (settings, key, named) in [
        (&own_lists[..1], "tables_dir", "etc/subscription_manager.lock"),
        (&own_lists, "triggerdir", "triggers"),
    ] {
        let second = start_beside(&station, settings);
        let said = String::from_utf8_lossy(&second.stderr);
        assert_eq!(second.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("serves `{key}`")) && said.contains(named), "{said}");
        assert!(said.contains(&station.process().to_string()), "{said}");
    }
    assert!(!station.has("etc2/slon_parser.cfg"), "nothing was begun");
    Site::new(cluster(), "nso").subscribe(&station, "aia.lev1 subscribe");
    // The end of the first is enough.
    station.kill();
    station.configure(&format!("work_dir={}", station.at("work2").display()));
    station.start_unready();
    station.wait_for("the one with another work_dir", || station.has("work2/split.counter").then_some(()));
}

#[test]
fn a_stranger_who_locks_the_drop_directory_keeps_no_daemon_from_starting() {
    let station = Station::new(cluster(), "");
    let mut stranger = cluster().server().home().command("flock");
    let stranger = stranger.arg(station.at("triggers")).args(["sleep", "infinity"]).process_group(0);
    let mut stranger = stranger.spawn().expect("run flock");
    let directory = fs::File::open(station.at("triggers")).expect("open the drop directory");
    // What is taken here would keep the stranger from it.
    let is_locked = || {
        let is_free = directory.try_lock_shared().is_ok();
        if is_free {
            directory.unlock().expect("unlock");
        }
        !is_free
    };
    station.wait_for("the lock", || is_locked().then_some(()));
    let is_other = fs::metadata(format!("/proc/{}", stranger.id())).expect("it runs").uid() != current_user();
    if is_other {
        station.start();
        assert!(station.said().contains("the directory cannot be locked"), "{}", station.said());
        Site::new(cluster(), "nso").subscribe(&station, "aia.lev1 subscribe");
    } else {
        // Who has no other user at hand sees the one whose lock counts.
        let refused = station.command(&["run"]);
        assert_eq!(refused.status.code(), Some(1));
    }
    let group = format!("-{}", stranger.id());
    Command::new("kill").args(["-s", "KILL", "--", &group]).status().expect("run kill");
    stranger.wait().expect("wait for flock");
}

fn current_user() -> u32 {
    fs::metadata("/proc/self").expect("a process").uid()
}

#[test]
fn locks_that_the_file_system_does_not_give_are_said() {
    let station = Station::started(cluster(), "rescan=1");
    station.stop();
    let lock = station.at("work/subscription_manager.lock");
    station.start_failing("inject=flock:error=ENOLCK", &[&lock]);
    station.wait_for("the refusal", || station.has_ended().then_some(()));
    let said = station.said();
    assert!(said.contains(&format!("lock `{}`: No locks available", lock.display())), "{said}");
    // Of directories not every file system has them.
    station.kill();
    let triggers = station.at("triggers");
    station.start_failing("inject=flock:error=EBADF", &[&triggers]);
    station.wait_for("the daemon to say so", || {
        station.said().contains("the directory cannot be locked").then_some(())
    });
    Site::new(cluster(), "nso").subscribe(&station, "aia.lev1 subscribe");
}

#[test]
fn the_die_file_stops_it_and_is_removed() {
    let station = Station::started(cluster(), "rescan=1");
    fs::write(station.at("work/subscription_manager.die"), "").expect("write the die file");
    station.wait_for("the end of the daemon", || station.has_ended().then_some(()));
    assert!(!station.has("work/subscription_manager.die"));
    assert!(station.said().contains("why=\"the die file\""), "{}", station.said());
    station.kill();
    station.start();
}

#[test]
fn it_ends_well_in_the_middle_of_a_dump() {
    let station = Station::started(cluster(), "dump_rate=50000");
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "big.still subscribe");
    station.wait_for("the cut", || station.has("site_logs/nso.new").then_some(()));
    station.stop();
    assert!(!station.has("site_logs/nso.new") && !station.has("triggers/nso.subscription_series.sqldone"));
    assert!(station.has("etc/nso.new.cut"), "the request stays accepted");
    station.configure("");
    station.start();
    assert!(site.await_sql(&station).starts_with("cut "));
    let log = station.read("log/subscription_manager.log");
    assert!(log.contains("node=nso"), "{log}");
}

#[test]
fn it_says_that_another_has_the_hold_and_ends_all_the_same() {
    let station = Station::new(cluster(), "");
    let hold = fs::File::create(station.at("work/hold.lock")).expect("make the file of the hold");
    hold.lock().expect("take the hold");
    station.start_unready();
    let said = station.wait_for("the daemon to say what it waits for", || {
        Some(station.said()).filter(|said| said.contains("another process has the lock: it is waited for"))
    });
    assert!(said.contains(&std::process::id().to_string()), "who has it: {said}");
    station.stop();
    drop(hold);
    station.start();
    Site::new(cluster(), "nso").subscribe(&station, "aia.lev1 subscribe");
}

#[test]
fn it_ends_although_a_directory_does_not_answer_from_the_start() {
    let station = Station::started(cluster(), "");
    Site::new(cluster(), "nso").subscribe(&station, "aia.lev1 subscribe");
    station.stop();
    // A file system of the net whose server is gone: whoever syncs there waits, for longer than this test.
    let directory = station.at("site_logs/nso");
    station.start_failing("inject=fsync:delay_enter=3600000000", &[&directory]);
    let is_waited_for = || {
        let lock = fs::read_to_string(station.at("work/subscription_manager.lock")).ok()?;
        let open = fs::read_dir(format!("/proc/{}/fd", lock.trim())).ok()?.flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok()).any(|path| path == directory).then_some(())
    };
    station.wait_for("the directory to be synced", is_waited_for);
    send("TERM", station.process());
    // The first start has ended so too.
    let heard = || station.said().matches("why=\"SIGTERM\"").count() == 2;
    station.wait_for("the signal to be heard", || heard().then_some(()));
    // The thread that waits is let go: strace does not stand the end of one that it delays.
    station.lift();
    station.wait_for("the end", || station.has_ended().then_some(()));
    station.kill();
    station.start();
    Site::new(cluster(), "mps").subscribe(&station, "aia.lev1 subscribe");
}

#[test]
fn a_bad_configuration_is_refused_with_all_its_faults() {
    let station = Station::new(cluster(), "");
    station.configure("pgport=1\nrescan=0\ndump_jobs=many\nsettle");
    let output = station.command(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for fault in ["`pgport` is no key (did you mean `pg_port`?)", "`rescan` must be", "`dump_jobs` must be"] {
        assert!(said.contains(fault) && said.contains("line "), "{fault} is not in\n{said}");
    }
    assert!(
        !station.has("work/subscription_manager.lock") && !station.has("triggers/rejected"),
        "nothing was begun"
    );
    let none = station.command(&["list", "--config", "/nowhere.cfg"]);
    assert!(!none.status.success());
}

#[test]
fn what_lies_about_keeps_nobody_busy() {
    let station = Station::started(cluster(), "rescan=1");
    for number in 0..100 {
        station.drop_file(&format!("site{number}.subscribe_series.done"), "success true\n");
    }
    let looked = || station.said().matches("stage=\"done\"").count();
    station.wait_for("every file to be seen", || (looked() >= 100).then_some(()));
    let (busy, counter) = (station.cpu_ticks(), station.counter());
    // Archives come about once a second even if nothing happens.
    station.wait_for("some seconds", || (station.counter() >= counter.map(|at| at + 5)).then_some(()));
    let ticks = station.cpu_ticks() - busy;
    assert!(ticks < 100, "{ticks} hundredths of a second of processor time for nothing");
    assert_eq!(looked(), 100, "the stage is logged when it changes, not at every look");
}

#[test]
fn a_registry_that_is_gone_stops_the_splitter_and_loses_nothing() {
    let station = Station::started(cluster(), "rescan=1");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "aia.lev1 subscribe");
    let (registry, aside) = (station.at("etc/slon_parser.cfg"), station.at("aside"));
    fs::rename(&registry, &aside).expect("move the registry");
    station.wait_for("the splitter to say so", || {
        station.said().contains("slon_parser.cfg` is not there").then_some(())
    });
    cluster().origin("insert into aia.lev1 values (-nextval('public.keys'), now(), 1, 'meanwhile')");
    cluster().sync();
    fs::rename(&aside, &registry).expect("put the registry back");
    site.assert_equal(&station, &["aia.lev1"]);

    // Without its counter the splitter begins where the node stands, not where the database is.
    station.stop();
    cluster().origin("insert into aia.lev1 values (-nextval('public.keys'), now(), 1, 'before the loss')");
    cluster().sync();
    fs::remove_file(station.at("work/split.counter")).expect("lose the counter");
    station.start();
    site.assert_equal(&station, &["aia.lev1"]);
}
