//! The server behind a real sshd: lines that break, a host that is away, directories that are not the site's to write.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::desk::{Desk, LIMIT, log_of};
use crate::support::sshd::Sshd;
use crate::support::station::log_name;
use crate::support::wait;

fn settings(sshd: &Sshd, further: &str) -> String {
    format!("webdb_ip={}\nwebdb_port={}\nssh_cmd={}\n{further}", sshd.host(), sshd.port(), sshd.ssh_cmd())
}

/// A log that takes a while to fetch.
fn large(counter: u64) -> String {
    let note = "some text of a note, ".repeat(100);
    let row = |at: u64| format!("1\t17\t1\t{at}\taia\tl\tI\t0\t{{id,{counter},note,\"{at} {note}\"}}\n");
    log_of(counter, &(0..5000).map(row).collect::<String>())
}

#[test]
fn a_line_that_breaks_again_and_again_costs_nothing() {
    let sshd = Sshd::start();
    let desk = Desk::new(&settings(&sshd, ""));
    desk.publish(8..=600);
    desk.bundle(8, 300);
    desk.write(&log_name(601), large(601));
    desk.write(&log_name(602), large(602));
    desk.bundle(602, 602);
    let (over, cuts) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            // As soon as there is a line, some of it is let through, and it is cut. Not often: the pauses of the client grow.
            for _ in 0..4 {
                let cut =
                    wait::within(LIMIT, || (sshd.cut() > 0 || over.load(Ordering::Relaxed)).then_some(()));
                if cut.is_none() || over.load(Ordering::Relaxed) {
                    break;
                }
                cuts.store(true, Ordering::Relaxed);
                let _ =
                    wait::within(Duration::from_millis(400), || over.load(Ordering::Relaxed).then_some(()));
            }
        });
        let run = desk.run();
        over.store(true, Ordering::Relaxed);
        run.expect(0);
    });
    assert!(cuts.load(Ordering::Relaxed), "the line was never cut: this test shows nothing");
    let ids = "select string_agg(distinct id::text, ' ') = (select string_agg(g::text, ' ') from (select g from \
               generate_series(8, 602) g order by g::text) x), count(*) from aia.l";
    assert_eq!(desk.query(ids), "t|10593", "593 logs of one row, two of 5000");
    assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "602\n");
    let again = desk.catches_up();
    assert_eq!(again.said, "");
}

#[test]
fn a_host_that_is_away_is_waited_for_by_the_service_and_not_by_cron() {
    let sshd = Sshd::start();
    let desk = Desk::new(&settings(&sshd, "line_patience=1\n"));
    desk.publish([8]);
    let service = desk.follow();
    desk.wait_for_state(&service, &Desk::all_up_to(8));
    sshd.stop();
    service.wait_for("it is tried again until it works");
    desk.publish([9]);
    let other = Desk::new(&settings(&sshd, "line_patience=1\n"));
    other.run().expect(1);
    sshd.start_again();
    desk.wait_for_state(&service, &Desk::all_up_to(9));
    service.wait_for("it works again");
    service.stop(Signal::TERM);
}

#[test]
fn a_node_that_was_removed_is_told_from_a_mount_that_is_away() {
    let sshd = Sshd::start();
    let desk = Desk::new(&settings(&sshd, ""));
    let message = "the data centre has no directory of the node nso";
    fs::rename(desk.at("site_logs"), desk.at("away")).unwrap();
    desk.run().expect_says(1, "no such file or directory");
    let service = desk.follow();
    service.wait_for("it is tried again until it works");
    assert_eq!(service.count(message), 0, "{}", service.said());
    fs::rename(desk.at("away"), desk.at("site_logs")).unwrap();
    service.wait_for("it works again");
    fs::remove_dir_all(desk.at("site_logs/nso")).unwrap();
    service.wait_for(message);
    desk.run_with(&["--dry-run"]).expect_says(4, message);
    fs::create_dir(desk.at("site_logs/nso")).unwrap();
    desk.publish([8]);
    desk.wait_for_state(&service, &Desk::all_up_to(8));
    service.stop(Signal::TERM);
}

#[test]
fn a_node_that_was_removed_is_told_from_where_nothing_but_its_own_may_be_listed() {
    let sshd = Sshd::for_nobody();
    let desk = Desk::new(&settings(&sshd, ""));
    let set =
        |path: &str, mode| fs::set_permissions(desk.at(path), fs::Permissions::from_mode(mode)).unwrap();
    set("", 0o755);
    set("site_logs", 0o711);
    fs::remove_dir(desk.at("site_logs/nso")).unwrap();
    desk.run().expect_says(4, "the data centre has no directory of the node nso");
}

#[test]
fn a_site_without_rights_at_the_server_acknowledges_in_the_drop_directory() {
    let sshd = Sshd::for_nobody();
    let desk = Desk::new(&settings(&sshd, ""));
    desk.publish(8..=10);
    let set =
        |path: &str, mode| fs::set_permissions(desk.at(path), fs::Permissions::from_mode(mode)).unwrap();
    set("", 0o755);
    set("triggers", 0o777);
    set("site_logs/nso", 0o555);
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(10));
    assert_eq!(desk.read("triggers/nso.counter"), "10\n");
    assert!(!desk.at("site_logs/nso/slony_counter.txt").exists());
    assert_eq!(desk.catches_up().said, "");
    // The site's account needs to read there, nothing else.
    set("triggers", 0o555);
    set("site_logs/nso", 0o755);
    desk.publish([11]);
    set("site_logs/nso", 0o555);
    let run = desk.catches_up();
    assert!(run.said.contains("the server is not told how far the site is"), "{run:#?}");
    assert_eq!(desk.state(), Desk::all_up_to(11));
}
