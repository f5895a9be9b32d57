//! The daemon as a process: one of it, how it ends, what it says, and that it rests.

use std::fs;

use crate::cluster;
use crate::support::{Site, Station};

#[test]
fn a_second_daemon_is_refused() {
    let station = Station::started(cluster(), "");
    let second = station.command(&["run"]);
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains("it runs already") && said.contains(&station.process().to_string()), "{said}");
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
