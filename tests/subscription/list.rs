//! The operator's commands beside `run`.

use std::fs;

use crate::cluster;
use crate::support::{Site, Station};

fn printed(station: &Station<'_>, args: &[&str]) -> String {
    let output = station.command(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The stage that `list` prints for a node, if it prints the node.
fn stage(station: &Station<'_>, node: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&printed(station, &["list", "--json"])).expect("JSON");
    let nodes = json["nodes"].as_array().expect("a list of nodes").clone();
    nodes.iter().find(|row| row["node"] == node).map(|row| row["stage"].as_str().expect("a word").to_owned())
}

#[test]
fn every_stage_is_shown() {
    let station = Station::started(cluster(), "settle=600");
    assert_eq!(
        printed(&station, &["list"]),
        "node  stage  series  last log  age  acked  ago  behind  lag  disk  note\n"
    );
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "aia.lev1 subscribe");
    site.await_sql(&station);
    assert_eq!(stage(&station, "nso").as_deref(), Some("answered"));
    site.apply_sql(&station);
    site.answer(&station, true);
    let last = station.caught_up();
    let rows = printed(&station, &["list"]);
    let row: Vec<&str> = rows.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!((row[0], row[1], row[2], &row[6..10]), ("nso", "idle", "1", ["-"; 4].as_slice()), "{rows}");
    assert!(row[3].parse::<u64>().expect("a counter") >= last, "{rows}");

    fs::write(station.at("triggers/so.subscription_series.tgr"), "node so\nhalf a req")
        .expect("write a trigger");
    assert_eq!(stage(&station, "so").as_deref(), Some("requested"));
    station.drop_file("no.subscription_series.tgr", "node no\naia.nothing subscribe\nend\n");
    station.await_file("no.subscription_series.sqldone");
    station.wait_for("the refusal", || (stage(&station, "no").as_deref() == Some("refused")).then_some(()));
    fs::write(station.at("triggers/old.subscribe_series.done"), "success true\n").expect("write .done");
    assert_eq!(stage(&station, "old").as_deref(), Some("done"));
}

#[test]
fn offline_objects_make_a_site_of_other_tools_ready() {
    let station = Station::started(cluster(), "");
    let sql = station.at("offline.sql");
    fs::write(&sql, printed(&station, &["offline-sql", "old"])).expect("write the SQL");
    let site = Site::new(cluster(), "old");
    for _ in 0..2 {
        site.apply(&sql);
    }
    let tables = "select count(*) from pg_class where relname in ('sl_archive_tracking', 'sl_log_archive')";
    assert_eq!(cluster().server().query(site.database(), tables), "2");
}

#[test]
fn splitting_once_does_what_the_daemon_does() {
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "aia.lev1 subscribe");
    station.stop();
    cluster().origin("insert into aia.lev1 values (-nextval('public.keys'), now(), 1, 'by hand')");
    let last = cluster().sync();
    let at = station.counter().expect("a counter");
    let until = at + 1;
    let said = printed(&station, &["split", "--until", &until.to_string()]);
    assert_eq!(said, format!("1 archive split, up to {until}\n"));
    printed(&station, &["split"]);
    assert!(station.counter().expect("a counter") >= last);
    // What others have written since is split by the daemon.
    station.start();
    site.assert_equal(&station, &["aia.lev1"]);
}
