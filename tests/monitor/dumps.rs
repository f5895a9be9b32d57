//! The daemon: no dump from a server that is lost, and what it says of Slony.

use serde_json::Value;

use crate::support::slony::{ARCHIVER, ORIGIN};
use crate::support::{Cluster, Site, Station};

const SCHEMA: &str = "create schema hmi; create table hmi.m (recnum bigint primary key, note text);";
const SEED: &str = "insert into hmi.m select i, 'row ' || i from generate_series(1, 50) i;";

fn list(station: &Station<'_>) -> Value {
    let output = station.command(&["list", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Whether one of these texts holds the words.
fn says(texts: &Value, words: &str) -> bool {
    texts
        .as_array()
        .is_some_and(|texts| texts.iter().any(|text| text.as_str().is_some_and(|text| text.contains(words))))
}

#[test]
fn no_dump_is_made_from_a_server_that_is_lost() {
    let cluster = Cluster::start(SCHEMA, SEED, &["hmi"]);
    let server = cluster.server();
    server.execute("postgres", "create role watcher superuser login");
    let (host, port) = (server.socket_dir().display(), server.port());
    let settings = format!(
        "rescan=1\nmonitor_nodes={host}:{port}\nmonitor_dbname=postgres\nmonitor_user=watcher\nmonitor_heartbeat=0.5\n\
         monitor_max_sync_delay=2\nmonitor_status_file={host}/status.json"
    );
    let station = Station::started(&cluster, &settings);
    let state = |words: &str| {
        let output = station.command(&["monitor", "--once", "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (said["servers"][0]["state"] == words).then_some(said)
    };
    let said = station.wait_for("the primary", || state("primary"));
    assert_eq!((&said["slony"]["node"], &said["slony"]["has_slon"]), (&2.into(), &true.into()), "{said:#}");
    let pairs: Vec<_> = said["slony"]["lags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lag| (&lag["origin"], &lag["receiver"]))
        .collect();
    assert_eq!(pairs, [(&1.into(), &2.into()), (&2.into(), &1.into())]);
    station.wait_for("nothing to be wrong", || {
        (list(&station)["alarms"] == serde_json::json!([])).then_some(())
    });

    // Only the monitor cannot come in: what holds the dump is its word.
    server.execute("postgres", "alter role watcher nologin");
    let lost = || says(&list(&station)["alarms"], "no dumps are made: server").then_some(());
    station.wait_for("the server to be lost", lost);
    let site = Site::new(&cluster, "nso");
    site.ask(&station, "hmi.m subscribe");
    station.wait_for("the dump to wait", || {
        let listed = list(&station);
        says(&listed["nodes"][0]["notes"], "its dump waits: server").then_some(())
    });
    station.wait_for("the reason in the log", || {
        station.said().contains("no dump is made: server").then_some(())
    });
    assert!(list(&station)["nodes"][0]["notes"][0].as_str().unwrap().contains("not permitted to log in"));
    assert!(!station.has("triggers/nso.subscription_series.sqldone") && !station.has("site_logs/nso.new"));

    server.execute("postgres", "alter role watcher login");
    let answer = site.await_sql(&station);
    assert!(answer.starts_with("cut "), "{answer}");
    site.apply_sql(&station);
    site.answer(&station, true);
    site.assert_equal(&station, &["hmi.m"]);

    // One process watches at a time; another one says who does.
    let second = station.command(&["monitor"]);
    assert!(String::from_utf8_lossy(&second.stderr).contains("it runs already"), "{second:?}");

    // The log-shipping node's slon is away.
    cluster.stop_slon(ARCHIVER);
    cluster.origin("insert into hmi.m values (1000, 'new')");
    let away = || {
        let alarms = list(&station)["alarms"].clone();
        (says(&alarms, "no slon runs for the log-shipping node 2") && !says(&alarms, "no dumps"))
            .then_some(())
    };
    station.wait_for("the alarm", away);
    let checked: Value = serde_json::from_slice(&station.command(&["check", "--json"]).stdout).unwrap();
    let codes = checked["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]);
    assert!(codes.clone().any(|code| code == "slon-away"), "{checked:#}");
    cluster.start_slon(ARCHIVER, &[]);
    cluster.sync();
    station.wait_for("the alarm to go", || (!says(&list(&station)["alarms"], "no slon runs")).then_some(()));
    who_is_behind_is_said(&cluster, &station);
    station.stop();
    server.execute("postgres", "drop table heartbeat");
}

/// Who has confirmed nothing, and what has not arrived.
fn who_is_behind_is_said(cluster: &Cluster, station: &Station<'_>) {
    let server = cluster.server();
    let (host, port) = (server.socket_dir().display(), server.port());
    // A third node, whose slon never starts: it has confirmed nothing.
    server.create_database("third");
    server.execute("third", SCHEMA);
    cluster.slonik(&format!(
        "node 3 admin conninfo = 'host={host} port={port} dbname=third user=postgres';\n\
         store node (id = 3, comment = 'third', event node = 1);"
    ));
    let behind = || {
        let output = station.command(&["monitor", "--once", "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).ok()?;
        let is_it = |lag: &&Value| lag["origin"] == 1 && lag["receiver"] == 3;
        let lag = said["slony"]["lags"].as_array()?.iter().find(is_it)?.clone();
        (lag["events"].as_u64()? > 0 && lag["seconds"].as_u64()? > 2).then_some(())
    };
    station.wait_for("the third node to be behind", behind);
    let alarm = || {
        let alarms = list(station)["alarms"].clone();
        let (is_behind, of) = ("node 3 is ", "behind node 1");
        let is_it =
            |text: &Value| text.as_str().is_some_and(|text| text.contains(is_behind) && text.ends_with(of));
        alarms.as_array()?.iter().any(is_it).then_some(())
    };
    station.wait_for("the third node in the list", alarm);

    // The origin's slon is away: nothing arrives, and the log-shipping node has everything that it knows of.
    cluster.stop_slon(ORIGIN);
    station.wait_for("the alarm", || {
        let alarms = list(station)["alarms"].clone();
        says(&alarms, "what is written at the origin does not arrive").then_some(())
    });
}
