//! Series that a site leaves, and what `status` says of it.

use crate::client::Client;
use crate::support::Station;
use crate::{change, cluster};

#[test]
fn tables_are_kept_or_dropped_as_the_site_says() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    assert!(client.status().contains("series      none\n"), "{}", client.status());
    client.subscribed("leave.a subscribe\nleave.b subscribe\nleave.c subscribe\n", &[]);
    change("leave.a");
    let newest = station.caught_up();
    let status = client.status();
    assert!(status.contains("series      leave.a\n            leave.b\n            leave.c\n"), "{status}");
    // Slony-I goes on writing archives: it was the newest at some time between.
    let told = |begin: &str, end: &str| -> u64 {
        let number = status.split_once(begin).and_then(|(_, rest)| rest.split_once(end)?.0.parse().ok());
        number.unwrap_or_else(|| panic!("no number behind `{begin}`: {status}"))
    };
    let shown = told("the newest log is ", ":");
    assert!((newest..=station.caught_up()).contains(&shown), "{status}");
    let behind = told(&format!("the newest log is {shown}: "), " log");
    assert_eq!(behind, shown - client.site.counter(), "{status}");
    assert!(status.contains("request     none is open\n"), "{status}");
    assert!(status.contains("ingestion   nobody is at it\n"), "{status}");

    // Nobody is asked without a terminal: the tables stay.
    let run = client.subscribed("leave.a unsubscribe\n", &[]);
    assert!(run.stderr.contains("drop table \"leave\".\"a\";"), "{}", run.stderr);
    assert_eq!(client.tables(), "leave.a leave.b leave.c");
    assert!(client.site.counter() >= newest, "what was published is applied first");
    let status = client.status();
    assert!(status.contains("unsubscribed, tables kept: leave.a\n"), "{status}");

    // It cannot come back over its old table.
    client.subscribe("leave.a subscribe", &[]).is(4, "leave.a is in this database already", &client);
    client.subscribe("leave.b subscribe", &[]).is(4, "leave.b is subscribed already", &client);
    client.site.execute("drop table leave.a");
    client.subscribed("leave.a subscribe", &["--drop"]);

    // A view of the site's own keeps its table.
    client.site.execute("create view leave.own as select * from leave.b");
    let run = client.subscribe("leave.b unsubscribe\nleave.c unsubscribe\n", &["--drop"]);
    run.is(4, "leave.b stays", &client);
    client.is_at_rest();
    assert_eq!(client.tables(), "leave.a leave.b");
    change("leave.a");
    client.site.assert_equal(&station, &["leave.a"]);
    assert_eq!(station.read("etc/nso.lst"), "leave.a\n");
}

#[test]
fn what_came_back_after_an_operator_took_it_out_is_listed_once() {
    let station = Station::started(cluster(), "rescan=1");
    let client = Client::new(&station, "nso", "");
    client.subscribed("leave.a subscribe\n", &[]);
    let taken_out = station.command(&["subscribe", "nso", "leave.a", "--from-operator", "--unsubscribe"]);
    assert!(taken_out.status.success(), "{taken_out:?}");
    client.site.await_sql(&station);
    client.site.answer(&station, true);
    client.site.execute("drop table leave.a");
    client.subscribed("leave.a subscribe\n", &[]);
    let status = client.status();
    assert_eq!(status.matches("leave.a").count(), 1, "{status}");
    let run = client.subscribed("leave.a unsubscribe\n", &["--drop"]);
    run.is(0, "done; subscribed to nothing", &client);
}

#[test]
fn what_is_not_there_can_be_left() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    client.subscribed("leave.a subscribe\nleave.b subscribe\n", &[]);
    client.site.execute("drop table leave.b");
    // The data centre holds it for subscribed and would send no rows.
    client.subscribe("leave.b subscribe", &[]).is(4, "unsubscribe it, then subscribe it anew", &client);
    client.is_at_rest();
    let run = client.subscribed("leave.b unsubscribe", &["--keep"]);
    assert!(run.stderr.contains("leave.b is not in this database"), "{}", run.stderr);
    client.subscribed("leave.b subscribe", &[]);
    change("leave.b");
    client.site.assert_equal(&station, &["leave.a", "leave.b"]);
    client.subscribe("leave.c unsubscribe", &[]).is(4, "not subscribed to leave.c", &client);
}
