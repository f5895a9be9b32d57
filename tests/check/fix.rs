//! What is put right, and that nothing else is touched.

use std::fs;

use crate::case::{Case, findings};
use crate::support::station::log_name;

/// Breaks everything that can be put right; what is to stay is left.
fn break_it(case: &Case) {
    case.register(&["nso", "nso.new"]);
    case.write("etc/nso.new.lst", "hmi.m_45s\n");
    fs::create_dir(case.at("site_logs/nso.new")).unwrap();
    case.write(&format!("site_logs/nso.new/{}", log_name(6)), "-- EOL\n");
    fs::create_dir(case.at("site_logs/nso.held")).unwrap();
    let log = format!("site_logs/nso/{}", log_name(6));
    fs::rename(case.at(&log), case.at(&format!("site_logs/nso.held/{}", log_name(6)))).unwrap();
    case.write("etc/so.stopped", "before 3\n");
    case.write("triggers/so.counter", "3\n");
    case.write("etc/.tmp-old", "half");
    case.age("etc/.tmp-old", 2);
    case.write("etc/.tmp-new", "half");
}

fn fix(case: &Case, args: &[&str]) -> serde_json::Value {
    let args: Vec<&str> = ["check", "--json", "--fix"].into_iter().chain(args.iter().copied()).collect();
    let output = case.station.command(&args);
    findings(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_belongs_to_nobody_goes_and_nothing_else() {
    let case = Case::new();
    let mut whole = case.station.tree();
    break_it(&case);
    whole.insert("etc/.tmp-new".into(), case.station.tree()["etc/.tmp-new"].clone());
    let broken = case.station.tree();
    case.finds(&[
        ("warning", "stale-new", "nso", "nso.new"),
        ("error", "held-without-fence", "nso", "nso.held"),
        ("error", "logs-missing", "nso", "its newest log is 5"),
        ("warning", "leftover", "so", "so.stopped, so.counter"),
        ("warning", "temporary", ".tmp-old", "older than a day"),
    ]);

    let dry = fix(&case, &["--dry-run"]);
    assert_eq!(dry["fixed"].as_array().unwrap().len(), 4, "{dry:#}");
    assert_eq!(case.station.tree(), broken);
    assert!(!case.station.has("work/audit.jsonl"));

    let done = fix(&case, &[]);
    assert_eq!(done["fixed"], dry["fixed"]);
    assert_eq!(case.station.tree(), whole);
    case.finds(&[]);
    let lines: Vec<serde_json::Value> = case
        .station
        .read("work/audit.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = lines.iter().map(|line| line["reason"].clone()).collect();
    assert_eq!(serde_json::Value::Array(told), done["fixed"]);
    assert!(lines.iter().all(|line| line["event"] == "fix" && line["who"].is_string()), "{lines:#?}");

    let again = fix(&case, &[]);
    assert!(again.get("fixed").is_none(), "{again:#}");
    assert_eq!(case.station.tree(), whole);
    assert_eq!(case.station.read("work/audit.jsonl").lines().count(), lines.len());
    // What is left is that no daemon runs.
    let output = case.station.command(&["check", "--fix"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_others_may_be_at_is_left_alone() {
    let case = Case::new();
    // A tool that speaks the deployed dialect is adding a node.
    case.register(&["nso", "so.new"]);
    case.write("etc/so.new.lst", "hmi.m_45s\n");
    fs::create_dir(case.at("site_logs/so.new")).unwrap();
    case.write("triggers/so.subscribe_series.tgr", "node so\n");
    // Lists, logs and requests of nodes that are not registered.
    case.write("etc/old.lst", "hmi.m_45s\n");
    case.write("etc/old.cuts", "from 3\nhmi.m_45s\n");
    fs::create_dir(case.at("site_logs/old")).unwrap();
    case.write(&format!("site_logs/old/{}", log_name(6)), "-- EOL\n");
    for name in [".x.claim", ".y.ready"] {
        case.write(&format!("triggers/{name}"), "");
        case.age(&format!("triggers/{name}"), 9);
    }
    // An open request explains its `.new`.
    case.write(
        "etc/mps.new.cut",
        "stem subscription_series\nsite new\nrequest\nnode mps\nhmi.m_45s subscribe\n",
    );
    case.write("etc/mps.new.lst", "hmi.m_45s\n");
    case.write("etc/mps.stopped", "before 3\n");
    let before = case.station.tree();
    let said = fix(&case, &[]);
    assert!(said.get("fixed").is_none(), "{said:#}");
    assert_eq!(case.station.tree(), before);
    case.finds(&[
        ("warning", "stale-new", "so", "so.new"),
        ("warning", "unregistered-list", "old", "old.lst, old.cuts"),
        ("warning", "unregistered-directory", "old", "site_logs/old"),
        ("warning", "temporary", ".x.claim", "older"),
        ("warning", "temporary", ".y.ready", "older"),
    ]);
}
