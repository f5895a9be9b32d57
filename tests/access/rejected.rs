//! `rejected/` has its limit, whatever is dropped.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use crate::support::Station;
use crate::{cluster, set_aside};

/// How many entries it keeps.
const KEPT: usize = 1_000;

fn entries(station: &Station<'_>) -> usize {
    fs::read_dir(station.at("triggers/rejected")).map(Iterator::count).unwrap_or_default()
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    let station = Station::new(cluster(), "rescan=1");
    let rejected = station.at("triggers/rejected");
    fs::create_dir(&rejected).expect("mkdir");
    // A directory with something in it, as anybody may drop one, is one entry.
    fs::create_dir_all(rejected.join("0000/in/it")).expect("mkdir");
    for number in 1..=KEPT + 20 {
        fs::write(rejected.join(format!("{number:04}")), "").expect("write");
    }
    station.start();
    station.wait_for("the limit", || (entries(&station) == KEPT).then_some(()));
    // The one that comes is kept, with its reason; two others go for it.
    station.drop_file("a b.subscription_series.tgr", "");
    let name = "triggers/rejected/a b.subscription_series.tgr";
    station.wait_for("the limit again", || {
        (station.has(&format!("{name}.reason")) && entries(&station) == KEPT).then_some(())
    });
    assert!(station.has(name));
    assert!(station.said().contains("the oldest of what lay in `rejected` is removed"));
}

#[test]
fn hostile_names_are_kept_as_they_are() {
    let station = Station::started(cluster(), "rescan=1");
    let ending = b".subscription_series.tgr";
    let long = [vec![b'n'; 255 - ending.len()], ending.to_vec()].concat();
    let control = [b"a\x1b[2J\n\x07".as_slice(), ending].concat();
    let latin = [b"\xe9\xff".as_slice(), ending].concat();
    for name in [long, control, latin] {
        let name = OsString::from_vec(name);
        let (at, aside) = (station.at("triggers").join(&name), station.at("triggers/rejected").join(&name));
        // The same again and again takes the place of itself.
        for text in ["one", "two", "three"] {
            fs::write(&at, text).expect("write");
            station.wait_for("the file", || (fs::read_to_string(&aside).ok()? == text).then_some(()));
        }
    }
    // Three files, each with one reason.
    station.wait_for("the reasons", || (entries(&station) == 6).then_some(()));
    assert!(!station.said().contains('\u{1b}') && !station.said().contains('\u{7}'));
    station.drop_file(" .subscription_series.tgr", "");
    set_aside(&station, " .subscription_series.tgr");
}
