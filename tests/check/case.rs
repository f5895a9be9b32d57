//! An installation that a test breaks, and what `check` says of it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::station::log_name;
use crate::support::{Cluster, Station};

/// What a finding must be: severity, code, what its subject ends with, what its text holds.
pub(crate) type Expected<'e> = (&'e str, &'e str, &'e str, &'e str);

/// No daemon runs in front of these.
const AWAY: Expected<'_> = ("warning", "daemon-away", "subscription_manager.lock", "no daemon runs");

/// An installation without a daemon: a node that was registered by hand, archives of its own.
pub(crate) struct Case {
    pub(crate) station: Station<'static>,
    settings: String,
}

impl Case {
    /// With the node `nso`, its logs 3 to 6, and archives up to 6, which are split.
    pub(crate) fn new() -> Self {
        let station = Station::new(Cluster::shared(), "");
        fs::create_dir(station.at("archives")).unwrap();
        let settings = format!("archive_dir={}\nslony_node=2\n", station.at("archives").display());
        station.configure(&settings);
        let case = Self { station, settings };
        fs::create_dir(case.at("site_logs/nso")).unwrap();
        case.write("etc/nso.lst", "hmi.m_45s\n");
        case.register(&["nso"]);
        case.write("work/split.counter", "6\n");
        for counter in 3..=6 {
            case.write(&format!("site_logs/nso/{}", log_name(counter)), "-- EOL\n");
            case.write(&format!("archives/{}", log_name(counter)), "-- an archive\n");
        }
        case
    }

    /// Further settings, beside its own or in their place.
    pub(crate) fn configure(&self, further: &str) {
        let key = |line: &str| line.split('=').next().unwrap().to_owned();
        let given: Vec<String> = further.lines().map(key).collect();
        let own = self.settings.lines().filter(|line| !given.contains(&key(line)));
        self.station
            .configure(&own.map(|line| format!("{line}\n")).chain([further.to_owned()]).collect::<String>());
    }

    pub(crate) fn register(&self, nodes: &[&str]) {
        let line = |node: &&str| {
            let (sites, etc) = (self.at("site_logs"), self.at("etc"));
            format!("{}/{node}\t{}/{node}.lst\n", sites.display(), etc.display())
        };
        self.write("etc/slon_parser.cfg", &nodes.iter().map(line).collect::<String>());
    }

    pub(crate) fn at(&self, path: &str) -> std::path::PathBuf {
        self.station.at(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        remove(&self.at(path));
    }

    /// Makes a file look so many days old.
    pub(crate) fn age(&self, path: &str, days: u64) {
        let file = File::open(self.at(path)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    }

    /// Beside that no daemon runs, exactly this is found; text and JSON say the same, and the exit status follows.
    #[track_caller]
    pub(crate) fn finds(&self, expected: &[Expected<'_>]) {
        let all: Vec<_> = expected.iter().copied().chain([AWAY]).collect();
        assert_findings(&self.station, &all);
    }

    /// What there is to do about the only finding of this code.
    #[track_caller]
    pub(crate) fn hint(&self, code: &str) -> String {
        let found = findings(&self.station.command(&["check", "--json"]));
        let mut hints =
            found.iter().filter(|finding| finding["code"] == code).map(|finding| &finding["hint"]);
        let hint = hints.next().and_then(Value::as_str).unwrap_or_else(|| panic!("{code}: {found:#?}"));
        assert_eq!(hints.count(), 0, "{found:#?}");
        hint.to_owned()
    }

    /// What a change breaks is found, and no longer when it is taken back.
    #[track_caller]
    pub(crate) fn breaks(
        &self,
        expected: Expected<'_>,
        change: impl FnOnce(&Self),
        back: impl FnOnce(&Self),
    ) {
        change(self);
        self.finds(&[expected]);
        back(self);
        self.finds(&[]);
    }
}

pub(crate) fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

/// The findings of `check --json`.
#[track_caller]
pub(crate) fn findings(output: &Output) -> Vec<Value> {
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    json["findings"].as_array().unwrap().clone()
}

/// Exactly these are found, each once; text and JSON say the same, and the exit status follows.
#[track_caller]
pub(crate) fn assert_findings(station: &Station<'_>, expected: &[Expected<'_>]) {
    let output = station.command(&["check", "--json"]);
    let found = findings(&output);
    let fields = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    // As PROTOCOL.md says where nothing is to be mended; the keys come in the order of the alphabet.
    assert_eq!(fields(&serde_json::from_slice(&output.stdout).unwrap()), ["findings"]);
    for finding in &found {
        assert_eq!(fields(finding), ["code", "hint", "severity", "subject", "text"]);
    }
    for (severity, code, subject, text) in expected {
        let fits = |finding: &&Value| {
            let word = |key: &str| finding[key].as_str().unwrap();
            (word("severity"), word("code")) == (severity, code)
                && word("subject").ends_with(subject)
                && word("text").contains(text)
                && !word("hint").is_empty()
        };
        let times = found.iter().filter(fits).count();
        assert_eq!(times, 1, "{severity} {code} {subject}: {text}\nis not among\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    let is_wrong = expected.iter().any(|(severity, ..)| *severity != "note");
    assert_eq!(output.status.code(), Some(i32::from(is_wrong)));

    let output = station.command(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(i32::from(is_wrong)), "{text}");
    for (severity, code, ..) in expected {
        let is_it =
            |line: &&str| line.starts_with(&format!("{severity}: ")) && line.ends_with(&format!("[{code}]"));
        assert!(text.lines().any(|line| is_it(&line)), "{code} is not in\n{text}");
    }
    let lines: usize =
        found.iter().map(|finding| finding["text"].as_str().unwrap().lines().count() + 1).sum();
    assert_eq!(text.lines().count(), lines + usize::from(!is_wrong), "{text}");
    assert_eq!(text.ends_with("nothing is wrong\n"), !is_wrong, "{text}");
}
