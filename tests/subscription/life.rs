//! Bundles and acknowledgements at a real site: what it gets from them is what it would have got from single logs.

use std::fs;
use std::process::Command;

use crate::support::{Site, Station};
use crate::{change, cluster};

/// Tidies as a cron job would, beside the running daemon.
#[track_caller]
fn tidy(station: &Station<'_>) -> String {
    let output = station.command(&["tidy"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The bundles in a directory: first and last log of each.
fn bundles(station: &Station<'_>, directory: &str) -> Vec<(u64, u64)> {
    let names = fs::read_dir(station.at(&format!("site_logs/{directory}"))).expect("list");
    let range = |name: String| {
        let range = name.strip_prefix("slony_logs_")?.strip_suffix(".tar.gz")?.to_owned();
        let (first, last) = range.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    let mut found: Vec<_> = names
        .filter_map(|entry| range(entry.expect("an entry").file_name().into_string().expect("UTF-8")))
        .collect();
    found.sort_unstable();
    found
}

/// Applies what is there, from singles where there are, else from bundles, and acknowledges it. Returns how many
/// bundles were needed.
#[track_caller]
fn follow(station: &Station<'_>, site: &Site<'_>) -> usize {
    let mut needed = 0;
    loop {
        let next = site.apply_logs(station) + 1;
        let held = bundles(station, site.node());
        let Some((first, last)) = held.into_iter().find(|(first, last)| (*first..=*last).contains(&next))
        else {
            break;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let bundle = station.at(&format!("site_logs/{}/slony_logs_{first}-{last}.tar.gz", site.node()));
        let status = Command::new("tar").arg("xfz").arg(bundle).current_dir(directory.path()).status();
        assert!(status.expect("run tar").success());
        for counter in next..=last {
            site.apply(&directory.path().join(crate::support::station::log_name(counter)));
        }
        needed += 1;
    }
    station.drop_file(&format!("{}.counter", site.node()), &format!("{}\n", site.counter()));
    needed
}

/// At least so many logs more.
#[track_caller]
fn logs(station: &Station<'_>, count: u64, series: &str) {
    let until = station.caught_up() + count;
    while station.caught_up() < until {
        change(series);
    }
}

#[test]
fn a_site_follows_through_bundles_and_a_request() {
    let station = Station::new(cluster(), "bundle_after=3\narchive_days=0");
    station.drop_file("nso.counter", "1\n");
    station.start();
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "life.a subscribe");
    assert!(!station.has("triggers/nso.counter"), "it is of an earlier site of this name");
    for _ in 0..2 {
        logs(&station, 8, "life.a");
        tidy(&station);
        assert!(follow(&station, &site) >= 2);
        tidy(&station);
        // The newest is left, and what others have written meanwhile.
        let (applied, there) = (site.counter(), station.logs("nso"));
        assert!(there.iter().all(|log| *log >= applied), "up to {applied} all is applied: {there:?}");
        let old: Vec<_> = bundles(&station, "nso").into_iter().filter(|bundle| bundle.1 <= applied).collect();
        assert!(old.is_empty(), "up to {applied} all is applied: {old:?}");
    }
    site.assert_equal(&station, &["life.a"]);

    for success in [false, true] {
        logs(&station, 6, "life.a");
        site.ask(&station, "life.b subscribe");
        site.await_sql(&station);
        logs(&station, 6, "life.a");
        let (new, held) = (station.logs("nso.new"), station.logs("nso.held"));
        tidy(&station);
        for (before, directory) in [(new, "nso.new"), (held, "nso.held")] {
            assert!(before.len() >= 6 && station.logs(directory).starts_with(&before), "{directory}");
            assert_eq!(bundles(&station, directory), []);
        }
        assert!(follow(&station, &site) >= 1, "up to the cut");
        if success {
            site.apply_sql(&station);
        }
        site.answer(&station, success);
        tidy(&station);
        assert!(follow(&station, &site) >= 1, "what was held back");
    }
    change("life.b");
    site.assert_equal(&station, &["life.a", "life.b"]);
    assert!(!station.said().contains("must resubscribe"), "{}", station.said());
}
