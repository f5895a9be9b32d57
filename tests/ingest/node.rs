//! A database that knows which node it is.

use rustix::process::Signal;

use crate::desk::{Desk, server};

#[test]
fn a_database_of_another_node_is_left_alone_and_nothing_is_acknowledged() {
    let desk = Desk::new("");
    desk.own("insert into _jsoc.site_node (node) values ('kis')");
    desk.publish([8]);
    let message = "was subscribed as the node kis, and `node` is nso: nothing is applied";
    desk.run().expect_says(4, message);
    desk.run_with(&["--dry-run"]).expect_says(4, message);
    // Without any log too: what is acknowledged may be removed.
    assert_eq!(desk.names("site_logs/nso"), "8");
    assert_eq!((desk.state().as_str(), desk.names("triggers").as_str()), ("at 7", ""));
    let service = desk.follow();
    service.wait_for(message);
    // The way that the message tells to who has renamed the node.
    let told = service.said();
    let (_, told) = told.split_once("tell the database: ").unwrap();
    let (statement, _) = told.split_once(';').unwrap();
    assert_eq!(statement, "update \"_jsoc\".site_node set node = 'nso'");
    desk.own(statement);
    service.wait_for("it was mended");
    desk.wait_for_state(&service, &Desk::all_up_to(8));
    service.stop(Signal::TERM);
    assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), "8\n");
}

#[test]
fn a_database_that_does_not_know_its_node_is_followed_as_before() {
    let desk = Desk::new("");
    desk.publish([8]);
    desk.catches_up();
    desk.own("drop table _jsoc.site_node");
    desk.publish([9]);
    desk.catches_up();
    // Somebody else's table.
    let sql = "create table _jsoc.site_node (node text, noted timestamptz); insert into _jsoc.site_node values ('kis')";
    server().execute(desk.database(), sql);
    desk.publish([10]);
    desk.catches_up();
    assert_eq!(desk.state(), Desk::all_up_to(10));
}
