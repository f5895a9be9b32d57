//! The stem of the deployed clients: our server, and the files that a NetDRMS server leaves.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::client::Client;
use crate::hand::{Hand, SQL};
use crate::support::Station;
use crate::{change, cluster};

const STEM: &str = "subscribe_series";

fn client<'s>(station: &'s Station<'static>) -> Client<'s> {
    let client = Client::new(station, "nso", "stem subscribe_series");
    client.site.execute("create schema admin; create table admin.ns (name text, nsgroup text, dbusr text)");
    client
}

#[test]
fn our_server_answers_that_stem_too() {
    let station = Station::started(cluster(), "");
    let client = client(&station);
    client.subscribed("deployed.a subscribe\n", &[]);
    assert_eq!(client.triggers(), [""; 0]);
    client.subscribed("deployed.b subscribe 0 21\ndeployed.a unsubscribe\n", &["--drop"]);
    change("deployed.b");
    client.site.assert_equal(&station, &["deployed.b"]);
    client.subscribe("deployed.nothing subscribe\n", &[]).is(4, "deployed.nothing", &client);
    client.is_at_rest();
}

/// Packs files as the deployed scripts do, with the tar of the system.
fn packed(station: &Station<'_>, directory: &Path, arguments: &[&str]) {
    let mut tar = Command::new("tar");
    tar.current_dir(directory).arg("czPf").arg(station.at("triggers/nso.sql.tar.gz")).args(arguments);
    assert!(tar.status().expect("run tar").success());
}

#[test]
fn a_netdrms_server_is_understood() {
    let station = Station::new(cluster(), "");
    let client = client(&station);
    // Left from another time.
    fs::write(station.at("triggers/nso.subscribe_series.sqldone"), "ERROR: long ago\n").unwrap();
    fs::write(station.at("triggers/nso.subscribe_series.done"), "").unwrap();
    let mut hand = Hand::asked(&client, STEM, "hand.a subscribe\n", &[]);
    let request = hand.text("tgr");
    assert_eq!(request, "node nso\narchive 0\nretention 21\ntapegroup 1\nhand.a subscribe\n");
    assert_eq!(client.triggers(), ["nso.subscribe_series.tgr"]);
    hand.accept();
    let made = tempfile::tempdir().unwrap();
    let createns =
        "BEGIN;\ncreate schema hand;\nINSERT INTO admin.ns VALUES ('hand', 'user', 'slony');\nEND;\n";
    fs::write(made.path().join("nso.hand.createns.sql"), createns).unwrap();
    fs::write(made.path().join("nso.subscribe_series.sql"), SQL.replace("create schema hand;", "")).unwrap();
    packed(&station, made.path(), &["nso.subscribe_series.sql", "nso.hand.createns.sql"]);
    hand.put("sqldone", "sql for nso is done\n");
    let applied = hand.text("sqlapplied");
    assert_eq!(
        applied,
        "node nso\narchive 0\nretention 21\ntapegroup 1\nhand.a subscribe\nnew_site true\nsuccess true\n"
    );
    hand.put("done", "");
    fs::remove_file(hand.path("sqlapplied")).unwrap();
    hand.end().is(0, "subscribed to hand.a", &client);
    client.is_at_rest();
    assert_eq!(client.site.query("select string_agg(t, ' ' order by i) from hand.a"), "one \\.");
    assert_eq!(client.site.query("select name from admin.ns"), "hand");
    assert_eq!(client.site.query("select node from _jsoc.site_node"), "nso");
    assert_eq!(client.triggers(), ["nso.subscribe_series.cfg"], "answers and SQL are removed");
}

#[test]
fn a_netdrms_server_that_fails_is_believed() {
    let station = Station::new(cluster(), "");
    let client = client(&station);
    let mut hand = Hand::asked(&client, STEM, "hand.a subscribe\n", &[]);
    hand.accept();
    hand.put("sqldone", "createtabstructure: ERROR no such series\n");
    hand.end().is(4, "ERROR no such series", &client);
    client.is_at_rest();
}

#[test]
fn an_archive_with_anything_else_in_it_is_refused() {
    let station = Station::new(cluster(), "");
    for what in ["path", "absolute", "link", "name", "twice", "none", "rubbish"] {
        let client = client(&station);
        let mut hand = Hand::asked(&client, STEM, "hand.a subscribe\n", &[]);
        hand.accept();
        let made = tempfile::tempdir().unwrap();
        let series = made.path().join("nso.subscribe_series.sql");
        fs::write(&series, SQL).unwrap();
        let outside = format!("/tmp/nso.hand-{}.createns.sql", std::process::id());
        match what {
            "path" => {
                fs::create_dir(made.path().join("nso.x")).unwrap();
                fs::write(made.path().join("nso.x/y.createns.sql"), "select 1;").unwrap();
                packed(&station, made.path(), &["nso.subscribe_series.sql", "nso.x/y.createns.sql"]);
            }
            "absolute" => {
                fs::write(&outside, "select 1;").unwrap();
                packed(&station, made.path(), &["nso.subscribe_series.sql", &outside]);
                fs::remove_file(&outside).unwrap();
            }
            "link" => {
                std::os::unix::fs::symlink("/etc/passwd", made.path().join("nso.x.createns.sql")).unwrap();
                packed(&station, made.path(), &["nso.x.createns.sql", "nso.subscribe_series.sql"]);
            }
            "name" => {
                fs::write(made.path().join("other.x.createns.sql"), "select 1;").unwrap();
                packed(&station, made.path(), &["nso.subscribe_series.sql", "other.x.createns.sql"]);
            }
            "twice" => {
                let name = "nso.subscribe_series.sql";
                packed(&station, made.path(), &["--hard-dereference", name, name]);
            }
            "none" => {
                fs::rename(&series, made.path().join("nso.x.createns.sql")).unwrap();
                packed(&station, made.path(), &["nso.x.createns.sql"]);
            }
            _ => fs::write(station.at("triggers/nso.sql.tar.gz"), "rubbish").unwrap(),
        }
        hand.put("sqldone", "done\n");
        assert!(hand.done("").ends_with("success false\n"), "{what}");
        let run = hand.end();
        run.is(4, "nso.sql.tar.gz`", &client);
        client.is_at_rest();
        assert!(!Path::new(&outside).exists(), "{what}");
        assert_eq!(client.tables(), "admin.ns", "{what}");
    }
}
