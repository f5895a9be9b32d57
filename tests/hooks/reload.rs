//! SIGHUP: another configuration is taken over, and nothing that is under way is lost.

use std::path::Path;

use crate::support::Site;
use crate::{change, cluster, hear, heard, hooked, said, send, station, words};

const TAKEN_OVER: &str = "the configuration is taken over";
const NOT_TAKEN_OVER: &str = "the configuration is not taken over, the one before goes on";

#[test]
fn a_good_one_holds_and_a_bad_one_does_not() {
    let station = station("rescan=1", &[]);
    station.start();
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "seen.c subscribe");
    assert!(heard(&station).is_empty() && !station.has("work/hooks.at") && !station.has("work/hooks.state"));

    let good = format!(
        "rescan=1\nlog_level=warn,subscription_manager::daemon=info\n{}",
        hooked(&station, &["finished"])
    );
    station.configure(&good);
    send(&station, "HUP");
    said(&station, TAKEN_OVER, 1);
    station.wait_for("the place", || station.has("work/hooks.at").then_some(()));
    assert!(station.said().contains("DEBUG"), "it logged everything before");
    let before = station.said().matches("DEBUG").count();
    site.ask(&station, "seen.d subscribe");
    site.await_sql(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    assert_eq!(words(&hear(&station, 1)), [("finished", "nso")]);
    assert_eq!(station.said().matches("DEBUG").count(), before, "{}", station.said());

    station.configure("rescan=0\nlog_level=x=y=z\nno_key=1\nhook.started='x\n");
    send(&station, "HUP");
    said(&station, NOT_TAKEN_OVER, 1);
    for fault in [
        "`rescan` must be at least 1",
        "`no_key` is no key",
        "`log_level` is not understood",
        "`hook.started` is no command",
    ] {
        assert!(station.said().contains(fault), "{fault}\n{}", station.said());
    }
    let work_dir = station.at("elsewhere");
    std::fs::create_dir(&work_dir).expect("create a directory");
    station.configure(&format!("{good}work_dir={}\ncluster=other\n", work_dir.display()));
    send(&station, "HUP");
    said(&station, "`work_dir`, `cluster` changed, which needs a restart", 1);
    station.configure(&format!("{good}access_file=/nowhere/access\n"));
    send(&station, "HUP");
    said(&station, "the access_file `/nowhere/access` is not there", 1);

    // It serves by the last good one.
    site.ask(&station, "seen.d unsubscribe");
    site.await_sql(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    assert_eq!(words(&hear(&station, 2))[1], ("finished", "nso"));
    change("seen.c");
    site.assert_equal(&station, &["seen.c"]);
    // What nobody asks for any more is forgotten.
    station.configure("rescan=1");
    send(&station, "HUP");
    station.wait_for("the place to go", || (!station.has("work/hooks.at")).then_some(()));
    station.stop();
}

#[test]
fn a_dump_goes_on_and_another_begins_by_the_new_one() {
    let station = station("rescan=1\ndump_jobs=1\ndump_rate=40000", &[]);
    station.start();
    let [one, two] = ["one", "two"].map(|node| Site::new(cluster(), node));
    let is_begun = |node: &str| station.has(&format!("site_logs/{node}.new"));
    let is_made = |node: &str| station.has(&format!("triggers/{node}.subscription_series.sqldone"));
    one.ask(&station, "big.one subscribe");
    station.wait_for("a dump", || is_begun("one").then_some(()));
    two.ask(&station, "big.two subscribe");
    station.wait_for("a request", || station.has("etc/two.new.cut").then_some(()));
    assert!(!is_begun("two"), "there is one place");
    station.configure("rescan=1\ndump_jobs=2\ndump_rate=40000000");
    send(&station, "HUP");
    said(&station, TAKEN_OVER, 1);
    station.wait_for("the other dump", || is_begun("two").then_some(()));
    assert!(!is_made("one"), "the first dump is over too soon to show anything");
    change("big.one");
    change("big.two");
    // Fewer places: nothing is waited for in vain.
    station.configure("rescan=1\ndump_jobs=1");
    send(&station, "HUP");
    said(&station, TAKEN_OVER, 2);
    for site in [&one, &two] {
        assert!(site.await_sql(&station).starts_with("cut "), "{}", station.said());
        site.apply_sql(&station);
        site.answer(&station, true);
    }
    one.assert_equal(&station, &["big.one"]);
    two.assert_equal(&station, &["big.two"]);
    two.ask(&station, "big.one subscribe");
    two.await_sql(&station);
    two.apply_sql(&station);
    two.answer(&station, true);
    two.assert_equal(&station, &["big.one", "big.two"]);
    station.stop();
}

#[test]
fn splitting_goes_on() {
    let station = station("rescan=1", &[]);
    station.start();
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "seen.b subscribe");
    for round in 1..=8 {
        change("seen.b");
        station.configure(&format!("rescan={round}"));
        send(&station, "HUP");
        change("seen.b");
        said(&station, TAKEN_OVER, round);
    }
    site.assert_equal(&station, &["seen.b"]);
    assert!(Path::new(&station.at("work/split.counter")).exists());
    station.stop();
}
