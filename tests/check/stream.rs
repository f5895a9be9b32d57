//! Logs, acknowledgements and archives.

use std::fs;

use crate::case::Case;
use crate::support::station::log_name;

fn log(counter: u64) -> String {
    format!("site_logs/nso/{}", log_name(counter))
}

fn archive(counter: u64) -> String {
    format!("archives/{}", log_name(counter))
}

#[test]
fn logs_that_are_missing_are_said() {
    let case = Case::new();
    let back = |case: &Case| case.write(&log(4), "-- EOL\n");
    case.breaks(("error", "gap", "nso", "between others: 4"), |case| case.remove(&log(4)), back);
    case.remove(&log(4));
    case.remove(&log(5));
    case.finds(&[("error", "gap", "nso", "4 to 5")]);
    // A bundle fills it, and may overlap.
    case.write("site_logs/nso/slony_logs_3-5.tar.gz", "");
    case.finds(&[]);
    case.breaks(
        ("error", "logs-missing", "nso", "its newest log is 5, but the archives are split up to 6"),
        |case| case.remove(&log(6)),
        |case| case.write(&log(6), "-- EOL\n"),
    );
    // A node that stopped has no more; what has to be decided is said instead.
    case.breaks(
        ("warning", "stopped", "nso", "before archive 6: line 7: a statement"),
        |case| {
            case.remove(&log(6));
            case.write("etc/nso.stopped", "before 6\nwhy line 7: a statement\n");
        },
        |case| {
            case.remove("etc/nso.stopped");
            case.write(&log(6), "-- EOL\n");
        },
    );
    // A node of ours that has no log at all, though its list holds since 3.
    case.write("etc/nso.cuts", "from 3\nhmi.m_45s\n");
    case.remove("site_logs/nso");
    fs::create_dir(case.at("site_logs/nso")).unwrap();
    case.finds(&[("error", "logs-missing", "nso", "it has no log")]);
    case.write("etc/nso.cuts", "from 7\nhmi.m_45s\n");
    case.finds(&[]);
}

#[test]
fn where_a_site_stands_is_said() {
    let case = Case::new();
    let path = "site_logs/nso/slony_counter.txt";
    let back = |case: &Case| case.remove(path);
    case.write(path, "5\n");
    case.finds(&[]);
    case.breaks(
        ("warning", "beyond", "nso", "acknowledges 9, but its newest log is 6"),
        |case| case.write(path, "9\n"),
        back,
    );
    case.breaks(("error", "must-resubscribe", "nso", "log 2 is gone"), |case| case.write(path, "1\n"), back);
    case.breaks(
        ("warning", "acknowledgement", "nso", "slony_counter.txt"),
        |case| case.write(path, "x\n"),
        back,
    );
    case.breaks(
        ("warning", "silent", "nso", "silent for 16 d"),
        |case| {
            case.write(path, "3\n");
            case.age(&log(4), 16);
        },
        back,
    );
}

#[test]
fn archives_that_are_not_what_they_were_are_said() {
    let case = Case::new();
    let committed = case.station.cluster().archiver_counter();
    assert!(committed > 8, "the cluster has only begun");
    case.breaks(
        ("error", "archive-missing", "7", "archive 7 is missing"),
        |case| case.write(&archive(8), "-- an archive\n"),
        |case| case.remove(&archive(8)),
    );
    case.breaks(
        ("warning", "splitter-behind", "6", "split up to 6, but"),
        |case| {
            case.write(&archive(7), "-- an archive\n");
            case.age(&archive(7), 1);
        },
        |case| case.remove(&archive(7)),
    );
    let seen = format!("{} 1 5.000000005 {:032x} 1 9\n", log_name(6), 7);
    case.breaks(
        ("error", "archive-changed", &log_name(6), "the sites have its old content"),
        |case| case.write("work/split.seen", &seen),
        |case| case.remove("work/split.seen"),
    );
    case.breaks(
        ("note", "archive-gap", "4", "archives 4 to 5, which were split, are gone"),
        |case| {
            case.remove(&archive(4));
            case.remove(&archive(5));
        },
        |case| {
            case.write(&archive(4), "-- an archive\n");
            case.write(&archive(5), "-- an archive\n");
        },
    );
    let ahead = 999_999_999;
    case.write("work/split.counter", &format!("{ahead}\n"));
    case.finds(&[
        ("error", "time-went-back", "999999999", "but the database says"),
        ("error", "logs-missing", "nso", "split up to 999999999"),
    ]);
}
