//! SIGKILL at every call that changes anything: whatever was going on, the next run makes it whole, and nothing is there
//! twice.

use std::process::Command;

use crate::desk::{Desk, TOOL, run};
use crate::support::programs;

fn prepared() -> Desk {
    let desk = Desk::new("keep_logs=30\nbundle_after=2\n");
    desk.publish(6..=14);
    desk.bundle(6, 9);
    desk
}

#[test]
fn killed_at_any_step_nothing_is_missing_and_nothing_is_there_twice() {
    let strace = programs::find("strace");
    let undisturbed = prepared();
    undisturbed.catches_up();
    assert_eq!(undisturbed.state(), Desk::all_up_to(14));
    let mut kills = 0;
    // `sendto` speaks to the database: also between a commit and its answer.
    for (call, every) in
        [("fsync", 1), ("rename", 1), ("unlink", 1), ("openat", 7), ("sendto", 5), ("write", 5)]
    {
        for step in (1..).step_by(every) {
            let desk = prepared();
            let inject = format!("inject={call}:signal=SIGKILL:when={step}");
            let mut command = Command::new(&strace);
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            let killed = run(command.arg(TOOL).arg(desk.at("site.cfg")));
            let said = desk.read("site_logs/nso/slony_counter.txt");
            let place: u64 = desk.query("select at_counter from _jsoc.sl_archive_tracking").parse().unwrap();
            let told: u64 = said.trim().parse().unwrap_or_default();
            assert!(told <= place, "{call} {step}: {told} was acknowledged at {place}");
            for round in 0..2 {
                desk.catches_up();
                assert_eq!(desk.state(), Desk::all_up_to(14), "{call} {step}, round {round}");
                assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "14\n", "{call} {step}");
                assert!(
                    desk.names("logs/jsoc/.nso").is_empty(),
                    "{call} {step}: {}",
                    desk.names("logs/jsoc/.nso")
                );
            }
            if killed.status.success() {
                break;
            }
            assert!(killed.was_killed(), "{call} {step}: {killed:#?}");
            kills += 1;
        }
    }
    assert!(kills >= 40, "it was killed only {kills} times: this test shows nothing");
}
