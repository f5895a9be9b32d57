//! Whole archives and the site logs that they must become: `tests/golden/<case>/`, through the real binary, twice.
//!
//! - `archive.sql`: archive 7 of node 2 in cluster `jsoc`;
//! - `nodes`: lines `node dialect series...`, series with blanks in SQL's quotes;
//! - `config`: further lines of the configuration; `sequences`: lines `id schema.name`; both may stay away;
//! - `<node>.sql`: that node's site log to the byte; or `<node>.stopped`: lines that the file of this name in `tables_dir`
//!   must hold, and no site log;
//! - `fault`, in place of those: lines that standard error must hold, while no node gets anything.
//!
//! Expected files are derived by hand from PROTOCOL.md. `GOLDEN=accept` writes what is found over them; then read the
//! difference. `GOLDEN_CASE=text` runs the cases whose names hold the text.
#![allow(clippy::unwrap_used, reason = "the helpers of tests panic like tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LOG: &str = "slony1_log_2_00000000000000000007.sql";

/// A case, read.
struct Case {
    directory: PathBuf,
    nodes: Vec<Node>,
    fault: Option<String>,
}

struct Node {
    name: String,
    dialect: String,
    series: Vec<String>,
}

/// What a run has left.
struct Found {
    success: bool,
    said: String,
    counter: String,
    /// Every file in each node's directory.
    logs: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    stopped: BTreeMap<String, String>,
}

#[test]
fn archives_become_the_site_logs_that_they_must() {
    let wanted = std::env::var("GOLDEN_CASE").unwrap_or_default();
    let accept = std::env::var("GOLDEN").is_ok_and(|word| word == "accept");
    let (mut failed, mut count) = (Vec::new(), 0);
    for case in cases().iter().filter(|case| case.name().contains(&wanted)) {
        count += 1;
        let tree = tempfile::tempdir().unwrap();
        case.build(tree.path());
        let first = case.split(tree.path());
        if accept {
            case.accept(&first);
        }
        let mut wrong = case.compare(&first);
        fs::write(tree.path().join("work/split.counter"), "6\n").unwrap();
        let second = case.split(tree.path());
        let same = first.logs == second.logs && first.stopped == second.stopped;
        if !same || (first.counter == "7") != (second.counter == "7") {
            wrong.push_str("a second run leaves something else:\n");
            wrong.push_str(&case.compare(&second));
        }
        if !wrong.is_empty() {
            failed.push(format!("==== {}\n{wrong}", case.name()));
        }
    }
    assert!(count > 0, "no case has `{wanted}` in its name");
    let names: Vec<_> = failed.iter().filter_map(|text| text.lines().next()).collect();
    assert!(
        failed.is_empty(),
        "\n{}\n{} of {count} cases failed:\n{}\n",
        failed.join("\n"),
        names.len(),
        names.join("\n")
    );
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut directories: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    directories.retain(|path| path.is_dir());
    directories.sort();
    directories.into_iter().map(Case::read).collect()
}

impl Case {
    fn read(directory: PathBuf) -> Self {
        let text = fs::read_to_string(directory.join("nodes")).unwrap();
        let nodes = text.lines().map(|line| {
            let mut words = words(line).into_iter();
            let (name, dialect) = (words.next().unwrap(), words.next().unwrap());
            Node { name, dialect, series: words.collect() }
        });
        Self { nodes: nodes.collect(), fault: optional(&directory.join("fault")), directory }
    }

    fn name(&self) -> String {
        self.directory.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Registry, lists, configuration and the archive.
    fn build(&self, tree: &Path) {
        for directory in ["archives", "etc", "work", "logs", "triggers"] {
            fs::create_dir(tree.join(directory)).unwrap();
        }
        let (mut registry, mut dialects) = (String::new(), Vec::new());
        for Node { name, dialect, series } in &self.nodes {
            let (directory, list) =
                (tree.join("logs").join(name), tree.join("etc").join(format!("{name}.lst")));
            fs::create_dir(&directory).unwrap();
            fs::write(&list, series.iter().map(|name| format!("{name}\n")).collect::<String>()).unwrap();
            registry += &format!("{}\t{}\n", directory.display(), list.display());
            dialects.extend((dialect != "psql").then(|| format!("{name}:{dialect}")));
        }
        fs::write(tree.join("etc/slon_parser.cfg"), registry).unwrap();
        let at = |name: &str| tree.join(name).display().to_string();
        let mut config = format!(
            "triggerdir={}\nsubscribers_dir={}\nparser_config={}\ntables_dir={}\nwork_dir={}\narchive_dir={}\n",
            at("triggers"),
            at("logs"),
            at("etc/slon_parser.cfg"),
            at("etc"),
            at("work"),
            at("archives")
        );
        if !dialects.is_empty() {
            config += &format!("site_dialects={}\n", dialects.join(", "));
        }
        config += &optional(&self.directory.join("config")).unwrap_or_default();
        fs::write(tree.join("etc/subscription_manager.cfg"), config).unwrap();
        if let Some(sequences) = optional(&self.directory.join("sequences")) {
            fs::write(tree.join("work/sequences"), sequences).unwrap();
        }
        fs::copy(self.directory.join("archive.sql"), tree.join("archives").join(LOG)).unwrap();
    }

    fn split(&self, tree: &Path) -> Found {
        let output = Command::new(env!("CARGO_BIN_EXE_subscription_manager"))
            .arg("--config")
            .arg(tree.join("etc/subscription_manager.cfg"))
            .args(["split", "--until", "7"])
            .env_clear()
            .output()
            .unwrap();
        let archive = fs::read(tree.join("archives").join(LOG)).unwrap();
        assert_eq!(archive, fs::read(self.directory.join("archive.sql")).unwrap(), "the archive was touched");
        let logs =
            self.nodes.iter().map(|node| (node.name.clone(), files(&tree.join("logs").join(&node.name))));
        let stopped = self.nodes.iter().filter_map(|node| {
            let text = optional(&tree.join("etc").join(format!("{}.stopped", node.name)))?;
            Some((node.name.clone(), text))
        });
        Found {
            success: output.status.success(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            counter: optional(&tree.join("work/split.counter")).unwrap_or_default().trim().to_owned(),
            logs: logs.collect(),
            stopped: stopped.collect(),
        }
    }

    /// What is not as it must be; empty if all is.
    fn compare(&self, found: &Found) -> String {
        let mut wrong = String::new();
        if let Some(fault) = &self.fault {
            if found.success || found.counter == "7" {
                wrong += "expected a fault, but the archive was split\n";
            }
            wrong += &lacks("standard error", &found.said, fault);
            for (node, logs) in found.logs.iter().filter(|(_, logs)| !logs.is_empty()) {
                wrong += &format!("{node} has {:?} in spite of the fault\n", logs.keys());
            }
            return wrong;
        }
        for Node { name, .. } in &self.nodes {
            let logs = &found.logs[name];
            let log = logs.get(LOG).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            if logs.keys().any(|file| file != LOG) {
                wrong += &format!("{name} has {:?}\n", logs.keys());
            }
            if let Some(text) = optional(&self.directory.join(format!("{name}.stopped"))) {
                match found.stopped.get(name) {
                    Some(there) => wrong += &lacks(&format!("{name}.stopped"), there, &text),
                    None => wrong += &format!("{name} was not stopped\n"),
                }
                if log.is_some() {
                    wrong += &format!("{name} has a site log of the archive before which it stops\n");
                }
                continue;
            }
            let expected = fs::read(self.directory.join(format!("{name}.sql")))
                .unwrap_or_else(|_| panic!("{}: neither {name}.sql nor {name}.stopped", self.name()));
            if found.stopped.contains_key(name) {
                wrong += &format!("{name} was stopped: {}\n", found.stopped[name]);
            }
            match log {
                None => wrong += &format!("{name} has no site log\n"),
                Some(log) if logs[LOG] != expected => {
                    wrong +=
                        &format!("{name}.sql\n{}", difference(&String::from_utf8_lossy(&expected), &log));
                }
                Some(_) => {}
            }
        }
        let stops = self.nodes.iter().any(|node| found.stopped.contains_key(&node.name));
        if !found.success && !stops || found.counter != "7" && !wrong.is_empty() {
            wrong += &format!("the counter is `{}`; it said: {}", found.counter, found.said);
        }
        wrong
    }

    /// Writes what was found over what was expected.
    fn accept(&self, found: &Found) {
        let put = |name: &str, text: Option<&[u8]>| {
            let path = self.directory.join(name);
            match text {
                Some(text) => fs::write(path, text).unwrap(),
                None if path.exists() => fs::remove_file(path).unwrap(),
                None => {}
            }
        };
        if !self.compare(found).is_empty() {
            let fault = found.said.rsplit("archive 7: ").next().filter(|_| found.counter != "7");
            put("fault", fault.map(str::as_bytes));
            for Node { name, .. } in &self.nodes {
                put(&format!("{name}.sql"), found.logs[name].get(LOG).map(Vec::as_slice));
                put(&format!("{name}.stopped"), found.stopped.get(name).map(String::as_bytes));
            }
        }
    }
}

/// Words parted by blanks; a blank within double quotes parts nothing.
fn words(line: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = line.split(|character: char| {
        quoted ^= character == '"';
        character == ' ' && !quoted
    });
    parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn optional(path: &Path) -> Option<String> {
    path.exists().then(|| fs::read_to_string(path).unwrap())
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect()
}

/// Which of the lines a text lacks.
fn lacks(what: &str, text: &str, lines: &str) -> String {
    let missing = lines.lines().filter(|line| !text.contains(line));
    missing.map(|line| format!("{what} lacks `{line}`; it is:\n{text}\n")).collect()
}

/// The lines that differ, with one line before each place.
fn difference(expected: &str, found: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) =
        (expected.split_inclusive('\n').collect(), found.split_inclusive('\n').collect());
    // How many lines are common from each pair of places on.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut text, mut same) = (0, 0, String::new(), None);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            same = Some(old[i]);
            (i, j) = (i + 1, j + 1);
            continue;
        }
        text += &same.take().map(|line| format!("  {line:?}\n")).unwrap_or_default();
        if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            text += &format!("- {:?}\n", old[i]);
            i += 1;
        } else {
            text += &format!("+ {:?}\n", new[j]);
            j += 1;
        }
    }
    text
}
