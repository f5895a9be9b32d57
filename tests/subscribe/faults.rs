//! Requests that do not go well.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::client::{Client, Run};
use crate::cluster;
use crate::hand::{Hand, SQL};
use crate::support::station::LIMIT;
use crate::support::{Clock, Station, wait};

#[test]
fn sql_that_fails_at_the_site_is_rolled_back_at_both_ends() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let before = station.tree();
    let run = client.subscribe("faults.a subscribe\nfaults.typed subscribe\n", &[]);
    run.is(4, "mood", &client);
    client.is_at_rest();
    assert_eq!(client.tables(), "");
    assert_eq!(client.site.query("select count(*) from pg_namespace where nspname = '_jsoc'"), "0");
    // The registry is there from the start on.
    assert_eq!(station.tree(), before);

    // With the type it works, and again for a site that is known.
    client.subscribed("faults.a subscribe\n", &[]);
    let before = (station.read("etc/nso.lst"), station.read("etc/slon_parser.cfg"), client.tables());
    client.subscribe("faults.typed subscribe", &[]).is(4, "mood", &client);
    client.is_at_rest();
    assert_eq!((station.read("etc/nso.lst"), station.read("etc/slon_parser.cfg"), client.tables()), before);
    client.site.execute("create schema faults_types; create type faults.mood as enum ('well', 'ill');");
    client.subscribed("faults.typed subscribe", &[]);
    assert_eq!(client.site.query("select mood from faults.typed"), "well");
    client.site.assert_equal(&station, &["faults.a"]);
}

#[test]
fn what_the_data_centre_refuses_leaves_nothing() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let run = client.subscribe("faults.nothing subscribe", &[]);
    run.is(4, "faults.nothing", &client);
    client.is_at_rest();
    assert_eq!(client.triggers(), [""; 0]);
}

#[test]
fn what_is_wrong_here_is_told_before_anything_is_asked() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let (tree, names) = (station.tree(), client.names());
    client.subscribe("a subscribe\nb.c\nb.d take\n", &[]).is(2, "line 3: `take` behind b.d", &client);
    client.subscribe("", &[]).is(2, "has no line", &client);
    client.go_on(&[]).is(2, "no LIST is given", &client);
    client.go_on(&["-r"]).is(2, "no request is open", &client);
    client.go_on(&["/nowhere/list"]).is(2, "is not there", &client);
    client.site.execute("create schema own; create table own.a (i int);");
    client.subscribe("own.a subscribe", &[]).is(4, "own.a is in this database already", &client);
    let server = cluster().server();
    server
        .execute("postgres", &format!("revoke create on database \"{}\" from slony", client.site.database()));
    client.subscribe("faults.a subscribe", &[]).is(4, "grant create on database", &client);
    server.execute("postgres", &format!("grant create on database \"{}\" to slony", client.site.database()));
    client.configure("stem subscribe_series");
    client.subscribe("faults.a subscribe", &[]).is(4, "admin.ns", &client);
    client.configure("pg_dbname nowhere_at_all");
    client.subscribe("faults.a subscribe", &[]).is(1, "nowhere_at_all", &client);
    client.configure("webdb_directory /x");
    client.subscribe("faults.a subscribe", &[]).is(2, "`webdb_directory` is no key", &client);
    assert_eq!(station.tree(), tree);
    assert_eq!(names, [""; 0]);
    assert_eq!(client.names(), ["subscribe_series.lock"]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let tree = station.tree();
    let run = client.subscribe("faults.a subscribe\n", &["--dry-run"]);
    run.is(0, "", &client);
    assert!(run.stdout.contains("node nso\narchive 0\n"), "{}", run.stdout);
    assert!(run.stdout.contains("faults.a subscribe\nend\n"), "{}", run.stdout);
    assert_eq!((station.tree(), client.names()), (tree, Vec::<String>::new()));
    client.configure(&format!("webdb_dir {}", client.at("nowhere").display()));
    client.subscribe("faults.a subscribe\n", &["--dry-run"]).is(1, "nowhere", &client);
}

#[test]
fn a_database_that_does_not_answer_is_no_end_of_a_request() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let (address, server) = (client.at("address"), cluster().server());
    symlink(server.socket_dir(), &address).expect("make a link");
    client.configure(&format!("pg_host {}", address.display()));
    let mut hand = Hand::asked(&client, "subscription_series", "hand.a subscribe", &[]);
    let name = hand.accept();
    // From now on somebody listens there who never answers.
    fs::remove_file(&address).expect("remove the link");
    fs::create_dir(&address).expect("make a directory");
    let silent = UnixListener::bind(address.join(format!(".s.PGSQL.{}", server.port()))).expect("listen");
    let line = hand.sql("subscribe_series.sql", SQL.as_bytes());
    hand.put("sqldone", &format!("cut 7\n{name}{line}hand.a\n"));
    hand.end().is(1, "nobody answers", &client);
    assert!(!hand.path("sqlapplied").exists(), "the data centre was told of a failure");
    drop(silent);
    fs::remove_dir_all(&address).expect("remove the directory");
    symlink(server.socket_dir(), &address).expect("make a link");
    let mut hand = hand.again(&[]);
    let told = hand.done(&format!("success true\n{name}hand.a\n"));
    assert!(told.contains("success true\n"), "{told}");
    hand.end().is(0, "subscribed to hand.a", &client);
    client.is_at_rest();
}

#[test]
fn a_daemon_that_is_down_is_waited_for_and_asked_again() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "attempts 1");
    client.subscribe("faults.b subscribe", &[]).is(1, "the request stays open", &client);
    assert!(client.names().contains(&"request".to_owned()), "{:?}", client.names());
    assert!(!client.die_file().exists(), "ingestion goes on while nobody waits");
    client.subscribe("faults.c subscribe", &[]).is(2, "another list", &client);
    let status = client.status();
    assert!(status.contains("it waits for the data centre to take up the request"), "{status}");
    station.start();
    client.configure("");
    client.go_on(&["-r"]).is(0, "going on with the request", &client);
    client.is_at_rest();
    client.site.assert_equal(&station, &["faults.b"]);
}

#[test]
fn two_at_once_are_one_too_many() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let mut hand = Hand::asked(&client, "subscription_series", "faults.b subscribe", &[]);
    hand.text("tgr");
    client.subscribe("faults.b subscribe", &[]).is(3, "another subscribe_series runs", &client);
    station.start();
    hand.end().is(0, "", &client);
    client.is_at_rest();
}

#[test]
fn a_request_that_another_replaces_is_given_up() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let mut hand = Hand::asked(&client, "subscription_series", "faults.b subscribe", &[]);
    hand.text("tgr");
    client.site.ask(&station, "request another\nfaults.a subscribe");
    station.start();
    hand.end().is(4, "another request of this node has taken the place", &client);
    client.is_at_rest();
    let sqldone = client.site.await_sql(&station);
    assert!(sqldone.contains("request another"), "what is another's stays: {sqldone}");
    assert_eq!(client.tables(), "");
}

#[test]
fn a_request_that_could_not_be_read_is_told_why() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let mut hand = Hand::asked(&client, "subscription_series", "faults.b subscribe", &[]);
    hand.text("tgr");
    // Whoever runs the test, the daemon does not read this; its answer cannot name the request.
    fs::rename(hand.path("tgr"), station.at("request")).expect("move the request");
    symlink(station.at("request"), hand.path("tgr")).expect("link to the request");
    station.start();
    hand.end().is(4, "nothing of it is left: a symbolic link is not read", &client);
    client.is_at_rest();
    // What is left of it does not stand in the way.
    client.subscribed("faults.b subscribe", &[]);
}

#[test]
fn a_server_that_takes_its_word_back_is_followed() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let mut hand = Hand::asked(&client, "subscription_series", "hand.a subscribe", &[]);
    let name = hand.accept();
    let masters = "create table hand.drms_series (seriesname text);\n\
                   insert into hand.drms_series values ('hand.A'), ('hand.other');\ncommit;";
    let line = hand.sql("subscribe_series.sql", SQL.replace("commit;", masters).as_bytes());
    hand.put("sqldone", &format!("cut 7\n{name}{line}hand.a\n"));
    let applied = hand.done(&format!("success false\nreason too late\n{name}"));
    assert!(applied.ends_with(&format!("{name}counter 7\nsuccess true\n")), "{applied}");
    hand.end().is(4, "too late", &client);
    client.is_at_rest();
    assert_eq!(client.tables(), "hand.drms_series");
    assert_eq!(client.site.query("select seriesname from hand.drms_series"), "hand.other");
    assert_eq!(client.site.query("select count(*) from _jsoc.sl_archive_tracking"), "0");
    assert_eq!(client.site.query("select count(*) from _jsoc.site_request"), "0");
    assert_eq!(
        client.triggers(),
        ["nso.subscribe_series.sql"],
        "SQL without an answer is not ours to remove"
    );
}

#[test]
fn sql_that_is_not_what_was_said_is_refused() {
    let station = Station::new(cluster(), "");
    let long = format!("{SQL}-- {}\n", "x".repeat(64));
    for (what, sql, sqldone, says) in [
        ("digest", SQL, "file nso.subscribe_series.sql SIZE 00ff", "is not what `.sqldone` says of it"),
        ("name", SQL, "file nso.../../x.sql 3 00ff", "names a file"),
        ("other name", SQL, "file other.subscribe_series.sql 3 00ff", "names a file"),
        ("size", long.as_str(), "file nso.subscribe_series.sql 9 00ff", "is not what `.sqldone` says of it"),
        ("command", "\\! touch /tmp/never\n", "LINE", "a command of psql"),
        ("rollback", "select 1;\nrollback;\ncreate table x (i int);", "LINE", "a statement that ends the"),
        (
            "reword",
            "reset all;\n",
            "LINE",
            "line 1: a statement that would turn `standard_conforming_strings` off",
        ),
        ("nothing", "select 1;\n", "LINE", "does not make hand.a"),
        ("half", "create table hand", "LINE", "ends within a statement"),
    ] {
        let client = Client::new(&station, "nso", "accept none");
        let mut hand = Hand::asked(&client, "subscription_series", "hand.a subscribe", &[]);
        let name = hand.accept();
        let line = hand.sql("subscribe_series.sql", sql.as_bytes());
        let line = if sqldone == "LINE" { line } else { format!("{sqldone}\n") };
        let line = line.replace("SIZE", &SQL.len().to_string());
        hand.put("sqldone", &format!("cut 7\n{name}{line}hand.a\n"));
        let applied = hand.done(&format!("success false\nreason the site said so\n{name}"));
        assert!(applied.ends_with("success false\n"), "{what}: {applied}");
        hand.end().is(4, says, &client);
        client.is_at_rest();
        assert_eq!(client.tables(), "", "{what}");
        let _ = fs::remove_file(station.at("triggers/nso.subscribe_series.sql"));
    }
}

#[test]
fn a_failure_is_told_by_the_hook_and_an_operators_die_file_stays() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let hook = client.at("hook");
    fs::write(&hook, format!("#!/bin/sh\ncat >>{}\n", client.at("told").display())).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    client.configure(&format!("on_error {}", hook.display()));
    fs::write(client.die_file(), "").unwrap();
    client.subscribe("faults.nothing subscribe", &[]).is(4, "", &client);
    let told = fs::read_to_string(client.at("told")).unwrap();
    assert!(told.contains("faults.nothing") && told.lines().count() == 1, "{told}");
    assert!(client.die_file().exists());
    client.subscribe("faults.b subscribe", &[]).is(0, "", &client);
    assert!(client.die_file().exists());
    let status = client.status();
    assert!(status.contains("stopped by the die file"), "{status}");
}

#[test]
fn what_others_have_beside_the_die_file_stays() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    fs::create_dir(client.at("bin/.tmp-other")).unwrap();
    fs::write(client.at("bin/.tmp-other/file"), "theirs").unwrap();
    fs::write(client.at("bin/.tmp-file"), "theirs").unwrap();
    // What a run has left that was killed while it wrote.
    fs::create_dir_all(client.work(".tmp-half")).unwrap();
    fs::write(client.die_file(), "put here by subscribe_se").unwrap();
    client.subscribe("faults.b subscribe", &[]).is(0, "", &client);
    assert!(!client.die_file().exists());
    assert_eq!(fs::read_to_string(client.at("bin/.tmp-other/file")).unwrap(), "theirs");
    assert_eq!(fs::read_to_string(client.at("bin/.tmp-file")).unwrap(), "theirs");
    assert!(!client.work(".tmp-half").exists(), "what is ours is cleared");
}

#[test]
fn a_running_ingester_is_waited_for() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    fs::create_dir_all(client.work("")).unwrap();
    let lock = fs::File::create(client.work("ingest.lock")).unwrap();
    lock.lock().unwrap();
    let mut hand = Hand::asked(&client, "subscription_series", "faults.b subscribe", &[]);
    wait::until("the die file", LIMIT, || client.die_file().exists().then_some(()));
    assert!(client.triggers().is_empty());
    drop(lock);
    // Whether it has seen the lock held, and said so, is up to chance.
    hand.end().is(0, "subscribed to faults.b", &client);
    client.is_at_rest();
}

#[test]
fn a_signal_leaves_the_request_open_and_ingestion_free() {
    let station = Station::new(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let mut hand = Hand::asked(&client, "subscription_series", "faults.b subscribe", &[]);
    hand.text("tgr");
    hand.signal("TERM");
    hand.end().is(1, "cancelled", &client);
    assert!(!client.die_file().exists());
    station.start();
    client.go_on(&[]).is(0, "going on", &client);
    client.is_at_rest();
}

#[test]
fn a_clock_that_is_set_meanwhile_changes_nothing() {
    let station = Station::started(cluster(), "");
    let client = Client::new(&station, "nso", "");
    let clock = Clock::new();
    for (list, offsets) in [
        ("faults.a subscribe\n", ["-400d", "-400d"]),
        ("faults.b subscribe\n", ["+400d", "-1d"]),
        ("faults.b unsubscribe\n", ["-3s", "+3s"]),
    ] {
        let path = client.list(list);
        let mut command = client.command(&[path.to_str().expect("a plain path")]);
        command.envs(clock.environment()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("run subscribe_series");
        let mut turns = offsets.iter().cycle();
        wait::until("its end", LIMIT, || {
            clock.set(turns.next().expect("endless"));
            child.try_wait().expect("wait")
        });
        Run::of(child.wait_with_output().expect("wait")).is(0, "", &client);
        client.is_at_rest();
    }
    client.site.assert_equal(&station, &["faults.a"]);
}
