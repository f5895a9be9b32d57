//! When a dropped file is whole, and what is overlooked in it.

use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::cluster;
use crate::support::{Site, Station, wait};

#[test]
fn pieces_without_an_end_are_not_taken_before_it_is_quiet() {
    let settle = Duration::from_secs(2);
    let station = Station::started(cluster(), "settle=2");
    let path = station.at("triggers/nso.subscription_series.tgr");
    let cfg = station.at("triggers/nso.subscription_series.cfg");
    let mut file = File::create(&path).expect("create a trigger");
    let mut written = Instant::now();
    for piece in ["node nso\naia.lev1 subsc", "ribe\n", "hmi.m_4", "5s subscribe\n"] {
        file.write_all(piece.as_bytes()).expect("write a piece");
        written = Instant::now();
        // Shorter than `settle`, and long enough that all pieces together take longer.
        let taken = wait::within(Duration::from_millis(700), || cfg.exists().then_some(()));
        assert!(taken.is_none(), "it was taken after {piece:?}");
    }
    let cfg = station.await_file("nso.subscription_series.cfg");
    assert!(written.elapsed() >= settle, "after {:?}", written.elapsed());
    assert!(cfg.starts_with("node nso\naia.lev1 subscribe\nhmi.m_45s subscribe\n"), "{cfg}");
    let sqldone = station.await_file("nso.subscription_series.sqldone");
    assert!(sqldone.ends_with("\naia.lev1\nhmi.m_45s\n"), "{sqldone}");
}

#[test]
fn a_line_end_or_a_rename_makes_it_whole_at_once() {
    // Nobody could wait for this quiet.
    let station = Station::started(cluster(), "settle=100000");
    fs::write(station.at("triggers/nso.subscription_series.tgr"), "node nso\naia.lev1 subscribe\nend\n")
        .expect("write a trigger");
    assert!(station.await_file("nso.subscription_series.sqldone").starts_with("cut "));
    station.drop_file("mps.subscription_series.tgr", "node mps\naia.lev1 subscribe\n");
    assert!(station.await_file("mps.subscription_series.sqldone").starts_with("cut "));
}

#[test]
fn line_ends_and_byte_order_marks_of_other_systems_are_accepted() {
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    station.drop_file(
        "nso.subscription_series.tgr",
        "\u{feff}# from another system\r\nnode nso\r\n\r\n  AIA.Lev1\tsubscribe\r\nend\r\n",
    );
    assert!(site.await_sql(&station).ends_with("\naia.lev1\n"));
    site.apply_sql(&station);
    assert_eq!(site.answer_with(&station, "success true\r\n"), "success true\naia.lev1\n");
    site.assert_equal(&station, &["aia.lev1"]);
}
