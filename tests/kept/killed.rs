//! Killed at one step after the other, and run again.

use crate::ddl;
use crate::place::Place;
use crate::resplit::{assert_right, damaged};
use crate::support::station::log_name;

/// Calls that change what lies on disk, or wait for it.
const CALLS: [&str; 6] = ["rename", "unlink", "fsync", "syncfs", "fchmod", "mkdir"];

/// Kills a command at every step of a place, runs it again, and lets it be judged. Returns how often it was killed.
fn at_every_step(make: impl Fn() -> Place, args: &[&str], judge: impl Fn(&Place)) -> u32 {
    let mut kills = 0;
    for call in CALLS {
        for step in 1.. {
            let place = make();
            let was_killed = place.killed(args, call, step);
            // Whatever has a visible name is whole.
            for (name, there) in place.tree() {
                let is_log = name.starts_with("site_logs/") && name.contains("/slony1_log_");
                let is_whole = there.text.ends_with(b"\n-- EOL\n");
                assert!(!is_log || is_whole, "{call} {step}: {name}");
            }
            place.run(args);
            // What the killed one has left goes with a tidying when it is old.
            place.age_hidden();
            place.run(&["tidy"]);
            judge(&place);
            assert_eq!(place.hidden(), Vec::<String>::new(), "{call} {step}");
            if !was_killed {
                break;
            }
            kills += 1;
        }
    }
    kills
}

#[test]
fn a_resplit_that_was_killed_is_run_again() {
    let args = ["resplit", "nso", "--from", "1", "--to", "12"];
    let kills = at_every_step(damaged, &args, |place| {
        assert_right(place);
        let singles: Vec<_> =
            (1..=12).filter(|at| place.at(&format!("site_logs/nso/{}", log_name(*at))).exists()).collect();
        assert_eq!(singles, [10, 11, 12], "the bundles were mended");
    });
    assert!(kills >= 10, "it was killed only {kills} times: this test shows nothing");
}

#[test]
fn what_a_kill_left_goes_with_a_tidying_and_what_somebody_writes_stays() {
    let place = damaged();
    for directory in ["etc", "work", "site_logs/nso"] {
        place.write(&format!("{directory}/.tmp-x"), "half");
    }
    std::fs::create_dir(place.at("work/.tmp-unpacked")).unwrap();
    place.write("work/.tmp-unpacked/log", "half");
    place.age_hidden();
    // Others write here without the hold.
    let at_work = ["etc/.tmp-y", "work/.tmp-y"];
    for path in at_work {
        place.write(path, "half");
    }
    place.run(&["tidy"]);
    let mut left = place.hidden();
    left.sort();
    assert_eq!(left, at_work.map(|path| place.at(path).display().to_string()));
}

#[test]
fn a_node_that_catches_up_and_is_killed_goes_on_where_it_was() {
    let args = ["split", "--until", "14"];
    let kills = at_every_step(ddl::decided, &args, |place| {
        ddl::assert_caught_up(place);
        assert_eq!(place.counter(), 14);
    });
    assert!(kills >= 10, "it was killed only {kills} times: this test shows nothing");
}
