//! A disk that is full at the site.

use std::process::Command;

use crate::desk::{Desk, TOOL, log_of, run};
use crate::support::station::log_name;

/// Runs the tool where no file may have more kilobytes, and no signal says so: writing fails as on a full disk.
fn cramped(desk: &Desk, kilobytes: u32) -> crate::desk::Run {
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kilobytes * 2);
    run(Command::new("sh").args(["-c", &script, "sh", TOOL]).arg(desk.at("site.cfg")))
}

#[test]
fn it_says_so_and_goes_on_when_there_is_room() {
    let desk = Desk::new("");
    desk.publish([8]);
    let note = "x".repeat(200_000);
    desk.write(&log_name(9), log_of(9, &format!("1\t17\t1\t1\taia\tl\tI\t0\t{{id,9,note,{note}}}\n")));
    desk.publish([10]);
    let full = cramped(&desk, 100);
    full.expect_says(1, "File too large");
    full.expect_says(1, "write");
    assert_eq!(desk.names("logs/jsoc"), "slony_counter.txt", "what was begun does not fill the disk");
    assert_eq!(desk.state(), Desk::all_up_to(8));
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(10));
    // The same in a bundle: first the log that comes out of it does not fit, then the bundle itself.
    desk.write(&log_name(11), log_of(11, &format!("1\t17\t1\t1\taia\tl\tI\t0\t{{id,11,note,{note}}}\n")));
    desk.bundle(11, 11);
    for kilobytes in [100, 0] {
        let full = cramped(&desk, kilobytes);
        full.expect(1);
        assert!(full.said.contains("File too large"), "{full:#?}");
        assert_eq!(desk.state(), Desk::all_up_to(10));
    }
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(11));
}
