//! How nodes, archives and the database stand.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::feed::Feed;
use crate::support::{Site, Station};
use crate::{cluster, cut, hear, heard, said, station, without_time, words};

const NODES: &[&str] = &["node_behind", "node_recovered", "node_expired"];

/// A site says what it has applied.
fn acknowledge(station: &Station<'_>, node: &str, counter: u64) {
    fs::write(station.at(&format!("site_logs/{node}/slony_counter.txt")), format!("{counter}\n"))
        .expect("acknowledge");
}

/// Kills the daemon when nothing is being told: that would come again.
fn kill_at_rest(station: &Station<'_>) {
    let is_told = || station.read("work/hooks.state").ends_with("\"waiting\":[]}");
    station.wait_for("everything to be told", || is_told().then_some(()));
    station.kill();
}

/// Subscribes a site, and lets it have so many logs after its cut, which is returned.
fn with_logs(station: &Station<'_>, feed: &Feed, node: &str, series: &str, logs: u64) -> u64 {
    let site = Site::new(cluster(), node);
    let first = cut(&site.subscribe(station, &format!("{series} subscribe")));
    await_archives(station, first + logs);
    feed.until(station, first + logs);
    first
}

#[track_caller]
fn await_archives(station: &Station<'_>, counter: u64) {
    station.wait_for("archives", || {
        crate::change("seen.e");
        (cluster().sync() >= counter).then_some(())
    });
}

#[test]
fn a_node_at_the_limit_is_told_of_once() {
    let feed = Feed::new(cluster());
    let settings = feed.setting() + "\nrescan=1\nbehind_logs=4\nrecovered_logs=1\nbehind_age=0";
    let station = station(&settings, NODES);
    station.start();
    let first = with_logs(&station, &feed, "nso", "seen.a", 1);
    let last = with_logs(&station, &feed, "clock", "seen.a", 6) + 6;
    assert!(last >= first + 7);
    // The other node shows that everything was looked at.
    let mut ticks = 0;
    let mut tick = || {
        for (behind, hook) in [(5, "node_behind"), (0, "node_recovered")] {
            acknowledge(&station, "clock", last - behind);
            ticks += usize::from(hook == "node_behind");
            let is_told =
                || words(&heard(&station)).iter().filter(|word| **word == (hook, "clock")).count() >= ticks;
            station.wait_for(hook, || is_told().then_some(()));
        }
    };
    for behind in [3, 4, 3, 2, 4, 6, 2, 1, 2, 3, 0, 3, 4, 1] {
        acknowledge(&station, "nso", last - behind);
        tick();
    }
    let told: Vec<Value> = heard(&station).into_iter().filter(|object| object["node"] == "nso").collect();
    let object = |hook: &str, behind: u64| json!({"hook": hook, "cluster": "jsoc", "node": "nso", "acknowledged": last - behind, "behind": behind});
    let expected = [("node_behind", 4), ("node_recovered", 1), ("node_behind", 4), ("node_recovered", 1)];
    let without_age = |told: &Value| {
        let mut told = without_time(told);
        assert!(
            told.as_object_mut()
                .expect("an object")
                .remove("next_log_age_seconds")
                .is_some_and(|age| age.is_u64())
        );
        told
    };
    assert_eq!(
        told.iter().map(without_age).collect::<Vec<_>>(),
        expected.map(|(hook, behind)| object(hook, behind))
    );
}

#[test]
fn a_site_that_fell_too_far_behind_is_told_of_also_after_a_restart() {
    let feed = Feed::new(cluster());
    let settings = feed.setting() + "\nrescan=1\nbehind_age=3600\nrecovered_age=1800\nsite_log_days=1";
    let station = station(&settings, NODES);
    station.start();
    let first = with_logs(&station, &feed, "nso", "seen.b", 8);
    let age = |counter: u64, hours: u64| {
        let path = station.at(&format!("site_logs/nso/{}", crate::support::station::log_name(counter)));
        let file = File::options().write(true).open(path).expect("open a log");
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).expect("set a time");
        // Logs do not change where they lie: nobody looks again unless their directory has changed.
        let change = station.at("site_logs/nso/.change");
        fs::write(&change, "").and_then(|()| fs::remove_file(&change)).expect("change the directory");
    };
    age(first + 3, 2);
    acknowledge(&station, "nso", first + 2);
    let behind = &hear(&station, 1)[0];
    assert_eq!((&behind["hook"], &behind["behind"]), (&json!("node_behind"), &json!(6)));
    assert!(behind["next_log_age_seconds"].as_u64().is_some_and(|age| age >= 7200), "{behind}");
    // Nobody is there to see how it recovers.
    kill_at_rest(&station);
    acknowledge(&station, "nso", first + 4);
    station.start();
    assert_eq!(words(&hear(&station, 2))[1], ("node_recovered", "nso"));

    // What is acknowledged may be gone by now.
    age(first + 6, 2);
    acknowledge(&station, "nso", first + 5);
    let told = hear(&station, 3);
    assert_eq!(words(&told)[2], ("node_behind", "nso"));
    for counter in first + 6..=first + 8 {
        age(counter, 30);
    }
    station.wait_for("tidying", || station.command(&["tidy"]).status.success().then_some(()));
    let expired = json!({
        "hook": "node_expired", "cluster": "jsoc", "node": "nso", "acknowledged": first + 5, "behind": 1,
        "reason": format!("must resubscribe: log {} is gone", first + 6),
    });
    assert_eq!(without_time(&hear(&station, 4)[3]), expired);
}

#[test]
fn archives_that_stop_or_are_missing_are_told_of() {
    let feed = Feed::new(cluster());
    let settings = feed.setting() + "\nrescan=1";
    let station = station(&settings, &["archive_gap", "archive_stopped", "ddl_held"]);
    station.start();
    let stop = with_logs(&station, &feed, "nso", "seen.c", 1) + 2;
    await_archives(&station, stop + 4);
    let without_reason = |object: &Value, reason: &str| {
        let mut object = without_time(object);
        let said = object.as_object_mut().expect("an object").remove("reason").expect("a reason");
        assert!(said.as_str().expect("a text").contains(reason), "{said}");
        object
    };
    let of = |hook: &str, archive: u64| json!({"hook": hook, "cluster": "jsoc", "archive": archive});
    let of_node = |hook: &str, archive: u64| json!({"hook": hook, "cluster": "jsoc", "archive": archive, "node": "nso"});

    let mut count = 0;
    let mut next = || {
        count += 1;
        hear(&station, count)[count - 1].clone()
    };
    let text = feed.original(stop);
    feed.put(stop, text.replacen("_jsoc", "_other", 1).as_bytes());
    let broken = next();
    let fault = without_reason(&broken, &format!("split archive {stop}"));
    assert_eq!(fault, of("archive_stopped", stop));
    feed.put(stop, text.as_bytes());
    feed.until(&station, stop);

    let directory = station.at("site_logs/nso");
    fs::rename(&directory, station.at("site_logs/nso.away")).expect("move the directory");
    feed.until(&station, stop + 1);
    let stopped = next();
    assert_eq!(without_reason(&stopped, "mend it"), of_node("archive_stopped", stop + 1));
    fs::rename(station.at("site_logs/nso.away"), &directory).expect("move it back");
    station.wait_for("the node to go on", || (!station.has("etc/nso.stopped")).then_some(()));

    let original = feed.original(stop + 2);
    let event = original.lines().find(|line| line.starts_with("-- Node ")).expect("an event");
    feed.put(stop + 2, undecided(stop + 2, event).as_bytes());
    let held = next();
    let command = format!("subscription_manager ddl nso {} --send|--skip", stop + 2);
    assert_eq!(without_reason(&held, &command), of_node("ddl_held", stop + 2));
    assert!(station.command(&["ddl", "nso", &(stop + 2).to_string(), "--skip"]).status.success());
    // It is missing for more than half a minute.
    let gap = next();
    assert_eq!(without_reason(&gap, "it is waited for, never jumped over"), of("archive_gap", stop + 3));
    // After a restart it is missing all the same, and nobody is told again.
    kill_at_rest(&station);
    station.start();
    said(&station, "the splitter waits", 3);
    assert_eq!(heard(&station).len(), count, "{:#?}", heard(&station));
}

/// An archive of this event, with a statement of EXECUTE SCRIPT that is about no table.
fn undecided(counter: u64, event: &str) -> String {
    let dashes = "-".repeat(66);
    format!(
        "{dashes}\n-- Slony-I log shipping archive\n{event}\n{dashes}\n\
         set session_replication_role to replica;\nstart transaction;\n\
         select \"_jsoc\".archiveTracking_offline('{counter}', '2026-11-20 21:39:46.15+00');\n\
         -- end of log archiving header\n{dashes}\n-- start of Slony-I data\n{dashes}\n\
         COPY \"_jsoc\".\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, \
         log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n\
         1\t9\t\\N\t9\t\\N\t\\N\tS\t\\N\t{{\"create function public.f() returns int as $$ select 1 $$ language sql;\",\"\",\"\"}}\n\
         1\t9\t\\N\t10\t\\N\t\\N\ts\t\\N\t{{}}\n\\.\n\n\
         {dashes}\n-- End Of Archive Log\n{dashes}\ncommit;\nvacuum analyze \"_jsoc\".sl_archive_tracking;\n"
    )
}

#[test]
fn the_database_goes_and_comes() {
    let server = cluster().server();
    server.execute("postgres", "create role hooked superuser login");
    let station = station("pg_user=hooked\nrescan=1", &["database_lost", "database_found"]);
    station.start();
    let login = |may: &str| {
        server.execute("postgres", &format!("alter role hooked {may}"));
        server.execute(
            "postgres",
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'hooked'",
        );
    };
    login("nologin");
    let lost = &hear(&station, 1)[0];
    assert!(lost["reason"].as_str().expect("a reason").contains("connect to database archiver"), "{lost}");
    assert_eq!(words(std::slice::from_ref(lost)), [("database_lost", "-")]);
    login("login");
    let found = json!({"hook": "database_found", "cluster": "jsoc"});
    assert_eq!(without_time(&hear(&station, 2)[1]), found);

    login("nologin");
    assert_eq!(words(&hear(&station, 3))[2], ("database_lost", "-"));
    kill_at_rest(&station);
    station.start_unready();
    said(&station, "the splitter waits", 3);
    kill_at_rest(&station);
    login("login");
    // That it is lost was told before, that it is found again nobody has seen.
    station.start();
    let told = hear(&station, 4);
    assert_eq!(words(&told)[3..], [("database_found", "-")]);
}

#[test]
fn who_asks_later_hears_of_what_is_amiss_by_then() {
    let station = Station::new(cluster(), "");
    let directory = station.at("site_logs/nso");
    fs::create_dir(&directory).expect("create a directory");
    for counter in 1..=8 {
        let log = directory.join(crate::support::station::log_name(counter));
        fs::write(log, "-- nothing\n").expect("write a log");
    }
    fs::write(station.at("etc/nso.lst"), "seen.a\n").expect("write a list");
    let entry = format!("{}\t{}\n", directory.display(), station.at("etc/nso.lst").display());
    fs::write(station.at("etc/slon_parser.cfg"), entry).expect("write the registry");
    acknowledge(&station, "nso", 2);
    let settings = "archive_dir=\nrescan=1\nsite_log_days=0\nbehind_logs=4\nrecovered_logs=1\nbehind_age=0\n";
    let hook = |hooks: &[&str]| station.configure(&(settings.to_owned() + &crate::hooked(&station, hooks)));
    hook(&["node_recovered"]);
    station.start_unready();
    // That it is behind is known, and nobody wanted to know.
    let is_known =
        || station.has("work/hooks.state") && station.read("work/hooks.state").contains("\"behind\":true");
    station.wait_for("a look", || is_known().then_some(()));
    hook(&["node_recovered", "node_behind"]);
    crate::send(&station, "HUP");
    assert_eq!(words(&hear(&station, 1)), [("node_behind", "nso")]);
    // The same over a restart; what was told stays told.
    kill_at_rest(&station);
    hook(&["node_recovered"]);
    station.start_unready();
    let is_forgotten = || !station.read("work/hooks.state").contains("node_behind");
    station.wait_for("the hook to be gone", || is_forgotten().then_some(()));
    kill_at_rest(&station);
    hook(&["node_recovered", "node_behind"]);
    station.start_unready();
    assert_eq!(words(&hear(&station, 2))[1], ("node_behind", "nso"));
    acknowledge(&station, "nso", 8);
    assert_eq!(words(&hear(&station, 3))[2], ("node_recovered", "nso"));
}
