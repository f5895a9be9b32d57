//! Events that do not come, come too late or too many; a drop directory that is another all of a sudden; a process that
//! stands still. What must be done is done all the same, by the periodic look.

use std::fs;

use crate::cluster;
use crate::process::peak_memory;
use crate::support::home::send;
use crate::support::{Site, Station};

/// A request is served from its beginning to its end, and the site follows.
#[track_caller]
fn is_served(station: &Station<'_>, node: &str, lines: &str, series: &[&str]) {
    let site = Site::new(cluster(), node);
    site.subscribe(station, lines);
    site.assert_equal(station, series);
}

#[test]
fn without_any_event_the_periodic_look_serves() {
    for (call, error, said) in [
        ("inotify_init1", "EMFILE", "cannot watch: only the periodic look is left"),
        ("inotify_add_watch", "ENOSPC", "cannot watch: only the periodic look is left"),
    ] {
        let station = Station::new(cluster(), "rescan=1\nsettle=1");
        station.start_failing(&format!("inject={call}:error={error}"), &[]);
        station.wait_for("the daemon to start", || station.counter().map(drop));
        is_served(&station, "nso", "arrivals.a subscribe", &["arrivals.a"]);
        assert!(station.said().contains(said), "{}", station.said());
        let told = station.said().matches(said).count();
        assert_eq!(told, 2, "said once for each directory, not at every look");
        // As soon as the system can watch again, it does.
        station.lift();
        station.wait_for("both to be watched", || {
            (station.said().matches("watched anew").count() == 2).then_some(())
        });
        is_served(&station, "so", "arrivals.b subscribe", &["arrivals.b"]);
    }
}

#[test]
fn a_drop_directory_that_is_moved_away_is_found_again_and_watched() {
    let station = Station::started(cluster(), "rescan=1\nsettle=60");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "arrivals.a subscribe");
    let (drop, aside) = (station.at("triggers"), station.at("aside"));
    for round in 0..3 {
        fs::rename(&drop, &aside).expect("move the drop directory");
        let watched = || station.said().matches("watched anew").count();
        let (is_another, watched_before) = (round != 1, watched());
        let errors = || station.said().matches("cannot look at the drop directory").count();
        let before = errors();
        station.wait_for("the daemon to say so", || (errors() > before).then_some(()));
        assert!(station.said().contains("triggers`"), "{}", station.said());
        if is_another {
            fs::create_dir(&drop).expect("make another");
            fs::remove_dir_all(&aside).expect("remove the old one");
        } else {
            fs::rename(&aside, &drop).expect("put it back");
        }
        station.wait_for("what belongs into it", || station.has("triggers/rejected").then_some(()));
        // Whole only because it was renamed into place, which nobody but the watch sees.
        station.wait_for("the watch", || (!is_another || watched() > watched_before).then_some(()));
        let name = format!("n{round}");
        fs::write(
            station.at(&format!("triggers/.{name}.part")),
            format!("node {name}\narrivals.b subscribe\n"),
        )
        .expect("write");
        fs::rename(
            station.at(&format!("triggers/.{name}.part")),
            station.at(&format!("triggers/{name}.subscription_series.tgr")),
        )
        .expect("rename");
        assert!(station.await_file(&format!("{name}.subscription_series.sqldone")).starts_with("cut "));
    }
    site.assert_equal(&station, &["arrivals.a"]);
}

#[test]
fn a_daemon_that_stood_still_finds_everything() {
    let station = Station::started(cluster(), "rescan=1\nsettle=1");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "arrivals.a subscribe");
    send("STOP", station.process());
    // More than the system remembers events of, whatever its limit.
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("the limit of events");
    let files: usize = limit.trim().parse::<usize>().expect("a number") + 4_000;
    for number in 0..files {
        fs::write(station.at(&format!("triggers/junk{number}")), "").expect("write");
    }
    // It comes behind all of them, without a last line and by a rename: its event is lost.
    fs::write(station.at("triggers/.part"), "node so\narrivals.b subscribe\n").expect("write");
    fs::rename(station.at("triggers/.part"), station.at("triggers/so.subscription_series.tgr"))
        .expect("rename");
    crate::change(cluster(), "arrivals.a");
    send("CONT", station.process());
    assert!(station.await_file("so.subscription_series.sqldone").starts_with("cut "));
    site.assert_equal(&station, &["arrivals.a"]);
    let junk = station.names().iter().filter(|name| name.starts_with("triggers/junk")).count();
    assert_eq!(junk, files, "files of others are left alone");
}

#[test]
fn junk_keeps_nobody_waiting() {
    let station = Station::new(cluster(), "rescan=1");
    for number in 0..30_000 {
        let name = match number % 100 {
            0 => format!("not a node {number}.subscription_series.tgr"),
            1 => format!("stray{number}.subscription_series.done"),
            _ => format!("junk{number}.tmp"),
        };
        fs::write(station.at(&format!("triggers/{name}")), "").expect("write");
    }
    station.start();
    is_served(&station, "nso", "arrivals.c subscribe", &["arrivals.c"]);
    let left = || {
        let names = fs::read_dir(station.at("triggers")).expect("list").flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().starts_with("not a node")).count()
    };
    station.wait_for("names without a node to be set aside", || (left() == 0).then_some(()));
    // At rest it only looks: with a second between two looks at thirty thousand names, far less than a half of the time.
    let (busy, counter) = (station.cpu_ticks(), station.counter());
    station.wait_for("some seconds", || (station.counter() >= counter.map(|at| at + 5)).then_some(()));
    let ticks = station.cpu_ticks() - busy;
    assert!(ticks < 300, "{ticks} hundredths of a second of processor time for nothing");
    assert!(peak_memory(&station) < 160, "{} MB", peak_memory(&station));
}

#[test]
fn uploads_that_break_off_give_no_wrong_subscription() {
    let station = Station::started(cluster(), "rescan=1\nsettle=1");
    let text = |node: &str| {
        format!(
            "node {node}\narchive 0\narrivals.a subscribe\narrivals.b subscribe\narrivals.c subscribe\nend\n"
        )
    };
    let whole = text("c000");
    let nodes: Vec<(String, usize)> =
        (0..whole.len()).step_by(3).map(|cut| (format!("c{cut:03}"), cut)).collect();
    for (node, cut) in &nodes {
        // Over a larger request that lay there, as an upload that empties the file first leaves it.
        let path = station.at(&format!("triggers/{node}.subscription_series.tgr"));
        fs::write(path, &text(node)[..*cut]).expect("write");
    }
    for (node, cut) in &nodes {
        let (sent, answer) =
            (&text(node)[..*cut], station.await_file(&format!("{node}.subscription_series.sqldone")));
        let lines: Vec<&str> = sent.lines().collect();
        // Each line says itself whether it is whole: by its verb.
        let torn = lines.last().is_some_and(|last| !is_whole(last, node));
        let asked: Vec<&str> = lines.iter().filter_map(|line| line.strip_suffix(" subscribe")).collect();
        if torn || asked.is_empty() {
            assert!(answer.starts_with("failure "), "{sent:?}: {answer}");
        } else {
            let shown: Vec<&str> = answer.lines().filter(|line| line.starts_with("arrivals.")).collect();
            assert!(answer.starts_with("cut ") && shown == asked, "{sent:?}: {answer}");
        }
    }
}

fn is_whole(line: &str, node: &str) -> bool {
    line == format!("node {node}")
        || line.starts_with("archive ") && line.len() > "archive ".len()
        || line.ends_with(" subscribe")
        || line == "end"
}
