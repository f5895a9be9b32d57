//! An installation that a test fills, and everything that lies in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use crate::support::programs;
use crate::support::station::{MANAGER, log_name};
use crate::text;

/// An installation without a daemon and without a database.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

/// A file as it lies there: who has touched it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct There {
    pub(crate) text: Vec<u8>,
    pub(crate) inode: u64,
    pub(crate) modified: SystemTime,
    pub(crate) mode: u32,
    pub(crate) links: u64,
}

/// Every file, by its name below the root.
pub(crate) type Tree = BTreeMap<String, There>;

impl Place {
    /// Nodes with their lists, and nothing to split. Archives are those of Slony node 2.
    pub(crate) fn new(nodes: &[(&str, &[&str])], settings: &str) -> Self {
        let place = Self { root: tempfile::tempdir().unwrap() };
        for part in ["triggers", "site_logs", "etc", "work", "archives"] {
            fs::create_dir(place.at(part)).unwrap();
        }
        place.configure(settings);
        let names: Vec<_> = nodes.iter().map(|(node, _)| *node).collect();
        for (node, list) in nodes {
            fs::create_dir(place.at(&format!("site_logs/{node}"))).unwrap();
            place.write(&format!("etc/{node}.lst"), &lines(list));
        }
        place.register(&names);
        place
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, settings: &str) {
        let at = self.root.path().display();
        let usual = format!(
            "triggerdir={at}/triggers\nsubscribers_dir={at}/site_logs\nparser_config={at}/etc/slon_parser.cfg\n\
             tables_dir={at}/etc\nwork_dir={at}/work\narchive_dir={at}/archives\nslony_node=2\npg_host={at}\n"
        );
        self.write("manager.cfg", &(usual + settings));
    }

    /// The nodes that are registered.
    pub(crate) fn register(&self, nodes: &[&str]) {
        let at = self.root.path().display();
        let line = |node: &&str| format!("{at}/site_logs/{node}\t{at}/etc/{node}.lst\n");
        self.write("etc/slon_parser.cfg", &nodes.iter().map(line).collect::<String>());
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Archives with a row of each series, both ends included.
    pub(crate) fn archives(&self, counters: std::ops::RangeInclusive<u64>) {
        counters.for_each(|counter| self.archive(counter, &text::archive(counter)));
    }

    pub(crate) fn archive(&self, counter: u64, text: &str) {
        self.write(&format!("archives/{}", log_name(counter)), text);
    }

    pub(crate) fn age(&self, path: &str, days: u64) {
        let file = File::options().write(true).open(self.at(path)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Output {
        let mut command = Command::new(MANAGER);
        command.arg("--config").arg(self.at("manager.cfg")).args(args).env_clear().output().unwrap()
    }

    /// Runs a command that must succeed; returns what it prints.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.command(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail, and must not change anything; returns what it says.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let before = self.tree();
        let said = self.fails(args);
        assert_same(&before, &self.tree());
        said
    }

    /// Runs a command that must fail; returns what it says.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let output = self.command(args);
        assert!(!output.status.success() && output.stdout.is_empty(), "{args:?} succeeded");
        String::from_utf8(output.stderr).unwrap()
    }

    #[track_caller]
    pub(crate) fn split(&self, until: u64) -> String {
        self.run(&["split", "--until", &until.to_string()])
    }

    #[track_caller]
    pub(crate) fn resplit(&self, node: &str, from: u64, to: u64) -> String {
        self.run(&["resplit", node, "--from", &from.to_string(), "--to", &to.to_string()])
    }

    /// Runs a command that is killed at the call of this number. Whether it was.
    #[track_caller]
    pub(crate) fn killed(&self, args: &[&str], call: &str, step: u32) -> bool {
        let inject = format!("inject={call}:signal=SIGKILL:when={step}");
        let output = Command::new(programs::find("strace"))
            .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject])
            .args([MANAGER, "--config"])
            .arg(self.at("manager.cfg"))
            .args(args)
            .output()
            .unwrap();
        if output.status.success() {
            return false;
        }
        let signal = output.status.signal().or(output.status.code().map(|code| code - 128));
        assert_eq!(signal, Some(9), "{}", String::from_utf8_lossy(&output.stderr));
        true
    }

    #[track_caller]
    pub(crate) fn list(&self) -> serde_json::Value {
        serde_json::from_str(&self.run(&["list", "--json"])).unwrap()
    }

    /// What `list` notes of a node.
    #[track_caller]
    pub(crate) fn notes(&self, node: &str) -> Vec<String> {
        let all = self.list();
        let row = all["nodes"].as_array().unwrap().iter().find(|row| row["node"] == node).unwrap();
        row["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned()).collect()
    }

    /// The last archive that is split.
    pub(crate) fn counter(&self) -> u64 {
        self.read("work/split.counter").trim().parse().unwrap()
    }

    /// Every file there is.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        collect(self.root.path(), self.root.path(), &mut tree);
        tree
    }

    /// Fails unless the singles of a directory are exactly these.
    #[track_caller]
    pub(crate) fn assert_logs(&self, node: &str, expected: &[(u64, String)]) {
        let directory = format!("site_logs/{node}/");
        let name = |counter: u64| directory.clone() + &log_name(counter);
        let expected: BTreeMap<String, &str> =
            expected.iter().map(|(counter, text)| (name(*counter), text.as_str())).collect();
        let tree = self.tree();
        let found: BTreeMap<String, String> = tree
            .iter()
            .filter(|(name, _)| name.starts_with(&directory) && !name.ends_with(".tar.gz"))
            .map(|(name, there)| (name.clone(), String::from_utf8_lossy(&there.text).into_owned()))
            .collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, text) in expected {
            assert_eq!(found[&name], text, "{name}");
        }
    }

    /// Every log that a client could get from a directory: singles first, then bundles with the real tar.
    pub(crate) fn reachable(&self, directory: &str) -> BTreeMap<String, String> {
        let mut logs = BTreeMap::new();
        let mut names: Vec<_> =
            fs::read_dir(self.at(directory)).unwrap().map(|entry| entry.unwrap().path()).collect();
        // `slony1_...` comes before `slony_...`.
        names.sort();
        for path in names {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.ends_with(".tar.gz") {
                for (member, text) in unpacked(&path) {
                    logs.entry(member).or_insert(text);
                }
            } else if !name.starts_with('.') {
                logs.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
        logs
    }

    /// Damages the logs of `nso`, of which there are twelve, the first nine in bundles of three: 1 to 3 and 12 are missing, 5
    /// (in a bundle) and 10 differ.
    pub(crate) fn damage(&self) {
        fs::remove_file(self.at("site_logs/nso/slony_logs_1-3.tar.gz")).unwrap();
        self.bundle_with("site_logs/nso/slony_logs_4-6.tar.gz", 5, "-- of another archive\n");
        let tenth = format!("site_logs/nso/{}", log_name(10));
        let other = self.read(&tenth).replace("{n,10}", "{n,01}");
        self.write(&tenth, &other);
        fs::remove_file(self.at(&format!("site_logs/nso/{}", log_name(12)))).unwrap();
    }

    /// Lets what a killed process has left be old enough to be told from what one at work has.
    pub(crate) fn age_hidden(&self) {
        for path in self.hidden() {
            let file = File::open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(2 * 60 * 60)).unwrap();
        }
    }

    /// Makes a bundle of a directory anew, with this log in place of its namesake.
    pub(crate) fn bundle_with(&self, bundle: &str, counter: u64, text: &str) {
        let scratch = tempfile::tempdir().unwrap();
        let mut members = unpacked(&self.at(bundle));
        members.insert(log_name(counter), text.to_owned());
        for (name, text) in &members {
            fs::write(scratch.path().join(name), text).unwrap();
        }
        let mut tar = Command::new("tar");
        tar.arg("cfz").arg(self.at(bundle)).args(members.keys()).current_dir(scratch.path());
        assert!(tar.status().unwrap().success());
    }

    /// Hidden files and directories: there are none when nothing runs.
    pub(crate) fn hidden(&self) -> Vec<String> {
        let mut hidden = Vec::new();
        for part in ["triggers", "site_logs", "etc", "work", "archives"] {
            find_hidden(&self.at(part), &mut hidden);
        }
        hidden
    }
}

/// A user table list.
pub(crate) fn lines(list: &[&str]) -> String {
    list.iter().map(|name| format!("{name}\n")).collect()
}

/// Fails with the names that differ, not with the whole of both trees.
#[track_caller]
pub(crate) fn assert_same(before: &Tree, after: &Tree) {
    let differing = differing(before, after);
    assert!(differing.is_empty(), "{differing:#?} have changed");
}

/// The names that are not the same in both.
pub(crate) fn differing(before: &Tree, after: &Tree) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

fn unpacked(bundle: &Path) -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    assert!(tar.arg("xfz").arg(bundle).current_dir(directory.path()).status().unwrap().success());
    let entries = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn collect(root: &Path, directory: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            collect(root, &path, tree);
            continue;
        }
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        // Empty, and made by whoever comes first.
        if path.extension().is_some_and(|ending| ending == "lock") {
            continue;
        }
        let text = if metadata.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        let there = There {
            text,
            inode: metadata.ino(),
            modified: metadata.modified().unwrap(),
            mode: metadata.mode() & 0o7777,
            links: metadata.nlink(),
        };
        tree.insert(name, there);
    }
}

fn find_hidden(directory: &Path, hidden: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with('.') {
            hidden.push(path.display().to_string());
        } else if path.is_dir() {
            find_hidden(&path, hidden);
        }
    }
}
