//! Disks that are full, broken or may not be written. What fails is said with its path, nothing half done stays, and when
//! the cause is gone the work goes on by itself: in the end everything is as if nothing had happened.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::postgres::expect_success;
use crate::support::{Site, Station, programs};
use crate::{cluster, tree};

const SERIES: &str = "disk.a";

/// What is refused, how, and at which paths of the installation.
type Fault = (&'static str, &'static str, &'static [&'static str]);

/// Files that are written anew get their names by one of these, those that are there by the first; strace knows a `rename`
/// by the old name only.
const RENAME: &str = "rename,renameat,renameat2";
const MKDIR: &str = "mkdir,mkdirat";

/// Each name that is put into place on the way of a request, and the directories that must be synced.
const ON_THE_WAY: &[Fault] = &[
    ("rename", "EACCES", &["triggers/nso.subscription_series.tgr"]),
    (RENAME, "ENOSPC", &["triggers/nso.subscription_series.cfg"]),
    (RENAME, "ENOSPC", &["etc/nso.new.cut"]),
    (RENAME, "EDQUOT", &["etc/nso.new.lst"]),
    (RENAME, "EROFS", &["etc/slon_parser.cfg"]),
    (MKDIR, "ENOSPC", &["site_logs/nso.new"]),
    (RENAME, "EIO", &["triggers/.nso.createns.sql.ready"]),
    (RENAME, "ENOSPC", &["triggers/.nso.subscription_series.sqldone.ready"]),
    ("rename", "ENOSPC", &["triggers/.nso.subscribe_series.sql.ready"]),
];

/// The same behind the subscriber's word, and beside requests.
const AT_THE_END: &[Fault] = &[
    (RENAME, "ENOSPC", &["triggers/nso.subscription_series.cleanup"]),
    (MKDIR, "EDQUOT", &["site_logs/nso"]),
    (RENAME, "ENOSPC", &["etc/nso.cuts"]),
    (RENAME, "EROFS", &["etc/nso.lst"]),
    ("rename", "EIO", &["triggers/nso.subscription_series.cleanup"]),
    (RENAME, "ENOSPC", &["work/split.counter"]),
    ("fsync", "EIO", &["etc"]),
    ("fsync", "EIO", &["triggers"]),
];

/// What a network file system says now and then: that it has lost a file or has no lock to give.
const OF_A_NETWORK: &[Fault] = &[
    ("flock:when=2+", "ENOLCK", &["work/hold.lock"]),
    ("openat", "ESTALE", &["etc/slon_parser.cfg"]),
    ("read", "ESTALE", &["etc/slon_parser.cfg"]),
    ("read", "ESTALE", &["etc/nso.new.cut"]),
    ("getdents64:when=5+", "ESTALE", &["triggers"]),
    ("statx", "ESTALE", &["site_logs/nso.new"]),
];

/// An installation that was started once, so that it has its registry.
fn prepared(settings: &str) -> Station<'static> {
    let station = Station::started(cluster(), settings);
    station.stop();
    station
}

/// Waits for a file of the subscriber's node, and ends the fault as soon as it has shown itself.
#[track_caller]
fn await_file(station: &Station<'_>, name: &str, lift: &mut impl FnMut() -> bool) -> String {
    let path = station.at(&format!("triggers/{name}"));
    station.wait_for(name, || {
        let lifted = lift();
        // Whoever has not seen it by the end has proved nothing.
        fs::read_to_string(&path).ok().filter(|text| lifted || text.starts_with("cut "))
    })
}

/// A request from its beginning to its end while something fails; `lift` ends that when it has shown itself, and says
/// whether it has. Afterwards everything is as it must be.
#[track_caller]
fn is_served_in_the_end(station: &Station<'_>, mut lift: impl FnMut() -> bool) {
    let site = Site::new(cluster(), "nso");
    site.ask(station, &format!("{SERIES} subscribe"));
    let answer = await_file(station, "nso.subscription_series.sqldone", &mut lift);
    assert!(answer.starts_with("cut "), "{answer}\n{}", station.said());
    site.apply_sql(station);
    station.drop_file("nso.subscription_series.sqlapplied", "success true\n");
    let done = await_file(station, "nso.subscription_series.done", &mut lift);
    assert_eq!(done, format!("success true\n{SERIES}\n"));
    fs::remove_file(station.at("triggers/nso.subscription_series.done")).expect("remove .done");
    crate::change(cluster(), SERIES);
    site.assert_equal(station, &[SERIES]);

    let mut expected = tree::nothing();
    expected.extend(tree::node(station, "nso", &[(tree::cut(&answer) + 1, &[SERIES])]));
    station
        .wait_for("a tidy tree", || (tree::without_logs(tree::contents(station)) == expected).then_some(()));
    let last = station.caught_up();
    let (from, found) = (tree::cut(&answer) + 1, tree::contents(station));
    let right = tree::logs(cluster(), "nso", &[SERIES], from, last);
    tree::assert_contents(&tree::only_logs(&found, "nso", from, last), &right);
}

fn each_is_outlived(faults: &[Fault]) {
    for (call, error, paths) in faults {
        eprintln!("{call} {error} {paths:?}");
        let station = prepared("rescan=1");
        let paths: Vec<_> = paths.iter().map(|path| station.at(path)).collect();
        let paths: Vec<&Path> = paths.iter().map(std::path::PathBuf::as_path).collect();
        let (call, when) =
            call.split_once(':').map_or((*call, String::new()), |(call, when)| (call, format!(":{when}")));
        station.start_failing(&format!("inject={call}:error={error}{when}"), &paths);
        station
            .wait_for("the daemon to start", || station.has("work/subscription_manager.lock").then_some(()));
        let mut lifted = false;
        is_served_in_the_end(&station, || {
            let shows = |line: &str| line.contains("ERROR") && line.contains("(os error ");
            if !lifted && station.said().lines().any(shows) {
                station.lift();
                lifted = true;
            }
            lifted
        });
    }
}

#[test]
fn names_that_cannot_be_put_into_place_on_the_way() {
    each_is_outlived(ON_THE_WAY);
}

#[test]
fn names_that_cannot_be_put_into_place_at_the_end() {
    each_is_outlived(AT_THE_END);
}

#[test]
fn a_network_file_system_that_fails_for_a_while() {
    each_is_outlived(OF_A_NETWORK);
}

#[test]
fn a_sync_that_fails_is_never_asked_again_of_the_same_file() {
    for first in [1, 2, 4, 7] {
        let station = prepared("rescan=1");
        let trace = station.at("log/trace");
        let inject = format!("inject=fsync:error=EIO:when={first}..{}", first + 1);
        station.start_traced(&[
            "-D",
            "-I2",
            "-f",
            "-y",
            "-o",
            trace.to_str().expect("a plain path"),
            "-e",
            "trace=fsync",
            "-e",
            &inject,
        ]);
        let mut lifted = false;
        is_served_in_the_end(&station, || {
            if !lifted && fs::read_to_string(&trace).is_ok_and(|text| text.contains("EIO")) {
                station.lift();
                lifted = true;
            }
            lifted
        });
        let text = fs::read_to_string(&trace).expect("read the trace");
        let mut failed = Vec::new();
        for line in text.lines() {
            let Some(path) = line.split(['<', '>']).nth(1).filter(|path| path.contains("/.tmp-")) else {
                continue;
            };
            assert!(!failed.contains(&path), "{path} was synced again after it had failed");
            if line.contains("EIO") {
                failed.push(path);
            }
        }
        assert!(text.contains("EIO"), "nothing failed");
    }
}

/// Sets a limit of a running process; `soft` may be `unlimited`.
#[track_caller]
fn limit(station: &Station<'_>, what: &str, soft: &str) {
    let process = station.process().to_string();
    let output = Command::new(programs::find("prlimit"))
        .args(["--pid", &process, &format!("--{what}={soft}:")])
        .output()
        .expect("run prlimit");
    expect_success(&format!("limit {what} to {soft}"), &output);
}

#[test]
fn a_disk_without_room_for_the_sql() {
    let station = Station::started(cluster(), "rescan=1\ndump_attempts=2");
    let site = Site::new(cluster(), "nso");
    // No file may be larger: the SQL of the large series is, those of others are not.
    limit(&station, "fsize", "600000");
    site.ask(&station, "disk.large subscribe");
    // More often than a dump may break: it is not the dump that is at fault.
    let faults = || {
        station
            .said()
            .lines()
            .filter(|line| line.contains("it is tried again") && line.contains("File too large"))
            .count()
    };
    station.wait_for("the fault", || (faults() >= 4).then_some(()));
    let other = Site::new(cluster(), "other");
    other.subscribe(&station, "disk.b subscribe");
    other.assert_equal(&station, &["disk.b"]);
    assert!(!station.has("triggers/nso.subscription_series.sqldone"));
    limit(&station, "fsize", "unlimited");
    assert!(site.await_sql(&station).starts_with("cut "));
    let left: Vec<_> = station
        .names()
        .into_iter()
        .filter(|name| name.contains("/.") && !name.starts_with("site_logs/"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    site.apply_sql(&station);
    site.answer(&station, true);
    site.assert_equal(&station, &["disk.large"]);
}

#[test]
fn a_process_that_may_open_nothing_more() {
    let station = Station::started(cluster(), "rescan=1");
    limit(&station, "nofile", "12");
    let mut lifted = false;
    is_served_in_the_end(&station, || {
        if !lifted && station.said().contains("Too many open files") {
            limit(&station, "nofile", "1024");
            lifted = true;
        }
        lifted
    });
}
