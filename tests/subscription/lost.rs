//! Somebody takes away logs that were collected while a request is open. Without them its node would have a gap of which nobody knows.

use std::fs;

use crate::support::{Site, Station};
use crate::tree::cut;
use crate::{change, cluster};

/// What is taken away.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// The directory.
    Directory,
    /// The directory, and an empty one is put in its place.
    Logs,
    /// One log in the middle.
    One,
}

/// The request is open, logs behind its cut are split, and some are taken from where they wait. Returns the cut.
#[track_caller]
fn lose(station: &Station<'_>, site: &Site<'_>, directory: &str, loss: Loss) -> u64 {
    let cut = cut(&site.await_sql(station));
    for _ in 0..3 {
        change("lost.a");
        change("lost.b");
        station.caught_up();
    }
    let there = station.logs(directory);
    assert!(there.len() >= 3 && there[0] == cut + 1, "{there:?}");
    let path = station.at(&format!("site_logs/{directory}"));
    match loss {
        Loss::Directory => fs::remove_dir_all(path).expect("remove"),
        Loss::Logs => {
            fs::remove_dir_all(&path).expect("remove");
            fs::create_dir(&path).expect("mkdir");
        }
        Loss::One => fs::remove_file(path.join(crate::support::station::log_name(there[1]))).expect("remove"),
    }
    cut
}

/// Every log behind the cut is there, the node goes on, and the rows are equal.
#[track_caller]
fn is_whole(station: &Station<'_>, site: &Site<'_>, cut: u64, series: &[&str]) {
    station.wait_for("the node to go on", || (!station.has("etc/nso.stopped")).then_some(()));
    let last = station.caught_up();
    station.wait_for("every log", || {
        let logs: Vec<u64> =
            station.logs("nso").into_iter().filter(|log| *log > cut && *log <= last).collect();
        (logs == (cut + 1..=last).collect::<Vec<_>>()).then_some(())
    });
    site.assert_equal(station, series);
    assert_eq!(station.said().matches("logs of the open request are gone").count(), 1, "{}", station.said());
}

#[test]
fn what_was_collected_for_a_new_site_is_made_again() {
    for loss in [Loss::Directory, Loss::One] {
        let station = Station::started(cluster(), "rescan=1\nbundle_after=0");
        let site = Site::new(cluster(), "nso");
        site.ask(&station, "lost.a subscribe\nlost.b subscribe");
        let cut = lose(&station, &site, "nso.new", loss);
        site.apply_sql(&station);
        assert!(site.answer(&station, true).starts_with("success true\n"), "{loss:?}");
        is_whole(&station, &site, cut, &["lost.a", "lost.b"]);
    }
}

#[test]
fn what_was_collected_for_a_known_site_is_made_again() {
    for (success, directory, loss) in [
        (true, "nso.new", Loss::Directory),
        (true, "nso.new", Loss::Logs),
        (false, "nso.held", Loss::Directory),
        (false, "nso.held", Loss::One),
    ] {
        let station = Station::started(cluster(), "rescan=1\nbundle_after=0");
        let site = Site::new(cluster(), "nso");
        site.subscribe(&station, "lost.a subscribe");
        site.ask(&station, "lost.b subscribe");
        let cut = lose(&station, &site, directory, loss);
        if success {
            site.apply_sql(&station);
        }
        assert!(site.answer(&station, success).starts_with(&format!("success {success}\n")), "{loss:?}");
        is_whole(&station, &site, cut, if success { &["lost.a", "lost.b"] } else { &["lost.a"] });
    }
}

#[test]
fn a_newer_request_after_a_loss_is_late_and_then_served() {
    let station = Station::started(cluster(), "rescan=1\nbundle_after=0");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "lost.a subscribe");
    site.ask(&station, "lost.b subscribe");
    let cut = lose(&station, &site, "nso.held", Loss::Directory);
    fs::remove_file(station.at("triggers/nso.subscription_series.sqldone")).expect("remove");
    site.ask(&station, "lost.c subscribe");
    let answer = site.await_sql(&station);
    assert!(answer.starts_with("failure ") && answer.contains("are late, from archive"), "{answer}");
    is_whole(&station, &site, cut, &["lost.a"]);
}

#[test]
fn a_pause_outlives_a_loss() {
    let station = Station::started(cluster(), "rescan=1\nbundle_after=0");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "lost.a subscribe");
    site.ask(&station, "lost.b subscribe");
    let cut = lose(&station, &site, "nso.held", Loss::One);
    for args in [&["pause", "nso", "--reason", "new disks"][..], &["cancel", "nso"]] {
        let output = station.command(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(station.read("etc/nso.stopped"), format!("before {}\npaused new disks\n", cut + 2));
    assert!(station.command(&["resume", "nso"]).status.success());
    is_whole(&station, &site, cut, &["lost.a"]);
}
