//! One run, as cron starts it.

use std::fs;
use std::thread;

use crate::desk::{Desk, run, tree};
use crate::support::station::log_name;

#[test]
fn everything_is_applied_in_order_and_told_in_one_line() {
    let desk = Desk::new("");
    desk.publish(5..=12);
    desk.bundle(5, 9);
    let run = desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(12));
    assert_eq!(run.said.lines().count(), 1, "{run:?}");
    run.expect_says(0, "applied site logs logs=5 rows=5");
    assert_eq!(desk.names("logs/jsoc"), "slony_counter.txt", "nothing else stays");
    assert_eq!(desk.read("logs/jsoc/slony_counter.txt"), "12\n");
    for _ in 0..2 {
        let run = desk.catches_up();
        assert_eq!((run.said.as_str(), run.printed.as_str()), ("", ""), "cron mails every word");
    }
    desk.publish([13]);
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(13));
}

#[test]
fn a_database_that_does_not_answer_is_asked_again_by_the_next_run() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let desk = Desk::new("");
    desk.publish([8]);
    desk.configure(&format!("pg_host=127.0.0.1\npg_port={}\n", silent.local_addr().unwrap().port()));
    // Nothing that a person would have to mend.
    desk.run().expect_says(1, "nobody answers");
    desk.configure("");
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(8));
}

#[test]
fn a_thousand_logs_and_overlapping_bundles() {
    let desk = Desk::new("");
    desk.publish(1..=1000);
    desk.bundle(1, 300);
    desk.publish(290..=310);
    desk.bundle(290, 310);
    desk.publish(311..=320);
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(1000));
    assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "1000\n");
}

#[test]
fn what_would_be_done_is_only_said() {
    let desk = Desk::new("");
    desk.publish(6..=14);
    desk.bundle(6, 9);
    fs::remove_file(desk.at(&format!("site_logs/nso/{}", log_name(13)))).unwrap();
    let before = tree(desk.root.path());
    let run = desk.run_with(&["--dry-run"]);
    run.expect(0);
    for words in [
        "nso is at log 7; the server: its newest is 14\n",
        "would apply up to 9 from slony_logs_6-9.tar.gz,",
        "would apply 10 to 12: 3 singles,",
        "log 13 is missing, though 14 is there\n",
    ] {
        assert!(run.printed.contains(words), "{run:#?}");
    }
    assert!(tree(desk.root.path()) == before, "nothing is written, here or there");
    assert_eq!(desk.state(), "at 7");
}

#[test]
fn a_gap_stops_with_what_to_do_and_what_is_mended_goes_on() {
    let desk = Desk::new("");
    desk.publish([8, 9, 11, 12]);
    let run = desk.run();
    run.expect_says(4, "log 10 is missing in");
    run.expect_says(4, "applied site logs logs=2 rows=2 drift=0 at=\"9\"");
    desk.run().expect_says(4, "though log 11 is there; ask the data centre for it, or subscribe anew");
    assert_eq!(desk.state(), Desk::all_up_to(9));
    desk.publish([10]);
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(12));
}

#[test]
fn logs_that_are_bundled_meanwhile_are_no_gap() {
    let desk = Desk::new("");
    desk.publish(8..=1200);
    thread::scope(|scope| {
        let bundling = scope.spawn(|| {
            for first in (8..1190).step_by(10) {
                desk.bundle(first, first + 9);
            }
        });
        desk.catches_up();
        bundling.join().unwrap();
    });
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(1200));
}

#[test]
fn a_database_or_a_configuration_that_cannot_be_used_is_told() {
    let desk = Desk::unsubscribed("");
    desk.publish([8]);
    desk.run().expect_says(4, "this database is not subscribed yet: run subscribe_series");
    desk.run_with(&["--dry-run"]).expect_says(4, "run subscribe_series");
    desk.configure("rmt_slony_dir=\n");
    desk.run().expect_says(2, "`rmt_slony_dir` is missing in the configuration");
    desk.configure("pg_dbname=nowhere\n");
    desk.run().expect_says(1, "\"nowhere\" does not exist");
    desk.configure("unheard=of\n");
    desk.run().expect_says(2, "`unheard` is no key");
    let desk = Desk::new("");
    fs::remove_dir(desk.at("site_logs/nso")).unwrap();
    let message = "the data centre has no directory of the node nso in `";
    desk.run().expect_says(4, message);
    desk.run_with(&["--dry-run"]).expect_says(4, "it has removed the node, or never had it");
    // A mount that is away.
    fs::remove_dir(desk.at("site_logs")).unwrap();
    desk.run().expect_says(1, "site_logs/nso");
}

#[test]
fn the_die_file_and_another_one_are_respected() {
    let desk = Desk::new("");
    desk.publish(8..=9);
    fs::write(desk.die_file(), "").unwrap();
    desk.run().expect_says(3, "get_slony_logs.nso.die` is there");
    assert_eq!(desk.state(), "at 7");
    fs::remove_file(desk.die_file()).unwrap();
    let service = desk.follow();
    desk.wait_for_state(&service, &Desk::all_up_to(9));
    desk.run().expect_says(3, "it runs already");
    run(&mut desk.command(&["--follow"])).expect_says(3, "ingest.lock` is held by process");
}

#[test]
fn logs_of_other_slony_nodes_are_not_taken_for_ours() {
    let desk = Desk::new("");
    let theirs = |counter: u64| log_name(counter).replace("_2_", "_3_");
    desk.publish([8]);
    desk.write(&theirs(9), "no log of ours");
    desk.run().expect_says(4, "Slony nodes 2 and 3 lie there");
    assert_eq!(desk.state(), "at 7");
    fs::remove_file(desk.at(&format!("site_logs/nso/{}", theirs(9)))).unwrap();
    desk.catches_up();
    assert_eq!(desk.read("work/slony_node"), "2\n");
    desk.write(&theirs(9), "no log of ours");
    desk.publish([9]);
    desk.catches_up().expect_says(0, "logs of other Slony nodes");
    assert_eq!(desk.state(), Desk::all_up_to(9));
    for counter in [8, 9] {
        fs::remove_file(desk.at(&format!("site_logs/nso/{}", log_name(counter)))).unwrap();
    }
    desk.run().expect_says(4, "this site has followed node 2");
}
