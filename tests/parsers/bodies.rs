//! What must hold of every text from outside, whatever is in it: what is accepted is written and read again as the same, is
//! bounded and clean, and a fault names a line that there is. Run on the seeds and damage to them by `tests/parsers.rs`, and on
//! whatever libFuzzer thinks of by `make fuzz`.
#![allow(
    unreachable_pub,
    missing_docs,
    reason = "compiled into a test, and into a binary for each fuzz target"
)]
#![allow(clippy::unwrap_used, reason = "a panic is how a body says no")]

mod site_log;

use std::fs;
use std::io::Read;

use subscription_manager::config::{Config, DatabaseConfig};
use subscription_manager::disk::Incoming;
use subscription_manager::error::Error;
use subscription_manager::model::{BundleName, Counter, Series, SeriesList};
use subscription_manager::protocol::{
    Cuts, Decisions, Done, Malformed, OpenRequest, Outcome, Registry, Request, SqlDone, Stopped, TriggerFile,
    read_acknowledgement, read_counter, read_counters, read_names, read_numbers, read_seen, write_counter,
    write_counters, write_names, write_numbers,
};
use subscription_manager::spelling::array;
use subscription_manager::spelling::sql_text::{Part, SqlText, SqlTextError};
use subscription_manager::subscriber::SiteConfig;
use subscription_manager::transport::agent;

pub use site_log::site_log;

/// What is asserted of a text.
pub type Body = fn(&[u8]);

/// Every body by its name, which is that of its fuzz target and of the directory of its seeds.
pub const ALL: &[(&str, Body)] = &[
    ("request", request),
    ("trigger_name", trigger_name),
    ("outcome", outcome),
    ("answer", answer),
    ("series_list", series_list),
    ("registry", registry),
    ("cuts", cuts),
    ("open_request", open_request),
    ("stopped", stopped),
    ("counters", counters),
    ("settings", settings),
    ("array_literal", array_literal),
    ("sql_text", sql_text),
    ("site_log", site_log),
    ("bundle", bundle),
    ("credentials", credentials),
];

/// A fault names a line of the text, and says something in words that a terminal can show.
fn check_fault(fault: &Malformed, bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!((1..=lines).contains(&fault.line), "line {} of {lines}: {fault}", fault.line);
    assert!(!fault.what.is_empty(), "a fault without words");
}

/// What was read, or nothing after its fault was checked.
fn read<T>(read: Result<T, Malformed>, bytes: &[u8]) -> Option<T> {
    read.inspect_err(|fault| check_fault(fault, bytes)).ok()
}

fn check_series<'s>(all: impl IntoIterator<Item = &'s Series>, bytes: &[u8]) {
    let mut length = 0;
    for series in all {
        let name = series.to_string();
        assert!(!name.contains(['\0', '\n', '\r']), "{name:?}");
        assert_eq!(name.parse::<Series>().as_ref(), Ok(series), "{name} is not read as it is written");
        length += series.0.schema.len() + series.0.name.len();
    }
    assert!(length <= bytes.len(), "more names than there are bytes");
}

pub fn request(bytes: &[u8]) {
    let Some(request) = read(Request::parse(bytes), bytes) else { return };
    check_series(request.subscribe.iter().chain(&request.unsubscribe), bytes);
    assert!(
        !request.subscribe.iter().any(|series| request.unsubscribe.contains(series)),
        "both verbs for one series"
    );
    let node = request.node.to_string();
    assert!(
        node.len() <= 63 && node.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)),
        "{node:?}"
    );
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    assert!(
        request.id.as_ref().is_none_or(|id| !id.is_empty() && id.bytes().all(is_plain)),
        "{:?}",
        request.id
    );
    // Spelled as our client does, it is the same.
    let mut text = format!("node {node}\n");
    for (key, value) in
        [("archive", request.archive), ("retention", request.retention), ("tapegroup", request.tapegroup)]
    {
        text.extend(value.map(|value| format!("{key} {value}\n")));
    }
    text.extend(
        request
            .accept
            .map(|accept| format!("accept {}\n", if accept.ending() == ".gz" { "gzip" } else { "zstd" })),
    );
    text.extend(request.id.iter().map(|id| format!("request {id}\n")));
    text.extend(request.subscribe.iter().map(|series| format!("{series} subscribe\n")));
    text.extend(request.unsubscribe.iter().map(|series| format!("{series} unsubscribe\n")));
    text.push_str("end\n");
    assert!(Request::has_end(text.as_bytes()));
    assert_eq!(Request::parse(text.as_bytes()), Ok(request), "{text}");
}

pub fn trigger_name(bytes: &[u8]) {
    let Ok(name) = std::str::from_utf8(bytes) else { return };
    let Some(Ok(file)) = TriggerFile::parse(name) else { return };
    assert_eq!(file.to_string(), name);
    assert!(!name.contains(['/', '\0']) && !name.starts_with('.') && !name.contains(".."), "{name:?}");
}

pub fn outcome(bytes: &[u8]) {
    let Some(mut outcome) = Outcome::parse(bytes) else { return };
    // No request has such an id: `=` parts a word from its value.
    outcome.id = outcome.id.filter(|id| !id.starts_with('='));
    let mut text = outcome.write();
    text.extend(outcome.id.iter().map(|id| format!("request {id}\n")));
    assert_eq!(Outcome::parse(text.as_bytes()), Some(outcome), "{text}");
    // What follows without its line end is not there yet.
    assert_eq!(
        Outcome::parse(&[bytes, b"\nsuccess fals"].concat()).is_some(),
        bytes.contains(&b'\n') || Outcome::parse(&[bytes, b"\n"].concat()).is_some()
    );
}

pub fn answer(bytes: &[u8]) {
    if let Some(answer) = read(SqlDone::parse(bytes), bytes) {
        if let SqlDone::Ready { files, skipped, series, .. } = &answer {
            check_series(skipped.iter().chain(series), bytes);
            for file in files {
                // A digest that is none equals that of no file.
                assert!(!file.sha256.contains(char::is_whitespace), "{file:?}");
                assert!(!file.name.contains(['\0', '\n']), "{file:?}");
            }
        }
        // White space of a reason is made blanks; the rest comes back as it is.
        let text = answer.write();
        let again = SqlDone::parse(text.as_bytes()).expect("it was written by us");
        assert!(again == answer || matches!(again, SqlDone::Failure { .. }), "{text}");
        assert_eq!(again.write(), text);
    }
    if let Some(done) = read(Done::parse(bytes), bytes) {
        check_series(&done.series, bytes);
        let text = done.write();
        let again = Done::parse(text.as_bytes()).expect("it was written by us");
        assert_eq!(
            (&again.id, &again.series, again.failure.is_some()),
            (&done.id, &done.series, done.failure.is_some())
        );
        assert_eq!(again.write(), text);
    }
}

fn check_list(list: &SeriesList, bytes: &[u8]) {
    check_series(list.iter().map(|subscription| &subscription.series), bytes);
    let names: std::collections::HashSet<_> = list.iter().map(|subscription| &subscription.series).collect();
    assert_eq!(names.len(), list.len(), "a series twice");
}

pub fn series_list(bytes: &[u8]) {
    let Some(list) = read(read_names(bytes), bytes) else { return };
    check_list(&list, bytes);
    let text = write_names(&list);
    assert_eq!(read_names(&text), Ok(list), "{}", text.escape_ascii());
}

pub fn registry(bytes: &[u8]) {
    let Some(registry) = read(Registry::parse(bytes), bytes) else { return };
    let text = registry.write();
    assert!(text.is_empty() || text.ends_with(b"\n"));
    assert!(!text.contains(&0));
    assert_eq!(Registry::parse(&text), Ok(registry.clone()), "{}", text.escape_ascii());
    for entry in registry.entries() {
        assert!(entry.name().is_none_or(|name| registry.find(name).is_some()));
    }
    // One that comes and goes leaves the others as they were, to the byte.
    let (directory, list) = ("/fuzz/site_logs/f-u-z-z".as_ref(), "/fuzz/f-u-z-z.lst".as_ref());
    if registry.entries().all(|entry| entry.directory != directory) {
        let mut other = registry.clone();
        other.enter(directory, list);
        assert!(other.find("f-u-z-z").is_some());
        other.remove(directory);
        assert_eq!(other.write(), text);
    }
}

pub fn cuts(bytes: &[u8]) {
    let Some(cuts) = read(Cuts::parse(bytes), bytes) else { return };
    let text = cuts.write();
    assert_eq!(Cuts::parse(&text).as_ref(), Ok(&cuts), "{}", text.escape_ascii());
    let starts: Vec<Counter> = cuts.starts().collect();
    assert!(starts.is_sorted(), "{starts:?}");
    for start in &starts {
        check_list(cuts.at(*start).expect("a section begins here"), bytes);
        // What is forgotten was asked for by nobody.
        assert_eq!(cuts.since(*start).at(*start), cuts.at(*start));
        assert_eq!(cuts.since(*start).last(), cuts.last());
    }
}

pub fn open_request(bytes: &[u8]) {
    let Some(open) = read(OpenRequest::parse(bytes), bytes) else { return };
    let text = open.write();
    assert_eq!(OpenRequest::parse(&text).as_ref(), Ok(&open), "{}", text.escape_ascii());
    if let Some(cut) = open.cut() {
        check_list(&cut.list, bytes);
    }
    assert!(open.text.len() <= bytes.len());
    if let Err(fault) = open.request() {
        check_fault(&fault, &open.text);
    }
}

pub fn stopped(bytes: &[u8]) {
    if let Some(stopped) = read(Stopped::parse(bytes), bytes) {
        let text = stopped.write();
        let again = Stopped::parse(&text).expect("it was written by us");
        assert_eq!((again.before, again.why.is_some()), (stopped.before, stopped.why.is_some()));
        assert_eq!(Stopped::parse(&again.write()), Ok(again));
    }
    if let Some(decisions) = read(Decisions::parse(bytes), bytes) {
        assert_eq!(Decisions::parse(&decisions.write()), Ok(decisions));
    }
}

pub fn counters(bytes: &[u8]) {
    if let Some(counter) = read(read_counter(bytes), bytes) {
        assert_eq!(read_counter(&write_counter(counter)), Ok(counter));
    }
    if let Some(counter) = read(read_acknowledgement(bytes), bytes) {
        assert!(counter <= Counter::LAST);
        assert_eq!(read_acknowledgement(&write_counter(counter)), Ok(counter));
    }
    if let Some(counters) = read(read_counters(bytes), bytes) {
        assert_eq!(read_counters(&write_counters(&counters)), Ok(counters));
    }
    if let Some(numbers) = read(read_numbers(bytes), bytes) {
        assert_eq!(read_numbers(&write_numbers(&numbers)), Ok(numbers));
    }
    let seen = read_seen(bytes);
    let text: String = seen.iter().map(subscription_manager::protocol::Seen::write).collect();
    assert_eq!(read_seen(text.as_bytes()), seen, "{text}");
}

/// Faults name lines that there are; a path that is accepted is absolute.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::read(text) {
        Ok(config) => {
            let paths = &config.paths;
            for path in [
                &paths.triggerdir,
                &paths.subscribers_dir,
                &paths.tables_dir,
                &paths.registry,
                &paths.work_dir,
            ] {
                assert!(path.is_absolute(), "{}", path.display());
            }
            assert!(
                !config.rescan.is_zero() && config.dump.attempts > 0 && config.dump.jobs > 0,
                "{config:?}"
            );
        }
        Err(error) => check_settings(&error, text),
    }
    match SiteConfig::read(text) {
        Ok(config) => {
            assert!(!config.interval.is_zero(), "{config:?}");
            assert!(!config.work_dir.as_os_str().is_empty());
        }
        Err(error) => check_settings(&error, text),
    }
}

fn check_settings(error: &Error, text: &str) {
    let lines = text.lines().count().max(1);
    for fault in error.chain().lines().filter_map(|line| line.trim_start().strip_prefix("line ")) {
        let digits: String = fault.chars().take_while(char::is_ascii_digit).collect();
        // A value may hold the word at the begin of a line of its own: values are one line each, so it may not.
        let line: usize = digits.parse().expect("a number of a line");
        assert!((1..=lines).contains(&line), "{fault}");
    }
}

pub fn array_literal(bytes: &[u8]) {
    let Some(elements) = array::decode(bytes) else { return };
    assert_eq!(array::elements(bytes), Some(elements.len()));
    let size: usize = elements.iter().flatten().map(Vec::len).sum();
    assert!(size <= bytes.len());
    let spelled = array::encode(&elements);
    assert_eq!(array::decode(&spelled), Some(elements), "{}", spelled.escape_ascii());
}

/// A text gives the same parts however it arrives, and none that was not in it.
pub fn sql_text(bytes: &[u8]) {
    for mode in 0..3 {
        let whole = parts(bytes, mode);
        assert_eq!(parts(Trickle(bytes, 1), mode), whole, "byte by byte");
        assert_eq!(parts(Trickle(bytes, 7), mode), whole, "seven by seven");
        let size: usize = whole.0.iter().map(|(_, _, text)| text.len()).sum();
        assert!(size <= bytes.len(), "more came out than went in");
        let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
        assert!(whole.0.iter().all(|(line, _, _)| (1..=lines).contains(line)));
    }
}

/// Each part with its line and kind, rows joined as far as they follow one another; and whether the text came to its end.
type Parts = (Vec<(u64, u8, Vec<u8>)>, bool);

fn parts(source: impl Read, mode: u8) -> Parts {
    let mut text = SqlText::new(source);
    match mode {
        0 => {}
        1 => text.escape_backslashes(),
        _ => text.take_backslashes_as_plain(),
    }
    let mut all: Vec<(u64, u8, Vec<u8>)> = Vec::new();
    loop {
        let line = text.line();
        let (kind, bytes) = match text.part() {
            Ok(None) => return (all, true),
            Ok(Some(Part::Comment(bytes))) => (b'-', bytes),
            Ok(Some(Part::Command(bytes))) => (b'\\', bytes),
            Ok(Some(Part::Statement(bytes))) => (b';', bytes),
            Ok(Some(Part::Copy(bytes))) => (b'c', bytes),
            Ok(Some(Part::Rows(bytes))) => (b'r', bytes),
            Ok(Some(Part::EndOfRows)) => (b'.', &b""[..]),
            Err(SqlTextError::Fault(_)) => {
                // Whether rows before their missing end were given out depends on how they came.
                while all.last().is_some_and(|(_, kind, _)| *kind == b'r') {
                    all.pop();
                }
                return (all, false);
            }
            Err(SqlTextError::Read(error)) => panic!("nothing here fails to be read: {error}"),
        };
        match all.last_mut() {
            Some((_, b'r', rows)) if kind == b'r' => rows.extend_from_slice(bytes),
            // Blanks before a part are passed over: its line is where the part before it ended.
            _ => all.push((if kind == b'r' { 1 } else { line }, kind, bytes.to_vec())),
        }
    }
}

/// Bytes that come a few at a time.
struct Trickle<'b>(&'b [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.len().min(self.1).min(into.len());
        let (now, later) = self.0.split_at(length);
        into[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

/// Whatever a bundle holds, nothing comes out of it but the wanted logs, under their hidden names.
pub fn bundle(bytes: &[u8]) {
    let directory = tempfile::tempdir_in(scratch()).expect("make a directory");
    let path = directory.path().join("bundle");
    fs::write(&path, bytes).expect("write the bundle");
    let into = directory.path().join("in/to");
    fs::create_dir_all(&into).expect("make a directory");
    let counter = |text: &str| Counter::parse(text).expect("a number");
    let (first, last) = (counter("3"), counter("4"));
    let name = BundleName::new(first, last).expect("in order");
    let incoming = Incoming { path: &path, name, node: None, first, last };
    let unpacked = incoming.unpack(&into, &|| true);
    let outside: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside.len(), 2, "{outside:?}");
    assert_eq!(fs::read_dir(directory.path().join("in")).unwrap().count(), 1);
    let inside: Vec<_> = fs::read_dir(&into).unwrap().map(|entry| entry.unwrap()).collect();
    for entry in &inside {
        let name = entry.file_name().into_string().expect("a name of ours");
        let log = name.strip_prefix(".slony1_log_").and_then(|rest| rest.strip_suffix(".part"));
        assert!(log.is_some() && entry.file_type().unwrap().is_file(), "{name}");
    }
    match unpacked {
        Ok(_) => assert_eq!(inside.len(), 2, "both logs are there"),
        Err(error) => assert!(matches!(error, Error::Stopped(_)), "no fault of ours: {}", error.chain()),
    }
}

/// In memory where that can be: a fuzzer makes thousands a second.
fn scratch() -> std::path::PathBuf {
    let memory = std::path::PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// What ssh-agent has printed, and the password file.
pub fn credentials(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let variables = agent::variables(&text);
    assert!(variables.len() <= 2);
    for (name, value) in variables {
        assert!(["SSH_AUTH_SOCK", "SSH_AGENT_PID"].contains(&name));
        assert!(!value.is_empty() && !value.contains([';', '\n']) && text.contains(value), "{value:?}");
    }
    let database = DatabaseConfig {
        host: "db".into(),
        port: 5432,
        user: "slony".into(),
        dbname: "my:db".into(),
        ..DatabaseConfig::default()
    };
    let Some(password) = subscription_manager::passfile::find(bytes, &database) else { return };
    assert!(password.len() < bytes.len() && !password.contains(&b'\n'));
    // A line that names everything comes first, whatever follows.
    let escaped: Vec<u8> = password
        .iter()
        .flat_map(|byte| if b":\\".contains(byte) { vec![b'\\', *byte] } else { vec![*byte] })
        .collect();
    let line = [b"db:5432:my\\:db:slony:", escaped.as_slice(), b"\n", bytes].concat();
    // The end of a line may be one of Windows.
    let expected = password.strip_suffix(b"\r").map_or(password.clone(), <[u8]>::to_vec);
    assert_eq!(subscription_manager::passfile::find(&line, &database), Some(expected));
}
