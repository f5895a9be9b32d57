//! What docs/operator.md says of backups: an older state of the manager's own files costs work, and never rows.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Site, Station};
use crate::{beside_others, change, cluster};

const SERIES: &str = "backup.a";

/// Copies a directory as a backup does.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("run cp");
    assert!(copied.success());
}

fn write() {
    cluster().origin(&change(SERIES));
    cluster().sync();
}

#[test]
fn an_older_backup_of_lists_and_places_costs_no_row() {
    let _turn = beside_others();
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "kept");
    site.subscribe(&station, &format!("{SERIES} subscribe"));
    write();
    site.assert_equal(&station, &[SERIES]);
    let early = station.caught_up();
    station.stop();
    fs::create_dir(station.at("backup")).expect("create a directory");
    for part in ["etc", "work"] {
        copy(&station.at(part), &station.at("backup"));
    }

    station.start();
    write();
    site.assert_equal(&station, &[SERIES]);
    let applied = site.counter();
    write();
    let late = station.caught_up();
    assert!(early < applied && applied < late, "{early} {applied} {late}");
    let content = |counter| fs::read(site.log(&station, counter)).expect("a log");
    let logs: Vec<_> = (early..=late).map(content).collect();
    station.kill();

    // The disk is lost; what comes back is older than what the site has applied.
    for part in ["etc", "work"] {
        fs::remove_dir_all(station.at(part)).expect("remove a directory");
        copy(&station.at("backup").join(part), station.at(part).parent().expect("a directory"));
    }
    fs::remove_file(site.log(&station, late)).expect("lose a log");
    assert!(station.counter() < Some(applied));
    station.start();
    write();
    site.assert_equal(&station, &[SERIES]);
    let again: Vec<_> = (early..=late).map(content).collect();
    assert!(again == logs, "a log that is made again is the same");
}
