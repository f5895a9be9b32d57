//! Which series a node may have.

use crate::support::Site;
use crate::{change_rules, cluster, me, rule, station};

#[test]
fn series_that_a_node_may_not_have_are_refused_and_all_named() {
    let station = station(&rule("nso", &me(), "hmi.*"), "");
    station.start();
    let site = Site::new(cluster(), "nso");
    let before = station.tree();
    site.ask(&station, "aia.e subscribe\nhmi.m subscribe\naia.f subscribe");
    let refused = site.await_sql(&station);
    assert_eq!(refused, "failure the operator of the data centre has not allowed nso to have aia.e, aia.f\n");
    station.wait_for("the end of the request", || (!station.has("etc/nso.new.cut")).then_some(()));
    let mut after = station.tree();
    after.retain(|name, _| !name.starts_with("triggers/"));
    assert!(after.iter().all(|(name, text)| before.get(name) == Some(text)), "{after:#?}");
    std::fs::remove_file(station.at("triggers/nso.subscription_series.sqldone")).expect("remove the answer");
    site.subscribe(&station, "hmi.m subscribe");
    site.assert_equal(&station, &["hmi.m"]);
}

#[test]
fn what_was_subscribed_before_goes_on_and_is_told() {
    let station = station(&rule("nso", &me(), "*.*"), "");
    station.start();
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "hmi.n subscribe\naia.e subscribe");
    assert!(!station.said().contains("does not allow it"));
    change_rules(&station, &rule("nso", &me(), "aia.*"));
    let told = |series: &str| {
        let said = station.said();
        let of_series = |line: &&str| line.contains("does not allow it") && line.contains(series);
        said.lines().filter(of_series).count()
    };
    station.wait_for("a warning", || (told("hmi.n") == 1).then_some(()));
    assert_eq!(told("aia.e"), 0);
    cluster().origin("insert into hmi.n values (-1, 'still comes'); insert into aia.e values (-1, 'too');");
    site.assert_equal(&station, &["hmi.n", "aia.e"]);
    // To take it away is always allowed.
    station.stop();
    station.start();
    station.wait_for("the same at the start", || (told("hmi.n") == 2).then_some(()));
    site.ask(&station, "hmi.n unsubscribe");
    site.await_sql(&station);
    site.apply_sql(&station);
    assert_eq!(site.answer(&station, true), "success true\naia.e\n");
}
