//! What the data centre does without a database: splitting, catching up after a decision, splitting again, tidying.
//! Walked whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use crate::deaths::Deaths;
use crate::place::Place;
use crate::support::station::{MANAGER, log_name};
use crate::text::{archive, undecided};
use crate::walk::{Extent, Scenario, Time, walk};

/// A command of the manager.
pub(crate) struct Offline {
    /// The place before it.
    pub(crate) place: fn() -> Place,
    pub(crate) args: &'static [&'static str],
    /// Its exit status when it ends well.
    pub(crate) status: i32,
    /// What is expected of the place beyond being as in the undisturbed run.
    pub(crate) right: fn(&Place),
    /// The same at any time, also between a death and the next start.
    pub(crate) always: fn(&Place),
    /// What somebody else does then, and once it has ended well.
    pub(crate) beside: fn(&Place),
    /// The program under which it runs, with its arguments.
    pub(crate) under: fn(&Place) -> Vec<String>,
    /// The directory that is a disk of its own.
    pub(crate) disk: Option<&'static str>,
    /// How everything lay after the undisturbed run, at both times.
    pub(crate) undisturbed: [OnceLock<Snapshot>; 2],
}

/// Every file of a place by its name with its text and mode; bundles by what is in them.
type Snapshot = BTreeMap<String, (String, u32)>;

impl Offline {
    pub(crate) fn new(place: fn() -> Place, args: &'static [&'static str], right: fn(&Place)) -> Self {
        Self {
            place,
            args,
            status: 0,
            right,
            always: |_| (),
            beside: |_| (),
            under: |_| Vec::new(),
            disk: None,
            undisturbed: [const { OnceLock::new() }; 2],
        }
    }
}

impl Scenario for Offline {
    type World = Place;

    fn world(&self) -> Place {
        (self.place)()
    }

    fn root(&self, place: &Place) -> PathBuf {
        place.at("")
    }

    fn disk(&self, place: &Place) -> Option<PathBuf> {
        self.disk.map(|disk| place.at(disk))
    }

    fn run(&self, place: &Place, deaths: &Deaths) {
        loop {
            let mut words = (self.under)(place);
            words.extend([MANAGER, "--config"].map(str::to_owned));
            let mut command = Command::new(words.remove(0));
            command.args(words).arg(place.at("manager.cfg")).args(self.args);
            let output = command.env_clear().envs(deaths.environment()).output().unwrap();
            if output.status.code() == Some(self.status) {
                return (self.beside)(place);
            }
            let said = || String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.signal(), Some(9), "{}", said());
            deaths.died(&said);
            assert_whole(place);
            (self.always)(place);
            (self.beside)(place);
        }
    }

    fn run_again(&self, place: &Place, _: &Deaths) {
        assert_whole(place);
        (self.always)(place);
        // What a killed one has left hidden goes with it when it is old.
        place.age_hidden();
        place.run(&["tidy"]);
        let mut hidden = place.hidden();
        // Here with the next start of the daemon.
        hidden.retain(|path| !["/etc/.tmp-", "/triggers/.tmp-"].iter().any(|part| path.contains(part)));
        assert_eq!(hidden, Vec::<String>::new());
    }

    fn judge(&self, place: &Place, time: Time) {
        (self.right)(place);
        let found = snapshot(place);
        let expected = self.undisturbed[time as usize].get_or_init(|| found.clone());
        let names: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
        for name in names {
            assert_eq!(found.get(name), expected.get(name), "{name}");
        }
    }
}

/// Whatever log has a visible name is whole.
fn assert_whole(place: &Place) {
    for (name, there) in place.tree() {
        let is_log = name.starts_with("site_logs/") && name.contains("/slony1_log_");
        assert!(!is_log || there.text.ends_with(b"\n-- EOL\n"), "{name} is not whole");
    }
}

/// What the audit trail tells, whenever and how often: who gives a command again is told again.
fn told(trail: &[u8]) -> String {
    let lines = trail.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut line: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).ok()?;
        line.retain(|key, _| !["key", "at"].contains(&key.as_str()));
        // After a death there is less of it left to be taken away.
        if line.get("event")? == "fix" {
            line.remove("reason");
        }
        serde_json::to_string(&line).ok()
    });
    lines.collect::<std::collections::BTreeSet<String>>().into_iter().collect::<Vec<_>>().join("\n")
}

fn snapshot(place: &Place) -> Snapshot {
    let root = place.at("").display().to_string();
    let root = root.trim_end_matches('/');
    let mut snapshot = Snapshot::new();
    for (name, there) in place.tree() {
        let text = match name.as_str() {
            name if name.contains("/.tmp-") => continue,
            // Nothing relies upon it: what is lost of it is noted again.
            "work/split.seen" => continue,
            "work/audit.jsonl" => told(&there.text),
            name if name.ends_with(".tar.gz") => "a bundle".to_owned(),
            _ => String::from_utf8_lossy(&there.text).replace(root, ""),
        };
        snapshot.insert(name, (text, there.mode));
    }
    let sites = fs::read_dir(place.at("site_logs")).unwrap().map(|site| site.unwrap().path());
    for directory in sites.chain([place.at("archives")]) {
        let directory = directory.strip_prefix(place.at("")).unwrap().to_str().unwrap().to_owned();
        for (log, text) in place.reachable(&directory) {
            snapshot.insert(format!("{directory} gives {log}"), (text, 0));
        }
    }
    snapshot
}

/// Three nodes with different lists, two of which share one; a request of the third is open behind a fence.
fn archives_for_three() -> Place {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"]), ("kis", &["a.y", "a.z"])], "");
    place.archives(1..=2);
    place.split(2);
    place.archives(3..=12);
    place
}

fn assert_split(place: &Place) {
    assert_eq!(place.counter(), 12);
    let logs = |series: &[&str]| -> BTreeMap<String, String> {
        (1..=12).map(|counter| (log_name(counter), crate::text::log(counter, series))).collect()
    };
    for (node, series) in [("nso", &["a.x"][..]), ("mps", &["a.x"]), ("kis", &["a.y", "a.z"])] {
        let reachable = place.reachable(&format!("site_logs/{node}"));
        assert_eq!(reachable, logs(series), "{node}");
    }
}

#[test]
fn archives_are_split() {
    walk(
        "split",
        Extent::Sample(28),
        &Offline::new(archives_for_three, &["split", "--until", "12"], assert_split),
    );
}

/// Two nodes that stopped before archive 4 and are decided about; another goes on.
fn decided() -> Place {
    let place = Place::new(&[("nso", &["a.x"]), ("mps", &["a.x"]), ("kis", &["a.y"])], "");
    place.archives(1..=8);
    place.archive(4, &undecided(4));
    place.split(8);
    place.run(&["ddl", "nso", "4", "--send"]);
    place.run(&["ddl", "kis", "4", "--skip"]);
    place.archive(9, &archive(9));
    place
}

fn assert_caught_up(place: &Place) {
    assert_eq!(place.counter(), 9);
    assert_eq!(place.read(&format!("site_logs/kis/{}", log_name(9))), crate::text::log(9, &["a.y"]));
    assert_eq!(
        place.read(&format!("site_logs/nso/{}", log_name(4))),
        crate::text::log_with_statement(4, &["a.x"])
    );
    assert!(place.read("etc/mps.stopped").starts_with("before 4\n"));
    assert!(!place.at("etc/nso.stopped").exists() && !place.at("etc/kis.stopped").exists());
}

#[test]
fn nodes_catch_up() {
    walk(
        "catching up",
        Extent::Sample(22),
        &Offline::new(decided, &["split", "--until", "9"], assert_caught_up),
    );
}

/// A node that stopped.
fn stopped() -> Place {
    let place = Place::new(&[("nso", &["a.x"])], "");
    place.archives(1..=3);
    place.archive(2, &undecided(2));
    place.split(3);
    place
}

#[test]
fn a_decision_is_written_down() {
    let right = |place: &Place| assert_eq!(place.read("etc/nso.ddl"), "2 send\n");
    walk("ddl", Extent::Whole, &Offline::new(stopped, &["ddl", "nso", "2", "--send"], right));
}

/// Twelve logs of which nine are in bundles, damaged.
fn damaged() -> Place {
    let place = Place::new(&[("nso", &["a.x", "a.y"]), ("mps", &["a.x"])], "bundle_after=3\n");
    place.archives(1..=12);
    place.split(12);
    place.run(&["tidy"]);
    place.damage();
    place
}

fn assert_mended(place: &Place) {
    let logs: BTreeMap<_, _> =
        (1..=12).map(|counter| (log_name(counter), crate::text::log(counter, &["a.x", "a.y"]))).collect();
    assert_eq!(place.reachable("site_logs/nso"), logs);
}

#[test]
fn logs_are_split_again() {
    let args = &["resplit", "nso", "--from", "1", "--to", "12"];
    walk("resplit", Extent::Sample(22), &Offline::new(damaged, args, assert_mended));
}

/// Something of every kind to do: logs to be removed because they are acknowledged or old, to be bundled, and to be
/// settled because they lie in the range of a bundle, one of them written anew since.
fn untidy() -> Place {
    let place = Place::new(
        &[("nso", &["a.x"]), ("mps", &["a.x"])],
        "bundle_after=2\nsite_log_days=30\narchive_days=10\n",
    );
    place.archives(1..=8);
    place.split(8);
    let site = "site_logs/nso";
    let mut tar = Command::new("tar");
    tar.arg("cfz").arg(place.at(&format!("{site}/slony_logs_3-4.tar.gz"))).args([3, 4].map(log_name));
    assert!(tar.current_dir(place.at(site)).status().unwrap().success());
    age(&place.at(&format!("{site}/slony_logs_3-4.tar.gz")), 5);
    for counter in 1..=8 {
        let name = log_name(counter);
        age(&place.at(&format!("{site}/{name}")), 5);
        age(&place.at(&format!("archives/{name}")), if counter < 3 { 11 } else { 5 });
    }
    place.write("site_logs/nso/slony_counter.txt", "2\n");
    place.write("etc/mps.cuts", "from 1\na.y\nfrom 2\na.x\n");
    place
}

/// Sets when a file was written, by a clock that stands still: bundles hold it.
pub(crate) fn age(path: &Path, days: u64) {
    static NOW: OnceLock<SystemTime> = OnceLock::new();
    let now = *NOW.get_or_init(SystemTime::now);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(now - Duration::from_secs(days * 86_400)).unwrap();
}

/// Whatever a node has not acknowledged, it can get.
fn nothing_is_lost(place: &Place) {
    let (nso, mps) = (place.reachable("site_logs/nso"), place.reachable("site_logs/mps"));
    for counter in 3..=8 {
        let log = crate::text::log(counter, &["a.x"]);
        assert_eq!(nso.get(&log_name(counter)), Some(&log), "log {counter} of nso");
        assert_eq!(mps.get(&log_name(counter)), Some(&log), "log {counter} of mps");
    }
}

#[test]
fn logs_are_bundled_and_removed() {
    let scenario = Offline { always: nothing_is_lost, ..Offline::new(untidy, &["tidy"], nothing_is_lost) };
    walk("tidy", Extent::Sample(22), &scenario);
}
