//! The audit trail: what became of every request, told once, whoever dies when; and `history`, which shows it.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;

use serde_json::Value;
use support::{Cluster, Site, Station};

/// The lines of the trail, as `history --json` prints them.
#[track_caller]
fn lines(station: &Station<'_>, args: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = ["history", "--json"].into_iter().chain(args.iter().copied()).collect();
    printed(station, &args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn printed(station: &Station<'_>, args: &[&str]) -> String {
    let output = station.command(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Of each line what happened, and to whom.
fn events(lines: &[Value]) -> Vec<(&str, &str)> {
    lines.iter().map(|line| (line["node"].as_str().unwrap_or("-"), line["event"].as_str().unwrap())).collect()
}

fn own_name() -> String {
    let output = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_was_asked_and_sent_is_told() {
    let station = Station::started(Cluster::shared(), "");
    let site = Site::new(Cluster::shared(), "nso");
    assert_eq!(lines(&station, &[]).len(), 0, "no trail yet");
    let sqldone = site.subscribe(&station, "request one\nhmi.m_45s subscribe\naia.lev1 subscribe");
    let told = lines(&station, &[]);
    assert_eq!(events(&told), [("nso", "accepted"), ("nso", "offered"), ("nso", "applied")]);
    for line in &told {
        assert_eq!(line["who"], own_name(), "{line}");
        assert_eq!(line["file"], "nso.subscription_series.tgr");
        assert_eq!(line["request"], "one");
        assert_eq!(line["added"], serde_json::json!(["hmi.m_45s", "aia.lev1"]), "{line}");
        assert_eq!(line["key"], told[0]["key"]);
    }
    let cut: u64 = sqldone.lines().next().unwrap().strip_prefix("cut ").unwrap().parse().unwrap();
    let file_bytes = |line: &str| line.strip_prefix("file ")?.split(' ').nth(1)?.parse::<u64>().ok();
    let bytes: u64 = sqldone.lines().filter_map(file_bytes).sum();
    let there: u64 = ["hmi.m_45s", "aia.lev1"]
        .map(|series| site.query(&format!("select count(*) from {series}")).parse::<u64>().unwrap())
        .iter()
        .sum();
    assert!(told[0].get("cut").is_none() && told[0].get("rows").is_none(), "{}", told[0]);
    // As PROTOCOL.md says. There is nothing that it takes out.
    let fields = |line: &Value| line.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let of_request = ["key", "event", "at", "node", "who", "file", "request", "added", "seconds"];
    let expected = |further: &[&str]| -> BTreeSet<String> {
        of_request.iter().chain(further).map(|field| (*field).to_owned()).collect()
    };
    assert_eq!(fields(&told[0]), expected(&[]));
    assert_eq!(fields(&told[1]), expected(&["cut", "rows", "bytes"]));
    for line in &told[1..] {
        assert_eq!((&line["cut"], &line["bytes"]), (&cut.into(), &bytes.into()), "{line}");
        assert_eq!(line["rows"], there, "the site has exactly these: no log is applied yet");
    }
}

#[test]
fn every_end_of_a_request_is_told() {
    let station = Station::started(Cluster::shared(), "");
    let site = Site::new(Cluster::shared(), "nso");
    ask_and_answer(&station, "hmi.m_45s subscribe", true);
    // Refused by what the lists say, and by what the database says.
    let refusal = "triggers/nso.subscription_series.sqldone";
    for lines in ["hmi.v_45s unsubscribe", "hmi.nothing subscribe"] {
        site.ask(&station, lines);
        station.wait_for("the refusal", || {
            let answered =
                fs::read_to_string(station.at(refusal)).is_ok_and(|text| text.starts_with("failure"));
            (answered && !station.has("etc/nso.new.cut")).then_some(())
        });
        fs::remove_file(station.at(refusal)).unwrap();
    }
    // Superseded, then rolled back.
    site.ask(&station, "hmi.v_45s subscribe");
    site.await_sql(&station);
    site.ask(&station, "hmi.m_45s unsubscribe");
    station.wait_for("the newer request", || {
        let answer = fs::read_to_string(station.at(refusal)).ok()?;
        (!answer.contains("hmi.v_45s")).then_some(())
    });
    site.answer(&station, false);
    // Rubbish beside an open request, and a word that nobody waits for.
    station.drop_file("nso.subscription_series.sqlapplied", "success true\n");
    let set_aside = |count: usize| {
        station.wait_for("the files to be set aside", || {
            let told = lines(&station, &[]);
            (told.iter().filter(|line| line["event"] == "set_aside").count() == count).then_some(())
        });
    };
    set_aside(1);
    station.drop_file("a b.subscribe_series.tgr", "?");
    set_aside(2);
    let told = lines(&station, &[]);
    let nso = |event| ("nso", event);
    let expected = [
        nso("refused"),
        nso("accepted"),
        nso("refused"),
        nso("accepted"),
        nso("offered"),
        nso("superseded"),
        nso("accepted"),
        nso("offered"),
        nso("rolled_back"),
        nso("set_aside"),
        ("-", "set_aside"),
    ];
    assert_eq!(events(&told[3..]), expected);
    assert_eq!(told[3]["reason"], "nso is not subscribed to hmi.v_45s");
    assert_eq!(told[5]["reason"], "unknown: hmi.nothing");
    assert_eq!(told[8]["key"], told[6]["key"], "the older request is the one that was superseded");
    assert_eq!(told[8]["cut"], told[7]["cut"]);
    assert_eq!(told[11]["removed"], serde_json::json!(["hmi.m_45s"]));
    assert_eq!(told[11]["reason"], "the site could not apply the SQL");
    assert_eq!(told[13]["file"], "a b.subscribe_series.tgr");

    let table = printed(&station, &["history", "nso", "--limit", "2"]);
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[0].starts_with("when ") && rows.len() == 3, "{table}");
    assert!(
        rows[1].contains("rolled back") && rows[1].ends_with("the site could not apply the SQL"),
        "{table}"
    );
    assert!(rows[1].contains(" -1 ") && rows[2].contains("set aside"), "{table}");
    assert_eq!(lines(&station, &["--since", "1h"]).len(), told.len());
    assert_eq!(lines(&station, &["--since", "2999-01-01"]).len(), 0);
    assert_eq!(lines(&station, &["other"]).len(), 0);
    let output = station.command(&["history", "--since", "yesterday"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_request_that_nobody_answers_expires() {
    let station = Station::started(Cluster::shared(), "request_days=0\nrescan=1");
    for (node, stem, end) in [("one", "subscription_series", "done"), ("two", "subscribe_series", "sqldone")]
    {
        station.drop_file(
            &format!("{node}.{stem}.tgr"),
            &format!("node {node}\nmdi.fd_m_96m_lev18 subscribe\nend\n"),
        );
        station.wait_for("the end of the request", || {
            let text = fs::read_to_string(station.at(&format!("triggers/{node}.{stem}.{end}"))).ok()?;
            (text.contains("nobody said") && !station.has(&format!("etc/{node}.new.cut"))).then_some(())
        });
        let told = lines(&station, &[node]);
        assert_eq!(events(&told), [(node, "accepted"), (node, "offered"), (node, "expired")]);
        assert!(told[2]["reason"].as_str().unwrap().starts_with("nobody said within 0 days"), "{}", told[2]);
        assert_eq!(told[2]["rows"], told[1]["rows"], "what was offered is known to the end");
    }
}

/// Asks, and answers as soon as there is SQL, until the end of the request; a daemon that is found dead is started again.
fn ask_and_answer(station: &Station<'_>, lines: &str, success: bool) -> u32 {
    let at = |ending: &str| format!("triggers/nso.subscription_series.{ending}");
    let mut deaths = 0;
    let mut is_said = false;
    station.drop_file("nso.subscription_series.tgr", &format!("node nso\n{lines}\nend\n"));
    station.wait_for("the end of a request with a kill in it", || {
        if station.has_ended() {
            deaths += 1;
            station.kill();
            station.start();
        }
        if !is_said && station.has(&at("sqldone")) {
            station
                .drop_file("nso.subscription_series.sqlapplied", &format!("node nso\nsuccess {success}\n"));
            is_said = true;
        }
        station.has(&at("done")).then_some(())
    });
    fs::remove_file(station.at(&at("done"))).unwrap();
    deaths
}

#[test]
fn an_outcome_is_told_once_whatever_step_the_daemon_dies_at() {
    let station = Station::started(Cluster::shared(), "");
    ask_and_answer(&station, "hmi.m_45s subscribe", true);
    let mut expected = vec!["accepted", "offered", "applied"];
    let mut deaths = 0;
    for step in 1..=18 {
        let success = step % 2 == 0;
        let verb =
            if station.read("etc/nso.lst").contains("hmi.v_45s") { "unsubscribe" } else { "subscribe" };
        station.kill();
        station.start_to_die(step);
        deaths += ask_and_answer(&station, &format!("hmi.v_45s {verb}"), success);
        let told = lines(&station, &[]);
        expected.extend(["accepted", "offered", if success { "applied" } else { "rolled_back" }]);
        let found: Vec<&str> = told.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "step {step}\n{told:#?}");
        let keys: Vec<_> = told.iter().rev().take(3).map(|line| line["key"].clone()).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "step {step}: {keys:?}");
        // Not even the file has a line twice.
        assert_eq!(station.read("work/audit.jsonl").lines().count(), expected.len(), "step {step}");
    }
    assert!(deaths >= 9, "the daemon died only {deaths} times: this test shows nothing");
}

#[test]
fn a_full_disk_delays_a_request_and_loses_nothing_of_it() {
    let station = Station::started(Cluster::shared(), "rescan=1");
    let (trail, kept) = (station.at("work/audit.jsonl"), station.at("work/kept"));
    let said = || station.said().matches("No space left on device").count();
    // Every write to it fails as on a full disk.
    let fill = || {
        let _ = fs::rename(&trail, &kept);
        symlink("/dev/full", &trail).unwrap();
    };
    let make_room = || {
        fs::remove_file(&trail).unwrap();
        let _ = fs::rename(&kept, &trail);
    };
    let fails = || {
        let before = said();
        station.wait_for("the disk to be full, twice", || (said() >= before + 2).then_some(()));
    };
    fill();
    station.drop_file("nso.subscription_series.tgr", "node nso\nhmi.m_45s subscribe\nend\n");
    fails();
    assert!(
        !station.has("triggers/nso.subscription_series.sqldone"),
        "nobody is answered whom no line tells of"
    );
    make_room();
    station.await_file("nso.subscription_series.sqldone");
    fill();
    station.drop_file("nso.subscription_series.sqlapplied", "node nso\nsuccess true\n");
    fails();
    assert!(!station.has("triggers/nso.subscription_series.done") && !station.has("etc/nso.lst"));
    make_room();
    assert_eq!(station.await_file("nso.subscription_series.done"), "success true\nhmi.m_45s\n");
    let told = lines(&station, &[]);
    assert_eq!(events(&told), [("nso", "accepted"), ("nso", "offered"), ("nso", "applied")]);
}

#[test]
fn what_was_moved_away_is_read_and_what_is_torn_is_passed_over() {
    let station = Station::started(Cluster::shared(), "");
    ask_and_answer(&station, "hmi.m_45s subscribe", true);
    let trail = station.at("work/audit.jsonl");
    let first = fs::read_to_string(&trail).unwrap();
    // As logrotate does: the oldest packed.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(first.as_bytes()).unwrap();
    fs::write(station.at("work/audit.jsonl.2.gz"), packed.finish().unwrap()).unwrap();
    fs::remove_file(&trail).unwrap();
    ask_and_answer(&station, "hmi.v_45s subscribe", false);
    fs::rename(&trail, station.at("work/audit.jsonl.1")).unwrap();
    // What a power loss leaves: the begin of a line, and a line that was written but not known to be.
    fs::write(&trail, format!("{}{{\"key\":\"nso 20", first.lines().last().unwrap().to_owned() + "\n"))
        .unwrap();
    ask_and_answer(&station, "hmi.m_45s unsubscribe", true);
    let told = lines(&station, &[]);
    let ends = ["applied", "rolled_back", "applied"];
    let expected: Vec<_> = ends.iter().flat_map(|end| ["accepted", "offered", *end]).collect();
    assert_eq!(told.iter().map(|line| line["event"].as_str().unwrap()).collect::<Vec<_>>(), expected);
    let output = station.command(&["history"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("are no events and left out"), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 10);
    // Packing was cut off: what there is of the file is shown, and nothing fails.
    let packed = station.at("work/audit.jsonl.2.gz");
    let bytes = fs::read(&packed).unwrap();
    fs::write(&packed, &bytes[..bytes.len() - 12]).unwrap();
    for command in [["history"].as_slice(), &["show", "nso"], &["cancel", "nso"], &["remove", "nso"]] {
        let output = station.command(command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?}: {said}");
        let warned =
            said.contains("audit.jsonl.2.gz` cannot be read to its end: what it has up to there is shown");
        assert!(warned || command[0] != "history" && command[0] != "show", "{command:?}: {said}");
    }
    assert!(
        station.read("work/audit.jsonl").contains("\n{\"key\":\"nso 20\n{\"key\":"),
        "the torn line is closed"
    );
}

#[test]
fn what_an_operator_changes_is_told() {
    let station = Station::started(Cluster::shared(), "");
    ask_and_answer(&station, "aia.lev1 subscribe", true);
    let last = station.caught_up().to_string();
    let again = ["resplit", "nso", "--from", &last, "--to", &last];
    printed(&station, &again);
    fs::write(Site::new(Cluster::shared(), "nso").log(&station, last.parse().unwrap()), "damaged\n").unwrap();
    printed(&station, &[again.as_slice(), &["--dry-run"]].concat());
    assert_eq!(lines(&station, &[]).len(), 3, "nothing was changed");
    printed(&station, &again);
    assert_eq!(lines(&station, &[]).len(), 4);
    let told = lines(&station, &["nso", "--limit", "1"]);
    assert_eq!((&told[0]["event"], &told[0]["who"]), (&"resplit".into(), &own_name().into()));
    assert_eq!(told[0]["reason"], format!("logs {last} to {last} are made again"));

    fs::write(station.at("etc/nso.stopped"), "before 999999999\nwhy a test\n").unwrap();
    printed(&station, &["ddl", "nso", "999999999", "--skip"]);
    let told = lines(&station, &["nso", "--limit", "1"]);
    assert_eq!(told[0]["event"], "ddl");
    assert_eq!(told[0]["reason"], "what could not be routed in archive 999999999 is skipped for nso");
}
