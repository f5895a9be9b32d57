//! Commands that need no database, on a tree that is written by hand: texts to the letter.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::documented::assert_fields;
use crate::place::{Place, assert_same, differing};
use crate::support::station::{LIMIT, MANAGER, log_name};
use crate::support::{programs, wait};

/// Three nodes that stand in different ways, all at archive 4.
pub(crate) fn three() -> Place {
    let place = Place::new(&[("nso", &["a.x", "a.y"]), ("mps", &["a.x"]), ("kis", &["a.z"])], "");
    place.archives(1..=4);
    place.split(4);
    for node in ["nso", "mps", "kis"] {
        for counter in 1..=4 {
            let log = format!("site_logs/{node}/{}", log_name(counter));
            place.write(&log, &"x".repeat(1_000));
            written(&place, &log, 3_660);
        }
    }
    place.write("site_logs/nso/slony_counter.txt", "3\n");
    written(&place, "site_logs/nso/slony_counter.txt", 7_260);
    place.write("site_logs/mps/slony_counter.txt", "9\n");
    written(&place, "site_logs/mps/slony_counter.txt", 90_000);
    place.run(&["pause", "kis", "--reason", "new disks"]);
    place
}

/// A file was written so many seconds ago. Ages are told in minutes: give whole ones, so that a test has one for itself.
pub(crate) fn written(place: &Place, path: &str, seconds: u64) {
    let file = File::options().write(true).open(place.at(path)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

/// What a command prints, whatever it says by its status; paths from the root on.
fn printed(place: &Place, args: &[&str]) -> String {
    let text = String::from_utf8(place.command(args).stdout).unwrap();
    text.replace(place.at("").to_str().unwrap().trim_end_matches('/'), "")
}

#[test]
fn list_shows_how_far_each_site_is() {
    let place = three();
    let expected = "\
node  stage  series  last log      age  acked      ago  behind      lag     disk  note
kis   idle        1         4  1 h 1 min      -        -       -        -  3.9 KiB  paused before 5: new disks; `subscription_manager resume kis` lets it go on
mps   idle        1         4  1 h 1 min      9  1 d 1 h       -        -  3.9 KiB  acknowledges 9, but its newest log is 4
nso   idle        2         4  1 h 1 min      3  2 h 1 min       1  1 h 1 min  3.9 KiB
no daemon runs: no request is served
";
    // Where the columns stand is comfy-table's; what is in them, and that no line is broken, is ours.
    let words = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let found = printed(&place, &["list"]);
    assert_eq!(words(&found), words(expected));
    let header = found.lines().next().unwrap();
    let begin = header.find("note").unwrap();
    for (line, note) in found.lines().skip(1).zip(["paused", "acknowledges"]) {
        assert_eq!(line.find(note), Some(begin), "{found}");
    }
}

#[test]
fn show_tells_everything_of_a_node() {
    let place = three();
    let expected = "\
nso
  stage     idle
  series    2: a.x, a.y
  list      /etc/nso.lst
  directory /site_logs/nso: 3.9 KiB, the newest log is 4, 1 h 1 min old
  site      has applied log 3, it said 2 h 1 min ago; 1 log behind, the next one is 1 h 1 min old
  dialect   psql
  readers   everybody
";
    assert_eq!(printed(&place, &["show", "nso"]), expected);
    let text = printed(&place, &["show", "kis"]);
    assert!(text.contains("\n  site      has never said what it has applied\n"), "{text}");
    assert!(text.contains(
        "\n  note      paused before 5: new disks; `subscription_manager resume kis` lets it go on\n"
    ));
    let history: Vec<&str> = text.lines().skip_while(|line| *line != "  history").collect();
    assert!(history.len() == 3 && history[2].ends_with("paused before archive 5: new disks"), "{text}");
}

#[test]
fn json_has_the_documented_fields() {
    let place = three();
    let list = place.list();
    assert_fields(&list, &["overview"]);
    assert_fields(&list["splitter"], &["splitter"]);
    assert_fields(&list["nodes"][0], &["node"]);
    let of = |args: &[&str]| -> serde_json::Value { serde_json::from_str(&printed(&place, args)).unwrap() };
    assert_fields(&of(&["show", "nso", "--json"]), &["node", "show"]);
    let status = of(&["status", "--json"]);
    assert_fields(&status, &["overview", "status"]);
    assert_fields(&status["database"], &["database"]);
    assert_eq!(
        (&list["nodes"][0]["stopped_why"], &list["nodes"][0]["severity"]),
        (&"paused".into(), &"warning".into())
    );
    assert_eq!(list["nodes"][2]["next_log_age_seconds"].as_u64().unwrap() / 60, 61);
    assert_eq!(list["splitter"]["counter"], 4);
}

#[test]
fn status_needs_a_person_where_nothing_runs() {
    let place = three();
    let output = place.command(&["status"]);
    assert_eq!(output.status.code(), Some(1));
    let text = printed(&place, &["status"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "manager   does not run: start it");
    assert!(lines[1].starts_with("database  cannot be asked: "), "{text}");
    assert!(lines[2].starts_with("splitter  archive 4 is split; the newest archive is "), "{text}");
    assert_eq!(lines[3], "nodes     3: 3 idle; 1 behind, 1 stopped");
    assert!(lines[4].starts_with("node      kis: paused before 5: new disks"), "{text}");
    assert!(lines[5].starts_with("node      mps: acknowledges 9"), "{text}");
    assert_eq!(&lines[6..], ["verdict   this needs a person"]);
    place.write("manager.cfg", "triggerdir=relative\n");
    assert_eq!(place.command(&["status"]).status.code(), Some(2), "that cannot be told");
}

#[test]
fn a_paused_node_gets_nothing_and_loses_nothing() {
    // Other series: logs that two nodes share are one file.
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.y"])], "site_log_days=5\narchive_days=5\n");
    place.archives(1..=3);
    place.split(3);
    let text = place.run(&["pause", "nso", "--reason", "  new\ndisks "]);
    assert!(text.starts_with("nso is paused before archive 4: it gets no logs"), "{text}");
    assert_eq!(place.read("etc/nso.stopped"), "before 4\npaused new disks\n");
    let trail = place.read("work/audit.jsonl");
    place.run(&["pause", "nso", "--reason", "new disks"]);
    assert_eq!(place.read("work/audit.jsonl"), trail, "the same again is nothing new");
    place.archives(4..=6);
    place.split(6);
    for counter in 1..=6 {
        place.age(&format!("archives/{}", log_name(counter)), 9);
    }
    for counter in 1..=3 {
        place.age(&format!("site_logs/nso/{}", log_name(counter)), 9);
    }
    let of_node = |place: &Place| {
        let mut tree = place.tree();
        tree.retain(|name, _| name.starts_with("site_logs/nso/"));
        tree
    };
    let before = of_node(&place);
    place.run(&["tidy"]);
    assert_same(&before, &of_node(&place));
    let kept: Vec<u64> =
        (1..=6).filter(|counter| place.at(&format!("archives/{}", log_name(*counter))).exists()).collect();
    assert_eq!(kept, [4, 5, 6], "what the paused node has not had is kept, whatever its age");
    assert!(place.refused(&["ddl", "nso", "4", "--send"]).contains("nso is paused"));

    assert_eq!(
        place.run(&["resume", "nso"]),
        "nso goes on: it gets its logs from 4 on, when the manager runs\n"
    );
    assert_eq!(place.read("etc/nso.stopped"), "before 4\n");
    place.split(6);
    let logs: Vec<_> = (1..=6).map(|counter| (counter, crate::text::log(counter, &["a.x"]))).collect();
    place.assert_logs("nso", &logs);
    assert!(!place.at("etc/nso.stopped").exists());
    let nothing = "nso is not paused: there is nothing to resume\n";
    assert_eq!(place.run(&["resume", "nso"]), nothing);
    // Paused and let go on in between two archives: there is nothing to catch up with.
    place.run(&["pause", "nso"]);
    place.run(&["resume", "nso"]);
    assert!(!place.at("etc/nso.stopped").exists());
}

#[test]
fn who_stopped_before_a_statement_stops_there_again_after_a_pause() {
    let place = Place::new(&[("nso", &["a.x"])], "");
    place.archives(1..=3);
    place.archive(2, &crate::text::undecided(2));
    place.split(3);
    let stopped = place.read("etc/nso.stopped");
    place.run(&["pause", "nso"]);
    assert_eq!(place.read("etc/nso.stopped"), "before 2\npaused \n");
    place.run(&["resume", "nso"]);
    place.split(3);
    assert_eq!(place.read("etc/nso.stopped"), stopped);
}

#[test]
fn what_is_mistyped_is_said_and_changes_nothing() {
    let place = three();
    let unknown = "there is no node nos: registered are kis, mps, nso\n";
    for args in [&["show", "nos"][..], &["pause", "nos"], &["resume", "nos"], &["cancel", "nos"]] {
        let said = place.refused(args);
        assert!(said.ends_with(unknown), "{args:?}: {said}");
    }
    assert_eq!(place.run(&["cancel", "nso"]), "nso has no open request: there is nothing to cancel\n");
    assert_eq!(place.run(&["remove", "nos"]), "nothing of nos is here\n");
    assert!(place.refused(&["subscribe", "nso", "a.x"]).contains("--from-operator"));
    let said = place.refused(&["subscribe", "nso", "ax", "--from-operator"]);
    assert!(said.contains("`ax` is not schema.table"), "{said}");
    let said = place.refused(&["subscribe", "nso", "a.z", "--from-operator", "--unsubscribe"]);
    assert!(said.contains("nso is not subscribed to a.z"), "{said}");
    let said = place.refused(&["subscribe", "kis", "a.x", "--from-operator"]);
    assert!(said.contains("the logs of kis stop before archive 5 (paused)"), "{said}");
    assert!(place.refused(&["series"]).contains("connect to database"));
}

#[test]
fn a_directory_that_is_not_there_is_named_by_its_key() {
    let place = three();
    for (key, path) in [("triggerdir", "triggers"), ("subscribers_dir", "site_logs"), ("work_dir", "work")] {
        std::fs::rename(place.at(path), place.at("away")).unwrap();
        for command in ["check", "run"] {
            let said = place.fails(&[command]);
            assert!(said.contains(&format!("`{key}` cannot be used: list ")), "{command}: {said}");
            assert!(said.contains("make the directory, or put the key right"), "{said}");
        }
        std::fs::rename(place.at("away"), place.at(path)).unwrap();
    }
}

#[test]
fn a_reason_stays_when_a_node_is_paused_once_more() {
    let place = three();
    place.run(&["pause", "kis"]);
    assert_eq!(place.read("etc/kis.stopped"), "before 5\npaused new disks\n");
}

#[test]
fn a_request_that_nobody_has_taken_is_named_to_who_wants_to_cancel_it() {
    let place = three();
    place.write("triggers/nso.subscription_series.tgr", "node nso\na.z subscribe\nend\n");
    let said = place.run(&["cancel", "nso"]);
    assert!(said.ends_with(", but `nso.subscription_series.tgr` is not taken yet: remove it\n"), "{said}");
}

#[test]
fn remove_says_what_it_does_and_does_that() {
    let place = three();
    for name in ["nso.subscription_series.done", "nso.subscribe_series.sql", "nso.counter", "mps.counter"] {
        place.write(&format!("triggers/{name}"), "4\n");
    }
    place.write("triggers/nso.subscribe_series.tgr", "node nso\na.z subscribe\nend\n");
    let before = place.tree();
    let dry = printed(&place, &["remove", "nso", "--dry-run"]);
    assert_same(&before, &place.tree());
    let text = printed(&place, &["remove", "nso"]);
    let expected = "\
set aside: /triggers/nso.subscribe_series.tgr
removed: /site_logs/nso: 5 files, logs of 3.9 KiB
removed: /etc/nso.lst
removed: the line in the registry
removed: /triggers/nso.counter
removed: /triggers/nso.subscribe_series.sql
removed: /triggers/nso.subscription_series.done
";
    assert_eq!(text, expected);
    assert_eq!(
        dry,
        expected.replace("removed: ", "would be removed: ").replace("set aside", "would be set aside")
    );
    let after = place.tree();
    let changed = differing(&before, &after);
    let is_gone = |name: &String| !after.contains_key(name);
    let changed: Vec<_> =
        changed.into_iter().filter(|name| !name.starts_with("triggers/rejected/")).collect();
    let left: Vec<_> = changed.iter().filter(|name| !is_gone(name)).collect();
    let rejected = "triggers/rejected/nso.subscribe_series.tgr";
    assert_eq!(left, ["etc/slon_parser.cfg", "work/audit.jsonl"]);
    assert_eq!(
        place.read(&format!("{rejected}.reason")),
        "the operator of the data centre has removed the node\n"
    );
    assert!(changed.iter().filter(|name| is_gone(name)).all(|name| name.contains("nso")), "{changed:#?}");
    assert!(!place.at("site_logs/nso").exists() && !place.read("etc/slon_parser.cfg").contains("nso"));
    assert_eq!(place.run(&["remove", "nso"]), "nothing of nso is here\n");
}

#[test]
fn remove_knows_of_a_request_that_was_being_taken() {
    let place = three();
    let text = "node nso\na.z subscribe\nend\n";
    place.write("triggers/.nso.subscribe_series.tgr.claim", text);
    let before = place.tree();
    let dry = printed(&place, &["remove", "nso", "--dry-run"]);
    assert!(dry.starts_with("would be set aside: /triggers/nso.subscribe_series.tgr\n"), "{dry}");
    assert_same(&before, &place.tree());
    let said = printed(&place, &["remove", "nso"]);
    assert!(said.starts_with("set aside: /triggers/nso.subscribe_series.tgr\n"), "{said}");
    assert_eq!(place.read("triggers/rejected/nso.subscribe_series.tgr"), text);
    assert!(!place.tree().keys().any(|name| name.starts_with("triggers/") && name.contains(".claim")));
}

#[test]
fn a_line_that_is_added_to_the_registry_while_a_node_is_removed_stays() {
    let place = three();
    // Each sync of the directory of the registry takes a second: time enough for an editor.
    let mut strace = Command::new(programs::find("strace"));
    strace.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync",
        "-e",
        "inject=fsync:delay_enter=1000000",
    ]);
    strace.arg("-P").arg(place.at("etc")).arg(MANAGER).arg("--config").arg(place.at("manager.cfg"));
    let remove = strace.args(["remove", "nso"]).env_clear().stderr(Stdio::piped()).spawn().unwrap();
    wait::until("the step before", LIMIT, || (!place.at("site_logs/nso").exists()).then_some(()));
    let edited = place.read("etc/slon_parser.cfg") + "# of an operator\n";
    place.write("etc/slon_parser.cfg", &edited);
    let output = remove.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("somebody has changed"), "{said}");
    assert_eq!(place.read("etc/slon_parser.cfg"), edited);
    place.run(&["remove", "nso"]);
    let others: String =
        edited.lines().filter(|line| !line.contains("nso")).map(|line| format!("{line}\n")).collect();
    assert_eq!(place.read("etc/slon_parser.cfg"), others);
}

#[test]
fn remove_keeps_what_is_not_ours() {
    let place = three();
    place.write("site_logs/nso/README", "of the site\n");
    let at = place.at("").display().to_string();
    let at = at.trim_end_matches('/');
    // The list of nso is that of mps, too; the directory of kis is that of all.
    let registry = format!("{at}/site_logs/nso {at}/etc/mps.lst\n{at}/site_logs/mps {at}/etc/mps.lst\n");
    place.write("etc/slon_parser.cfg", &registry);
    let text = printed(&place, &["remove", "nso"]);
    assert!(text.contains("kept: /site_logs/nso: 1 names in it are not ours, `README` for one\n"), "{text}");
    assert!(text.contains("kept: /etc/mps.lst: it is the list of another node, too\n"), "{text}");
    assert_eq!(place.read("etc/slon_parser.cfg"), registry.lines().nth(1).unwrap().to_owned() + "\n");
    let names: Vec<_> =
        std::fs::read_dir(place.at("site_logs/nso")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["README"]);
    // A directory that holds more than the node's logs is not even looked into.
    place.write("etc/slon_parser.cfg", &format!("{at}/site_logs {at}/etc/kis.lst\n"));
    let before = place.tree();
    let text = printed(&place, &["remove", "site_logs"]);
    assert!(text.contains("kept: /site_logs: it is configured for more than this node\n"), "{text}");
    let changed = differing(&before, &place.tree());
    assert_eq!(changed, ["etc/kis.lst", "etc/slon_parser.cfg", "work/audit.jsonl"]);
}

#[test]
fn commands_that_change_something_tell_it_to_programs() {
    let place = three();
    let of = |args: &[&str]| -> serde_json::Value {
        let object = serde_json::from_str(&printed(&place, &[args, &["--json"]].concat())).unwrap();
        assert_fields(&object, &[args[0], "deed"]);
        object
    };
    let told = |args: &[&str], field: &str| {
        let object = of(args);
        (object["changed"].as_bool().unwrap(), object[field].clone())
    };
    assert_eq!(told(&["pause", "nso", "--reason", "new disks"], "before"), (true, 5.into()));
    assert_eq!(told(&["pause", "nso"], "reason"), (false, "new disks".into()));
    assert_eq!(told(&["resume", "nso"], "from"), (true, 5.into()));
    assert_eq!(told(&["resume", "nso"], "from"), (false, serde_json::Value::Null));
    place.write("triggers/nso.subscribe_series.tgr", "");
    assert_eq!(told(&["cancel", "nso"], "waiting"), (false, "nso.subscribe_series.tgr".into()));
    let gone = ["/site_logs/mps: 5 files, logs of 3.9 KiB", "/etc/mps.lst", "the line in the registry"];
    let dry = of(&["remove", "mps", "--dry-run"]);
    assert_eq!(
        (&dry["dry_run"], &dry["changed"], &dry["removed"]),
        (&true.into(), &true.into(), &gone[..].into())
    );
    assert_eq!(told(&["remove", "mps"], "removed"), (true, gone[..].into()));
    assert_eq!(told(&["remove", "mps"], "removed"), (false, serde_json::json!([])));
}
