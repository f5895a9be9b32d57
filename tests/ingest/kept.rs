//! Logs that stay at the site after they were applied.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::desk::{Desk, log};
use crate::support::station::log_name;

fn age(desk: &Desk, name: &str, days: u32) {
    let file = File::options().write(true).open(desk.at(&format!("logs/jsoc/{name}"))).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(86_400) * days).unwrap();
}

#[test]
fn kept_logs_are_bundled_and_go_when_they_are_old() {
    let desk = Desk::new("keep_logs=10\nbundle_after=3\n");
    desk.publish(6..=9);
    desk.bundle(6, 9);
    desk.publish([10]);
    desk.catches_up();
    assert_eq!(
        desk.names("logs/jsoc"),
        "8 9 10 slony_counter.txt",
        "as they came: two from a bundle, one single"
    );
    for counter in 8..=10 {
        assert_eq!(desk.read(&format!("logs/jsoc/{}", log_name(counter))), log(counter));
    }
    desk.publish([11]);
    desk.catches_up();
    assert_eq!(desk.names("logs/jsoc"), "11 slony_counter.txt 8-10");
    // A kill came before its singles went.
    std::fs::write(desk.at(&format!("logs/jsoc/{}", log_name(9))), log(9)).unwrap();
    desk.catches_up();
    assert_eq!(desk.names("logs/jsoc"), "11 slony_counter.txt 8-10");
    age(&desk, "slony_logs_8-10.tar.gz", 11);
    age(&desk, &log_name(11), 9);
    desk.publish([12]);
    desk.catches_up();
    assert_eq!(desk.names("logs/jsoc"), "11 12 slony_counter.txt");
    desk.configure("");
    desk.publish([13]);
    desk.catches_up();
    assert_eq!(desk.names("logs/jsoc"), "11 12 slony_counter.txt", "what is there is nobody's to remove");
    assert_eq!(desk.state(), Desk::all_up_to(13));
}
