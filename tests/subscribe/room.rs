//! Failures at the site that pass: the request stays open, and the next run goes on.

use std::fs;
use std::process::Command;

use crate::client::{Client, Run, SUBSCRIBE};
use crate::cluster;
use crate::hand::{Hand, SQL};
use crate::support::Station;

#[test]
fn a_disk_that_is_full_is_no_end_of_a_request() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "accept none\nattempts 1");
    let mut hand = Hand::asked(&client, "subscription_series", "hand.a subscribe", &[]);
    let name = hand.accept();
    hand.end().is(1, "the request stays open", &client);
    let line = hand.sql("subscribe_series.sql", format!("{SQL}-- {}\n", "x".repeat(300_000)).as_bytes());
    hand.put("sqldone", &format!("cut 7\n{name}{line}hand.a\n"));
    // No file may become larger than 100 KiB, and to try it is an error instead of a signal.
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", SUBSCRIBE]).arg(client.at("site.cfg"));
    let run = Run::of(command.output().expect("run sh"));
    run.is(1, "nso.subscribe_series.sql.part`", &client);
    assert!(!client.die_file().exists());
    assert!(fs::metadata(client.work("sql/nso.subscribe_series.sql.part")).unwrap().len() > 0);
    client.configure("");
    let mut hand = hand.again(&[]);
    hand.done(&format!("success true\n{name}hand.a\n"));
    hand.end().is(0, "subscribed to hand.a", &client);
    client.is_at_rest();
}

#[test]
fn a_database_that_is_in_trouble_is_no_end_of_a_request() {
    let station = Station::new(cluster(), "");
    for trouble in [
        "raise exception using errcode = 'disk_full', message = 'no room'",
        "raise exception using errcode = 'deadlock_detected', message = 'not now'",
        "perform pg_terminate_backend(pg_backend_pid())",
    ] {
        let client = Client::new(&station, "nso", "");
        let mut hand = Hand::asked(&client, "subscription_series", "hand.a subscribe", &[]);
        let name = hand.accept();
        let check = format!(
            "do $$ begin if to_regclass('public.room') is null then {trouble}; end if; end $$;\ncommit;"
        );
        let sql = SQL.replace("commit;", &check);
        let line = hand.sql("subscribe_series.sql", sql.as_bytes());
        hand.put("sqldone", &format!("cut 7\n{name}{line}hand.a\n"));
        hand.end().is(1, "run `do $$ begin", &client);
        assert_eq!(client.tables(), "", "{trouble}");
        assert!(!hand.path("sqlapplied").exists(), "{trouble}");
        cluster().server().execute(client.site.database(), "create table public.room (i int)");
        let mut hand = hand.again(&["-r"]);
        hand.done(&format!("success true\n{name}hand.a\n"));
        hand.end().is(0, "subscribed to hand.a", &client);
        client.is_at_rest();
        assert_eq!(client.site.query("select count(*) from hand.a"), "2");
    }
}
