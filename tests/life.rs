//! The life of site logs: the real program on directories that a test fills, without a database. Ages are made by setting
//! the times of files; what deployed clients do is done with the real `tar`.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use support::station::{MANAGER, log_name};
use support::{programs, wait};

const DAY: Duration = Duration::from_secs(86_400);

/// An installation with the site `nso`, without a daemon.
struct House {
    root: tempfile::TempDir,
}

impl House {
    fn new(settings: &str) -> Self {
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

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A log that was written so many days ago.
    fn log(&self, directory: &str, counter: u64, days: u32) {
        self.write(&format!("{directory}/{}", log_name(counter)), &content(counter), days);
    }

    fn write(&self, path: &str, text: &str, days: u32) {
        fs::write(self.at(path), text).unwrap();
        self.age(path, days);
    }

    fn age(&self, path: &str, days: u32) {
        let file = File::options().write(true).open(self.at(path)).unwrap();
        file.set_modified(SystemTime::now() - DAY * days).unwrap();
    }

    fn acknowledge(&self, text: &str) {
        fs::write(self.at("site_logs/nso/slony_counter.txt"), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Output {
        Command::new(MANAGER).arg("--config").arg(self.at("manager.cfg")).args(args).output().unwrap()
    }

    /// Tidies once; returns what was printed.
    #[track_caller]
    fn tidy(&self) -> String {
        let output = self.command(&["tidy"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn row(&self) -> serde_json::Value {
        let output = self.command(&["list", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        all["nodes"][0].clone()
    }

    /// The names in a directory, short: `7` for a log, `1-3` for a bundle, anything else as it is.
    fn names(&self, directory: &str) -> String {
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
    fn tree(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
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
    fn reachable(&self, directory: &str) -> BTreeMap<String, String> {
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
fn content(counter: u64) -> String {
    format!("-- log {counter}\n").repeat(usize::try_from(counter).unwrap() * 200) + "-- EOL\n"
}

/// What `tar tfz | sort` and `tar xfz` give.
fn unpacked(bundle: &Path) -> Vec<(String, String)> {
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
struct Deployed {
    at: u64,
    applied: Vec<String>,
}

impl Deployed {
    /// What `get_slony_logs.pl` does in one run: the next single, or else the first bundle that holds it, until there is
    /// neither.
    fn run(&mut self, directory: &Path) {
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

    fn apply(&mut self, name: &str, text: &str) {
        assert_eq!(name, log_name(self.at + 1));
        self.at += 1;
        self.applied.push(text.to_owned());
    }
}

#[test]
fn what_is_acknowledged_or_too_old_goes_and_the_rest_is_bundled() {
    let house = House::new("bundle_after=3\n");
    for counter in 1..=9 {
        house.log("site_logs/nso", counter, 10);
    }
    fs::write(house.at("site_logs/nso/README"), "of the operator").unwrap();
    house.acknowledge("2\n");
    let before = house.tree();
    let newest =
        fs::metadata(house.at(&format!("site_logs/nso/{}", log_name(5)))).unwrap().modified().unwrap();
    assert_eq!(house.tidy(), "nso: 2 removed, 2 bundled\narchive_dir: 0 removed, 0 bundled\n");
    assert_eq!(house.names("site_logs/nso"), "README 9 slony_counter.txt 3-5 6-8");
    let mut after = house.tree();
    let bundle = house.at("site_logs/nso/slony_logs_3-5.tar.gz");
    let expected: Vec<_> = (3..=5).map(|counter| (log_name(counter), content(counter))).collect();
    assert!(unpacked(&bundle) == expected, "names, or bytes");
    assert_eq!(fs::metadata(&bundle).unwrap().modified().unwrap(), newest, "it is as old as its newest log");
    after.retain(|name, _| !name.to_str().unwrap().contains("slony_logs_"));
    assert!(after.iter().all(|(name, file)| before[name] == *file), "nothing else changed");

    let all = house.tree();
    house.tidy();
    assert_eq!(house.tree(), all, "twice is once");

    house.acknowledge("7");
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "README 9 slony_counter.txt 6-8");
    fs::remove_file(house.at("site_logs/nso/slony_counter.txt")).unwrap();
    house.age("site_logs/nso/slony_logs_6-8.tar.gz", 31);
    house.age(&format!("site_logs/nso/{}", log_name(9)), 31);
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "README 9", "the newest stays");
}

#[test]
fn nothing_is_touched_where_the_settings_say_so() {
    let house = House::new("bundle_after=1\nsite_log_days=0\narchive_days=0\n");
    for counter in 1..=5 {
        house.log("site_logs/nso", counter, 100);
        house.log("archives", counter, 100);
    }
    house.acknowledge("4");
    fs::write(house.at("work/split.counter"), "5\n").unwrap();
    let before = house.tree();
    house.tidy();
    assert_eq!(house.tree(), before);
    assert_eq!(house.row()["notes"], serde_json::json!([]));
}

#[test]
fn a_deployed_client_gets_every_log_once_from_singles_and_bundles() {
    let house = House::new("bundle_after=4\n");
    for counter in 1..=3 {
        house.log("site_logs/nso", counter, 1);
    }
    let directory = house.at("site_logs/nso");
    let mut client = Deployed { at: 0, applied: Vec::new() };
    client.run(&directory);
    assert_eq!(client.at, 3);
    for counter in 4..=22 {
        house.log("site_logs/nso", counter, 1);
    }
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "21 22 1-4 13-16 17-20 5-8 9-12");
    client.run(&directory);
    assert!(client.applied == (1..=22).map(content).collect::<Vec<_>>(), "up to {}", client.at);
}

#[test]
fn a_log_that_was_written_anew_comes_into_its_bundle() {
    let house = House::new("bundle_after=3\n");
    for counter in 1..=7 {
        house.log("site_logs/nso", counter, 20);
    }
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "7 1-3 4-6");
    // One is what a kill leaves, the other what `resplit` makes.
    house.log("site_logs/nso", 1, 20);
    house.write(&format!("site_logs/nso/{}", log_name(5)), "-- written anew\n-- EOL\n", 0);
    let other = fs::read(house.at("site_logs/nso/slony_logs_1-3.tar.gz")).unwrap();
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "7 1-3 4-6");
    assert_eq!(fs::read(house.at("site_logs/nso/slony_logs_1-3.tar.gz")).unwrap(), other);
    let mut client = Deployed { at: 0, applied: Vec::new() };
    client.run(&house.at("site_logs/nso"));
    let mut expected: Vec<_> = (1..=7).map(content).collect();
    expected[4] = "-- written anew\n-- EOL\n".to_owned();
    assert!(client.applied == expected, "up to {}", client.at);

    // A bundle that cannot be read costs nobody a log.
    house.log("site_logs/nso", 2, 20);
    fs::write(house.at("site_logs/nso/slony_logs_1-3.tar.gz"), "rubbish").unwrap();
    let output = house.command(&["tidy"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("slony_logs_1-3.tar.gz"));
    assert!(!output.status.success());
    assert_eq!(house.names("site_logs/nso"), "2 7 1-3 4-6");
}

#[test]
fn nothing_after_an_open_cut_is_bundled_and_what_is_held_is_left_alone() {
    let house = House::new("bundle_after=2\n");
    let at = |path: &str| house.at(path).display().to_string();
    let registry = format!(
        "{} {}\n{} {}\n",
        at("site_logs/nso"),
        at("etc/nso.lst"),
        at("site_logs/nso.new"),
        at("etc/nso.new.lst")
    );
    fs::write(house.at("etc/slon_parser.cfg"), registry).unwrap();
    fs::write(house.at("etc/nso.new.lst"), "aia.lev1\n").unwrap();
    let request = "node nso\nhmi.m subscribe\n";
    let open = format!("stem subscription_series\nsite known\ncut 5\nlist\naia.lev1\nrequest\n{request}");
    fs::write(house.at("etc/nso.new.cut"), open).unwrap();
    for counter in 1..=9 {
        house.log("site_logs/nso", counter, 1);
    }
    for part in ["site_logs/nso.new", "site_logs/nso.held"] {
        fs::create_dir(house.at(part)).unwrap();
        for counter in 6..=9 {
            house.log(part, counter, 100);
        }
    }
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "5 6 7 8 9 1-2 3-4");
    for part in ["site_logs/nso.new", "site_logs/nso.held"] {
        assert_eq!(house.names(part), "6 7 8 9");
    }
    fs::remove_file(house.at("etc/nso.new.cut")).unwrap();
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "5 6 7 8 9 1-2 3-4", "a `.new` of other tools has no known cut");
    fs::write(house.at("etc/slon_parser.cfg"), format!("{} {}\n", at("site_logs/nso"), at("etc/nso.lst")))
        .unwrap();
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "9 1-2 3-4 5-6 7-8");
}

#[test]
fn an_acknowledgement_that_is_none_removes_nothing_and_is_told() {
    let house = House::new("");
    for counter in 1..=5 {
        house.log("site_logs/nso", counter, 20);
    }
    let path = house.at("site_logs/nso/slony_counter.txt");
    let fifo = || {
        let mode = 0o666.into();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    let cases: [(&str, &dyn Fn(), &str); 9] = [
        ("a link", &|| std::os::unix::fs::symlink(house.at("etc/number"), &path).unwrap(), "a symbolic link"),
        ("a FIFO", &fifo, "no plain file"),
        ("a directory", &|| fs::create_dir(&path).unwrap(), "no plain file"),
        ("rubbish", &|| fs::write(&path, b"\xff\0").unwrap(), "line 1"),
        ("nothing", &|| fs::write(&path, "").unwrap(), "it is empty"),
        ("words", &|| fs::write(&path, "4 or so\n").unwrap(), "`4 or so` is not one decimal number"),
        ("a negative number", &|| fs::write(&path, "-4\n").unwrap(), "`-4` is not one decimal number"),
        ("a gigabyte", &|| File::create(&path).unwrap().set_len(1 << 30).unwrap(), "are not read"),
        ("the future", &|| fs::write(&path, "6\n").unwrap(), "acknowledges 6, but its newest log is 5"),
    ];
    fs::write(house.at("etc/number"), "4\n").unwrap();
    for (what, make, said) in cases {
        make();
        let printed = house.tidy();
        assert!(printed.starts_with("nso: 0 removed") && printed.contains(said), "{what}: {printed}");
        let row = house.row();
        assert!(row["notes"][0].as_str().unwrap().contains(said), "{what}: {row}");
        assert_eq!(row["behind"], serde_json::Value::Null, "{what}");
        assert_eq!(house.names("site_logs/nso"), "1 2 3 4 5 slony_counter.txt", "{what}");
        if what == "a directory" { fs::remove_dir(&path) } else { fs::remove_file(&path) }.unwrap();
    }
    // Where its directory is not the site's to write, it says it in the drop directory.
    fs::write(house.at("triggers/nso.counter"), "00000000000000000002\r\n").unwrap();
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "3 4 5");
    // Of two words the later one holds.
    fs::write(&path, "3\n").unwrap();
    house.age("site_logs/nso/slony_counter.txt", 1);
    assert_eq!(house.row()["acknowledged"], 2);
    house.age("triggers/nso.counter", 2);
    assert_eq!(house.row()["acknowledged"], 3);
}

#[test]
fn a_site_that_falls_silent_is_noted_and_must_resubscribe_in_the_end() {
    let house = House::new("bundle_after=2\n");
    for (counter, days) in [(7, 20), (8, 18), (9, 2), (10, 1), (11, 0)] {
        house.log("site_logs/nso", counter, days);
    }
    let row = house.row();
    assert_eq!((&row["acknowledged"], &row["behind"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(row["notes"], serde_json::json!([]), "an unknown site is not alarmed about");
    let check = |acknowledged: &str, behind: u64, note: Option<&str>| {
        house.acknowledge(acknowledged);
        let row = house.row();
        assert_eq!((row["behind"].as_u64(), row["notes"][0].as_str()), (Some(behind), note), "{row}");
        assert_eq!(row["last_log"], 11);
    };
    check("6", 5, Some("silent for 20 d"));
    check("8", 3, None);
    check("11", 0, None);
    check("5", 6 - 1, Some("must resubscribe: log 6 is gone"));
    let output = house.command(&["list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text.lines().nth(1).unwrap();
    assert!(row.ends_with("5       5  must resubscribe: log 6 is gone"), "{text}");
    house.acknowledge("6");
    house.tidy();
    assert_eq!(house.names("site_logs/nso"), "11 slony_counter.txt 7-8 9-10");
    check("6", 5, Some("silent for 18 d"));
    check("8", 3, None);
    house.acknowledge("6");
    house.age("site_logs/nso/slony_logs_7-8.tar.gz", 31);
    assert!(house.tidy().contains("must resubscribe: log 7 is gone"));
}

#[test]
fn archives_stay_until_every_node_has_its_part() {
    let house = House::new("bundle_after=2\n");
    fs::create_dir(house.at("site_logs/so")).unwrap();
    for counter in 1..=6 {
        house.log("archives", counter, 40);
    }
    for counter in 7..=12 {
        house.log("archives", counter, 3);
    }
    house.write("archives/slony1_log_3_00000000000000000001.sql", "of another node", 90);
    house.write("archives/slony1_log_2_00000000000000000013.sql.tmp", "being written", 90);
    let others = "13.sql.tmp 3_1";
    let names = || {
        house
            .names("archives")
            .replace("slony1_log_2_00000000000000000013.sql.tmp", "13.sql.tmp")
            .replace("slony1_log_3_00000000000000000001.sql", "3_1")
    };
    house.tidy();
    assert_eq!(names(), format!("1 2 3 4 5 6 7 8 9 10 11 12 {others}"), "nothing is split yet");
    fs::write(house.at("work/split.counter"), "4\n").unwrap();
    house.tidy();
    assert_eq!(names(), format!("5 6 7 8 9 10 11 12 {others}"));
    fs::write(house.at("work/split.counter"), "12\n").unwrap();
    house.tidy();
    assert_eq!(names(), format!("11 12 {others} 7-8 9-10"));
    assert_eq!(unpacked(&house.at("archives/slony_logs_9-10.tar.gz"))[1], (log_name(10), content(10)));
    house.age("archives/slony_logs_7-8.tar.gz", 31);
    house.tidy();
    assert_eq!(names(), format!("11 12 {others} 9-10"));
}

#[test]
fn lists_that_no_log_needs_are_forgotten() {
    let house = House::new("");
    let cuts =
        "from 3\naia.lev1 aia.lev1_seq\nfrom 6\nhmi.m hmi.m_seq\nfrom 9 shown 11\naia.lev1 aia.lev1_seq\n";
    fs::write(house.at("etc/nso.cuts"), cuts).unwrap();
    fs::write(house.at("work/split.counter"), "12\n").unwrap();
    for counter in 5..=12 {
        house.log("site_logs/nso", counter, 1);
        house.log("archives", counter, 1);
    }
    let tidied = || {
        house.tidy();
        fs::read_to_string(house.at("etc/nso.cuts")).unwrap()
    };
    assert_eq!(tidied(), cuts, "log 5 is by the first");
    house.acknowledge("11\n");
    assert_eq!(tidied(), cuts, "its archive is there");
    for counter in 5..=11 {
        house.age(&format!("archives/{}", log_name(counter)), 31);
    }
    fs::write(house.at("etc/nso.new.cut"), "stem subscription_series\nsite known\nrequest\nnode nso\n")
        .unwrap();
    assert_eq!(tidied(), cuts, "a request is open");
    fs::remove_file(house.at("etc/nso.new.cut")).unwrap();
    assert_eq!(tidied(), "from 9 shown 11\naia.lev1 aia.lev1_seq\n");
}

/// Something of every kind to do.
fn prepared() -> House {
    let house = House::new("bundle_after=2\narchive_days=10\n");
    for counter in 1..=8 {
        house.log("site_logs/nso", counter, 5);
        house.log("archives", counter, if counter < 3 { 11 } else { 5 });
    }
    house.acknowledge("2\n");
    fs::write(house.at("work/split.counter"), "8\n").unwrap();
    // In a bundle, with its singles still there, one of them written anew since.
    let mut tar = Command::new("tar");
    tar.arg("cfz").arg(house.at("site_logs/nso/slony_logs_3-4.tar.gz")).args([3, 4].map(log_name));
    assert!(tar.current_dir(house.at("site_logs/nso")).status().unwrap().success());
    house.age("site_logs/nso/slony_logs_3-4.tar.gz", 5);
    house.write(&format!("site_logs/nso/{}", log_name(4)), "-- written anew\n-- EOL\n", 4);
    house
}

#[test]
fn killed_at_any_step_no_log_is_lost() {
    let strace = programs::find("strace");
    let undisturbed = prepared();
    undisturbed.tidy();
    let (logs, archives) = (undisturbed.reachable("site_logs/nso"), undisturbed.reachable("archives"));
    let names = (undisturbed.names("site_logs/nso"), undisturbed.names("archives"));
    assert_eq!(names, ("7 8 slony_counter.txt 3-4 5-6".to_owned(), "7 8 3-4 5-6".to_owned()));
    assert_eq!((logs.len(), archives.len()), (6, 6));
    let mut kills = 0;
    for call in ["fsync", "rename", "unlink", "fchmod", "utimensat"] {
        for step in 1.. {
            let house = prepared();
            let inject = format!("inject={call}:signal=SIGKILL:when={step}");
            let output = Command::new(&strace)
                .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject])
                .args([MANAGER, "--config"])
                .arg(house.at("manager.cfg"))
                .arg("tidy")
                .output()
                .unwrap();
            // Whatever has a visible name is whole, and every log that is needed can be had.
            for (directory, all) in [("site_logs/nso", &logs), ("archives", &archives)] {
                let there = house.reachable(directory);
                for (name, text) in all {
                    assert!(there.get(name) == Some(text), "{call} {step}: {name} in {directory}");
                }
            }
            for round in 0..2 {
                house.tidy();
                let now = (house.names("site_logs/nso"), house.names("archives"));
                assert_eq!(now, names, "{call} {step}, round {round}");
                assert!(house.reachable("site_logs/nso") == logs, "{call} {step}");
            }
            if output.status.success() {
                break;
            }
            assert_eq!(output.status.signal().or(output.status.code().map(|code| code - 128)), Some(9));
            kills += 1;
        }
    }
    assert!(kills >= 15, "it was killed only {kills} times: this test shows nothing");
}

#[test]
fn archives_that_are_not_ours_to_remove_are_told_with_what_to_do() {
    let house = House::new("bundle_after=2\nrescan=1\n");
    for counter in 1..=6 {
        house.log("archives", counter, 3);
        house.log("site_logs/nso", counter, 20);
    }
    fs::write(house.at("work/split.counter"), "6\n").unwrap();
    fs::write(house.at("triggers/nso.counter"), "2\n").unwrap();
    // Nobody's rights, because root may write everywhere.
    let manager = house.at("manager");
    fs::copy(MANAGER, &manager).unwrap();
    let set = |path: &str, mode: u32| {
        fs::set_permissions(house.at(path), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    for part in ["triggers", "site_logs", "site_logs/nso", "etc", "work"] {
        set(part, 0o777);
    }
    set("", 0o755);
    set("archives", 0o555);
    for part in ["work/split.counter", "etc/slon_parser.cfg", "etc/nso.lst"] {
        set(part, 0o666);
    }
    let mut command = Command::new(&manager);
    command.arg("--config").arg(house.at("manager.cfg")).arg("run");
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let log = house.at("log");
    let mut daemon = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let expected = [
        "let the daemon's user write to `archive_dir`, or set archive_days=0",
        "silent for 20 d",
        "tidied place=nso removed=2 bundled=1",
    ];
    let all = wait::within(Duration::from_secs(30), || {
        expected.iter().all(|part| said().contains(part)).then_some(())
    });
    rustix::process::kill_process(rustix::process::Pid::from_child(&daemon), rustix::process::Signal::TERM)
        .unwrap();
    let status = daemon.wait().unwrap();
    assert!(all.is_some() && status.success(), "{}", said());
    assert_eq!(house.names("site_logs/nso"), "5 6 3-4");
    assert_eq!(house.names("archives"), "1 2 3 4 5 6");
}
