//! Splitting what has been bundled meanwhile.

use std::fs;
use std::process::Command;

use crate::place::Place;
use crate::support::programs;
use crate::support::station::{MANAGER, log_name};
use crate::text::log;

#[test]
fn a_bundle_is_unpacked_once_for_all_that_is_split_of_it() {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.y"])], "");
    place.archives(1..=2);
    place.split(2);
    place.run(&["pause", "nso"]);
    place.archives(3..=40);
    place.split(40);
    // Another program has bundled them: we leave alone what a stopped node needs.
    let names: Vec<String> = (3..=39).map(log_name).collect();
    let mut tar = Command::new("tar");
    tar.args(["-czf", "slony_logs_3-39.tar.gz", "--remove-files"])
        .args(&names)
        .current_dir(place.at("archives"));
    assert!(tar.status().unwrap().success());
    assert!(!place.at("archives").join(&names[0]).exists());
    place.run(&["resume", "nso"]);
    // So slow a disk that the hold is left several times.
    let trace = place.at("trace");
    let output = Command::new(programs::find("strace"))
        .args(["-f", "-qq", "-e", "trace=openat"])
        .args(["-e", "inject=openat:delay_exit=10000", "-o"])
        .arg(&trace)
        .args([MANAGER, "--config"])
        .arg(place.at("manager.cfg"))
        .args(["split", "--until", "40"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    place.assert_logs("nso", &(1..=40).map(|counter| (counter, log(counter, &["a.x"]))).collect::<Vec<_>>());
    let calls = fs::read_to_string(trace).unwrap();
    let count = |call: &str, name: &str| {
        calls.lines().filter(|line| line.contains(call) && line.contains(name)).count()
    };
    let (holds, opened) = (count("openat", "/hold.lock\""), count("openat", ".tar.gz\""));
    assert!(holds > 2, "{holds}");
    assert_eq!(opened, 1, "over {holds} holds");
    assert_eq!(place.hidden(), Vec::<String>::new());
}
