//! Requests that go well.

use crate::client::Client;
use crate::support::Station;
use crate::{change, cluster};

#[test]
fn a_new_site_and_what_it_asks_later() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let run = client.subscribed("# all\nflow.a subscribe\nflow.b\n", &[]);
    assert!(run.stderr.contains("subscribed to flow.a, flow.b"), "{}", run.stderr);
    assert_eq!(client.triggers(), [""; 0]);
    assert_eq!(station.read("etc/nso.lst"), "flow.a\nflow.b\n");
    change("flow.a");
    client.site.assert_equal(&station, &["flow.a", "flow.b"]);

    client.subscribed("flow.c subscribe 0 21\nflow.b unsubscribe\n", &["--drop"]);
    change("flow.c");
    client.site.assert_equal(&station, &["flow.a", "flow.c"]);
    assert_eq!(client.tables(), "flow.a flow.c");
    assert_eq!(station.read("etc/nso.lst"), "flow.a\nflow.c\n");
}

#[test]
fn a_series_whose_structure_holds_backslashes() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    client.subscribed("flow.slashed subscribe\n", &[]);
    let told = "select column_default, obj_description('flow.slashed'::regclass), col_description('flow.slashed'::regclass, \
                2) from information_schema.columns where table_schema || '.' || table_name = 'flow.slashed' and \
                column_name = 'p'";
    assert_eq!(client.site.query(told), r"'\'::text|ends in \|\'; drop table flow.a; --");
    cluster().origin("insert into flow.slashed values (2, 'y')");
    client.site.assert_equal(&station, &["flow.slashed"]);
}
