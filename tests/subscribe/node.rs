//! Sites that share an account, and a configuration that names another's node.

use std::process::{Command, Stdio};

use crate::client::{Client, Run};
use crate::cluster;
use crate::support::home::without_pg_variables;
use crate::support::{Site, Station};

const NODE: &str = "select string_agg(node, ' ') from _jsoc.site_node";

/// Runs `get_slony_logs` with the client's configuration.
fn ingest(client: &Client<'_>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_get_slony_logs"));
    command.arg(client.at("site.cfg")).stdin(Stdio::null());
    Run::of(without_pg_variables(&mut command).output().expect("run get_slony_logs"))
}

#[test]
fn a_site_with_anothers_node_takes_nothing_of_it() {
    let station = Station::started(cluster(), "");
    let (nso, kis) = (Client::new(&station, "nso", ""), Client::new(&station, "kis", ""));
    nso.subscribed("leave.a subscribe\nleave.b subscribe\n", &[]);
    kis.subscribed("leave.a subscribe\n", &[]);
    assert_eq!((nso.site.query(NODE), kis.site.query(NODE)), ("nso".into(), "kis".into()));
    ingest(&kis).is(0, "", &kis);
    ingest(&nso).is(0, "", &nso);
    crate::change("leave.b");
    station.caught_up();
    let (place, told) = (nso.site.counter(), station.read("site_logs/kis/slony_counter.txt"));

    // All that they have in common is there in kis's logs, so that they fit; rows of leave.b would be missing.
    nso.configure("node kis");
    let message = "was subscribed as the node nso, and `node` is kis";
    ingest(&nso).is(4, message, &nso);
    nso.subscribe("leave.c subscribe\n", &[]).is(4, message, &nso);
    nso.subscribe("leave.c subscribe\n", &["--dry-run"]).is(4, message, &nso);
    let status = nso.status();
    assert!(status.contains("kis, but this database was subscribed as nso"), "{status}");
    assert_eq!(nso.site.counter(), place);
    assert_eq!(station.read("site_logs/kis/slony_counter.txt"), told, "nothing is acknowledged for kis");
    assert_eq!(kis.triggers(), [""; 0], "nothing is asked for kis");

    nso.configure("");
    ingest(&nso).is(0, "", &nso);
    nso.site.assert_equal(&station, &["leave.a", "leave.b"]);
}

#[test]
fn an_open_request_is_not_applied_to_another_nodes_database() {
    let station = Station::started(cluster(), "");
    let (nso, kis) = (Client::new(&station, "nso", ""), Client::new(&station, "kis", ""));
    for client in [&nso, &kis] {
        client.subscribed("leave.a subscribe\n", &[]);
    }
    station.stop();
    nso.configure("attempts 0");
    nso.subscribe("leave.b subscribe\n", &[]).is(1, "the request stays open", &nso);
    station.start();
    nso.configure(&format!("pg_dbname {}", kis.site.database()));
    nso.go_on(&[]).is(4, "was subscribed as the node kis, and `node` is nso", &nso);
    assert_eq!(kis.tables(), "leave.a");
    assert_eq!(station.read("etc/nso.lst"), "leave.a\n", "the data centre has rolled back");
}

#[test]
fn sql_by_hand_stops_at_another_nodes_database() {
    let station = Station::started(cluster(), "");
    let (nso, kis) = (Site::new(cluster(), "nso"), Site::new(cluster(), "kis"));
    kis.subscribe(&station, "leave.a subscribe");
    let place = kis.counter();
    // First as a new site, whose SQL would replace the place, then as a known one.
    for (lines, series) in [("leave.b subscribe", "leave.b\n"), ("leave.c subscribe", "leave.b\nleave.c\n")] {
        nso.ask(&station, lines);
        nso.await_sql(&station);
        let wrong = kis.psql_file(&station.at("triggers/nso.subscribe_series.sql"));
        let said = String::from_utf8_lossy(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(3), "{said}");
        assert!(said.contains("was subscribed as the node kis, this SQL is for the node nso"), "{said}");
        nso.apply_sql(&station);
        nso.answer(&station, true);
        assert_eq!(station.read("etc/nso.lst"), series);
    }
    assert_eq!((nso.query(NODE), kis.query(NODE)), ("nso".into(), "kis".into()));
    let tables = "select count(*) from pg_tables where schemaname = 'leave'";
    assert_eq!((kis.query(tables), kis.counter()), ("1".into(), place));
}

#[test]
fn a_database_learns_its_node_where_the_data_centre_has_the_same_series() {
    let station = Station::started(cluster(), "rescan=1");
    let client = Client::new(&station, "nso", "");
    client.subscribed("leave.a subscribe\nleave.b subscribe\n", &[]);
    // As before it was noted.
    client.site.execute("drop table _jsoc.site_node");
    assert!(client.status().contains("nso (not noted in this database)"), "{}", client.status());
    let taken_out = station.command(&["subscribe", "nso", "leave.a", "--from-operator", "--unsubscribe"]);
    assert!(taken_out.status.success(), "{taken_out:?}");
    client.site.await_sql(&station);
    client.site.answer(&station, true);
    assert_eq!(station.read("etc/nso.lst"), "leave.b\n");
    client.subscribed("leave.c subscribe\n", &[]);
    assert_eq!(client.site.query(NODE), "", "the data centre has other series for nso");
    client.subscribed("leave.c unsubscribe\n", &["--drop"]);
    assert_eq!(client.site.query(NODE), "");
    client.site.execute("drop table leave.a");
    client.subscribed("leave.a subscribe\n", &[]);
    assert_eq!(client.site.query(NODE), "nso");
    client.site.assert_equal(&station, &["leave.a", "leave.b"]);
}
