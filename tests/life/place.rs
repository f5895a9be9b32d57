//! An installation that a test fills, and what deployed clients do with it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use crate::support::station::{MANAGER, log_name};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// An installation with the site `nso`, without a daemon.
pub(crate) struct House {
    pub(crate) root: tempfile::TempDir,
}

impl House {
    pub(crate) fn new(settings: &str) -> Self {
        let house = Self { root: tempfile::tempdir().unwrap() };
        for part in ["triggers", "site_logs/nso", "etc", "work", "archives"] {
            fs::create_dir_all(house.at(part)).unwrap();
        }
        let at = house.at("").display().to_string();
        let at = at.trim_end_matches('/');
        let usual = format!(
            "triggerdir={at}/triggers\nsubscribers_dir={at}/site_logs\nparser_config={at}/etc/slon_parser.cfg\n\
             tables_dir={at}/etc\nwork_dir={at}/work\narchive_dir={at}/archives\nslony_node=2\npg_host={at}\n"
        );
        fs::write(house.at("manager.cfg"), usual + settings).unwrap();
        fs::write(house.at("etc/slon_parser.cfg"), format!("{at}/site_logs/nso {at}/etc/nso.lst\n")).unwrap();
        fs::write(house.at("etc/nso.lst"), "aia.lev1\n").unwrap();
        house
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A log that was written so many days ago.
    pub(crate) fn log(&self, directory: &str, counter: u64, days: u32) {
        self.write(&format!("{directory}/{}", log_name(counter)), &content(counter), days);
    }

    pub(crate) fn write(&self, path: &str, text: &str, days: u32) {
        fs::write(self.at(path), text).unwrap();
        self.age(path, days);
    }

    pub(crate) fn age(&self, path: &str, days: u32) {
        let file = File::options().write(true).open(self.at(path)).unwrap();
        file.set_modified(SystemTime::now() - DAY * days).unwrap();
    }

    pub(crate) fn acknowledge(&self, text: &str) {
        fs::write(self.at("site_logs/nso/slony_counter.txt"), text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Output {
        Command::new(MANAGER).arg("--config").arg(self.at("manager.cfg")).args(args).output().unwrap()
    }

    /// Tidies once; returns what was printed.
    #[track_caller]
    pub(crate) fn tidy(&self) -> String {
        let output = self.command(&["tidy"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn row(&self) -> serde_json::Value {
        let output = self.command(&["list", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        all["nodes"][0].clone()
    }

    /// The names in a directory, short: `7` for a log, `1-3` for a bundle, anything else as it is.
    pub(crate) fn names(&self, directory: &str) -> String {
        let mut names: Vec<_> =
            fs::read_dir(self.at(directory)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort_unstable();
        let short = |name: &std::ffi::OsString| {
            let name = name.to_str().unwrap();
            let log = name.strip_prefix("slony1_log_2_").and_then(|rest| rest.strip_suffix(".sql"));
            let bundle = name.strip_prefix("slony_logs_").and_then(|rest| rest.strip_suffix(".tar.gz"));
            log.and_then(|digits| digits.parse::<u64>().ok())
                .map(|counter| counter.to_string())
                .or(bundle.map(str::to_owned))
                .unwrap_or_else(|| name.to_owned())
        };
        names.iter().map(short).collect::<Vec<_>>().join(" ")
    }

    /// Every file with its content and its time; of bundles the members, because gzip may pack in several ways.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let mut tree = BTreeMap::new();
        for directory in ["triggers", "site_logs", "site_logs/nso", "etc", "archives"] {
            for entry in fs::read_dir(self.at(directory)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(self.root.path()).unwrap().to_owned();
                    let time = fs::metadata(&path).unwrap().modified().unwrap();
                    tree.insert(name, (fs::read(&path).unwrap(), time));
                }
            }
        }
        tree
    }

    /// Every log that a client could get, by counter: from singles, and from bundles with the real tar.
    pub(crate) fn reachable(&self, directory: &str) -> BTreeMap<String, String> {
        let mut logs = BTreeMap::new();
        for entry in fs::read_dir(self.at(directory)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.starts_with("slony_logs_") {
                for (member, text) in unpacked(&path) {
                    logs.entry(member).or_insert(text);
                }
            } else if name.starts_with("slony1_log_") {
                logs.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
        logs
    }
}

/// What is in a log. Not all alike, and some of it more than one buffer.
pub(crate) fn content(counter: u64) -> String {
    format!("-- log {counter}\n").repeat(usize::try_from(counter).unwrap() * 200) + "-- EOL\n"
}

/// What `tar tfz | sort` and `tar xfz` give.
pub(crate) fn unpacked(bundle: &Path) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    let tar = |flags: &str| {
        let output =
            Command::new("tar").arg(flags).arg(bundle).current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let mut names: Vec<String> = tar("tfz").lines().map(str::to_owned).collect();
    names.sort();
    tar("xfz");
    names
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(directory.path().join(&name)).unwrap();
            (name, text)
        })
        .collect()
}

/// A deployed client that is at some counter, and what it has applied.
pub(crate) struct Deployed {
    pub(crate) at: u64,
    pub(crate) applied: Vec<String>,
}

impl Deployed {
    /// What `get_slony_logs.pl` does in one run: the next single, or else the first bundle that holds it, until there is
    /// neither.
    pub(crate) fn run(&mut self, directory: &Path) {
        let pattern = regex::Regex::new(r"slony_logs_(\d+)-(\d+).tar(.gz)?").unwrap();
        loop {
            let mut names: Vec<String> = fs::read_dir(directory)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            let number = |name: &str| -> Option<u64> {
                name.strip_prefix("slony1_log_2_")?.strip_suffix(".sql")?.parse().ok()
            };
            if let Some(name) = names.iter().find(|name| number(name) == Some(self.at + 1)) {
                self.apply(name, &fs::read_to_string(directory.join(name)).unwrap());
                continue;
            }
            let holds = |name: &&String| {
                pattern.captures(name).is_some_and(|range| {
                    let end = |at: usize| range[at].parse::<u64>().unwrap();
                    (end(1)..=end(2)).contains(&(self.at + 1))
                })
            };
            let Some(bundle) = names.iter().find(holds) else { return };
            for (name, text) in unpacked(&directory.join(bundle)) {
                if number(&name).unwrap() > self.at {
                    self.apply(&name, &text);
                }
            }
        }
    }

    pub(crate) fn apply(&mut self, name: &str, text: &str) {
        assert_eq!(name, log_name(self.at + 1));
        self.at += 1;
        self.applied.push(text.to_owned());
    }
}
