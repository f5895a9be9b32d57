//! Sites and data centres that do not agree whether the site is new.

use crate::client::Client;
use crate::support::Station;
use crate::{change, cluster};

#[test]
fn a_site_that_the_data_centre_has_forgotten_keeps_its_place() {
    for stem in ["", "stem subscribe_series"] {
        let station = Station::started(cluster(), "");
        let client = Client::new(&station, "nso", stem);
        if !stem.is_empty() {
            let admin = "create schema admin; create table admin.ns (name text, nsgroup text, dbusr text)";
            client.site.execute(admin);
        }
        client.subscribed("anew.a subscribe\n", &[]);
        let (tables, place) = (client.tables(), client.site.counter());

        // The same cluster, and a registry that has never heard of the node.
        let other = Station::started(cluster(), "");
        let before = other.tree();
        let there = format!(
            "{stem}\nwebdb_dir {}\nrmt_slony_dir={}",
            other.at("triggers").display(),
            other.at("site_logs").display()
        );
        client.configure(&there);
        let run = client.subscribe("anew.b subscribe\n", &[]);
        run.is(4, "does not know the node nso any more", &client);
        run.is(4, "anew.a would no longer be followed", &client);
        run.is(4, "delete from \"_jsoc\".sl_archive_tracking;", &client);
        client.is_at_rest();
        assert_eq!((client.tables(), client.site.counter()), (tables, place));
        assert!(!other.has("etc/nso.lst"), "the data centre has rolled back");
        assert_eq!(other.tree().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());

        // What was subscribed is followed as before.
        client.configure(stem);
        change("anew.a");
        client.site.assert_equal(&station, &["anew.a"]);

        // The way that the message tells.
        client.site.execute(
            "drop table \"anew\".\"a\"; delete from \"_jsoc\".sl_archive_tracking; \
             drop table if exists \"_jsoc\".site_request;",
        );
        client.configure(&there);
        client.subscribed("anew.b subscribe\n", &[]);
        client.site.assert_equal(&other, &["anew.b"]);
    }
}

#[test]
fn a_site_whose_node_was_removed_is_told_what_to_do() {
    let station = Station::started(cluster(), "rescan=1");
    let client = Client::new(&station, "nso", "");
    client.subscribed("anew.a subscribe\n", &[]);
    client.subscribe("anew.a subscribe\n", &[]).is(4, "anew.a is subscribed already", &client);
    let removed = station.command(&["remove", "nso"]);
    assert!(removed.status.success(), "{removed:?}");
    let status = client.status();
    assert!(status.contains("the data centre has no directory of the node nso in `"), "{status}");
    let run = client.subscribe("anew.a subscribe\n", &[]);
    run.is(4, "the data centre has no directory of the node nso in `", &client);
    run.is(4, "anew.a is no longer followed; ask its operator whether the node was removed", &client);
    client.is_at_rest();
    // The way that the message tells.
    client.site.execute(
        "drop table \"anew\".\"a\"; delete from \"_jsoc\".sl_archive_tracking; \
         drop table if exists \"_jsoc\".site_request;",
    );
    client.subscribed("anew.a subscribe\n", &[]);
    client.site.assert_equal(&station, &["anew.a"]);
}

#[test]
fn an_empty_database_of_a_known_node_is_told_what_to_do() {
    let station = Station::started(cluster(), "");
    Client::new(&station, "nso", "").subscribed("anew.a subscribe\n", &[]);
    let client = Client::new(&station, "nso", "");
    let run = client.subscribe("anew.b subscribe\n", &[]);
    run.is(4, "this database has no place in the archive stream", &client);
    run.is(4, "to remove the node first", &client);
    client.is_at_rest();
    assert_eq!((client.tables(), client.triggers()), (String::new(), Vec::new()));
    assert_eq!(station.read("etc/nso.lst"), "anew.a\n");
}
