//! Requests that come over a slow line, by scp of the system; lines that break; and files that are another each time one looks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cluster;
use crate::support::{Sshd, Station};

/// Kilobits a second: the request below takes some seconds.
const SLOW: u32 = 800;

/// A request of three hundred kilobytes, whose last lines matter.
fn long_request(station: &Station<'_>, node: &str) -> PathBuf {
    let remark = "# a remark about nothing at all that makes the file longer\n";
    let text =
        format!("node {node}\n{}arrivals.a subscribe\narrivals.b subscribe\nend\n", remark.repeat(5_000));
    let path = station.at(&format!("{node}.request"));
    fs::write(&path, text).expect("write");
    path
}

/// Waits until a part of a file has come.
#[track_caller]
fn await_part(station: &Station<'_>, path: &Path, whole: u64) {
    let part = || fs::metadata(path).ok().map(|there| there.len()).filter(|bytes| (1..whole).contains(bytes));
    station.wait_for("a part of the file", part);
}

#[test]
fn an_upload_over_a_slow_line_is_taken_when_it_is_whole() {
    // Its last line ends it, however long the line is quiet in between.
    let station = Station::started(cluster(), "rescan=1\nsettle=60");
    let sshd = Sshd::start();
    let request = long_request(&station, "slow");
    let whole = fs::metadata(&request).expect("stat").len();
    let target = station.at("triggers/slow.subscription_series.tgr");
    let mut scp = sshd.scp(&request, &target, SLOW).spawn().expect("run scp");
    await_part(&station, &target, whole);
    assert!(!station.has("triggers/slow.subscription_series.cfg"), "it is not whole");
    assert!(scp.wait().expect("wait for scp").success(), "{}", sshd.said());
    let answer = station.await_file("slow.subscription_series.sqldone");
    assert!(answer.starts_with("cut ") && answer.ends_with("\narrivals.a\narrivals.b\n"), "{answer}");
    assert_eq!(station.said().matches("request node=slow").count(), 1, "{}", station.said());
}

#[test]
fn an_upload_over_a_line_that_breaks_is_no_request_and_may_be_made_again() {
    let station = Station::started(cluster(), "rescan=1\nsettle=2");
    let sshd = Sshd::start();
    let request = long_request(&station, "broken");
    let whole = fs::metadata(&request).expect("stat").len();
    let target = station.at("triggers/broken.subscription_series.tgr");
    let mut scp = sshd.scp(&request, &target, SLOW).spawn().expect("run scp");
    await_part(&station, &target, whole);
    assert!(sshd.cut() > 0);
    assert!(!scp.wait().expect("wait for scp").success());
    let answer = station.await_file("broken.subscription_series.sqldone");
    assert!(answer.starts_with("failure "), "{answer}");
    assert!(!station.has("site_logs/broken.new"));
    assert!(sshd.scp(&request, &target, 1_000_000).status().expect("run scp").success());
    let path = station.at("triggers/broken.subscription_series.sqldone");
    let good = || fs::read_to_string(&path).ok().filter(|text| text.starts_with("cut "));
    let answer = station.wait_for("the answer to the second", good);
    assert!(answer.ends_with("\narrivals.a\narrivals.b\n"), "{answer}");
}

#[test]
fn a_request_that_is_replaced_while_it_is_read_is_one_of_them() {
    let station = Station::started(cluster(), "rescan=1\nsettle=1");
    let path = station.at("triggers/so.subscription_series.tgr");
    let text = |id: &str, series: &str| format!("node so\nrequest {id}\n{series} subscribe\nend\n");
    let versions =
        [text("one", "arrivals.a"), text("two", "arrivals.b"), "node so\nrubbish\nend\n".to_owned()];
    let part = station.at("triggers/.so.part");
    let consistent = |said: &str| {
        let has = |word: &str| said.lines().any(|line| line == word);
        has("request one") == has("arrivals.a subscribe") && has("request two") == has("arrivals.b subscribe")
    };
    let mut seen = 0;
    for (round, text) in versions.iter().cycle().take(10_000).enumerate() {
        if round % 2 == 0 {
            fs::write(&part, text).expect("write");
            fs::rename(&part, &path).expect("rename");
        } else {
            // In place: it is emptied, and there is a half of it for a moment. Nothing else could be told from the outside.
            fs::write(&path, text).expect("write");
        }
        if let Ok(accepted) = fs::read_to_string(station.at("triggers/so.subscription_series.cfg")) {
            assert!(consistent(&accepted), "{accepted}");
            seen += 1;
        }
    }
    assert!(seen > 0, "nothing was ever taken of it");
    station.drop_file("so.subscription_series.tgr", &text("last", "arrivals.c"));
    let last = || {
        let answer = fs::read_to_string(station.at("triggers/so.subscription_series.sqldone")).ok()?;
        answer.contains("request last\n").then_some(answer)
    };
    let answer = station.wait_for("the answer to the last", last);
    assert!(answer.starts_with("cut ") && answer.ends_with("\narrivals.c\n"), "{answer}");
    assert!(!station.said().contains("panicked"), "{}", station.said());
}
