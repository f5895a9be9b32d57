//! The rules of the house that no lint sees: who may import whom, and that PROTOCOL.md knows every kind of file.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Every room with the rooms of ours that it may name. `*` stands for all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("protocol", &["model"]),
    ("paths", &["model", "protocol"]),
    ("settings", &["protocol", "error"]),
    ("config", &["model", "paths", "error", "settings"]),
    ("error", &["model", "protocol", "paths", "logs"]),
    ("disk", &["model", "error", "paths"]),
    ("db", &["model", "spelling", "error", "config", "passfile"]),
    ("ground", &["model", "protocol", "paths", "error", "disk"]),
    ("spelling", &["model"]),
    ("logs", &["model", "spelling", "protocol", "paths", "config", "error", "disk", "db", "ground"]),
    ("subscription", &["model", "protocol", "paths", "config", "error", "disk", "db", "ground"]),
    (
        "daemon",
        &["model", "protocol", "paths", "config", "error", "disk", "db", "ground", "logs", "subscription"],
    ),
    (
        "admin",
        &["model", "protocol", "paths", "config", "error", "disk", "db", "ground", "logs", "subscription"],
    ),
    ("passfile", &["config"]),
    ("transport", &["error", "disk"]),
    (
        "subscriber",
        &["model", "spelling", "protocol", "config", "settings", "error", "disk", "db", "transport"],
    ),
    ("args", &["model"]),
];

/// Files that decide: words and bytes only.
const PURE: &[&str] = &[
    "subscription/stage.rs",
    "subscription/decide.rs",
    "subscription/sql.rs",
    "subscription/offline.rs",
    "spelling/array.rs",
    "spelling/copy_text.rs",
    "spelling/fault.rs",
    "logs/expiry.rs",
    "logs/fault.rs",
    "spelling/header.rs",
    "spelling/legacy.rs",
    "spelling/lines.rs",
    "spelling/quoted.rs",
    "logs/route.rs",
    "spelling/row.rs",
    "spelling/script.rs",
    "spelling/script_tokens.rs",
    "spelling/sequence_line.rs",
    "logs/site_log.rs",
    "spelling/slon_words.rs",
    "logs/gather.rs",
    "logs/keys.rs",
    "logs/master.rs",
    "logs/plan.rs",
    "logs/reader/mod.rs",
    "logs/reader/line.rs",
    "logs/reader/statement.rs",
    "logs/reader/text.rs",
    "logs/survey.rs",
    "logs/window.rs",
    "logs/write.rs",
    "logs/standing.rs",
    "logs/statement.rs",
    "spelling/statement_end.rs",
    "spelling/table_copy.rs",
    "logs/targets.rs",
    "subscriber/ingest/decide.rs",
    "subscriber/ingest/offer.rs",
    "subscriber/subscribe/decide.rs",
    "subscriber/subscribe/list.rs",
    "subscriber/subscribe/place.rs",
    "subscriber/subscribe/record.rs",
    "subscriber/subscribe/shown.rs",
    "subscriber/subscribe/statement.rs",
    "transport/agent.rs",
    "transport/ssh.rs",
    "subscriber/apply/change.rs",
    "subscriber/apply/drift.rs",
    "subscriber/apply/frame.rs",
    "subscriber/apply/gather.rs",
];

/// Words that a pure file must not hold outside its tests.
const IMPURE: &[&str] = &[
    "crate::disk",
    "crate::db",
    "std::fs",
    "std::net",
    "SystemTime::now",
    "Instant::now",
    "tracing::",
    "tokio",
];

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn collect(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
        }
    }
}

/// The part before the file's own tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

fn room(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn rooms_import_only_what_they_may() {
    for (path, text) in sources() {
        let room = room(&path);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
            assert!(["main", "lib", "bin"].contains(&room.as_str()), "{room} has no rule here");
            continue;
        };
        for (at, _) in code(&text).match_indices("crate::") {
            let rest = &text[at + "crate::".len()..];
            let named: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(
                named == room || allowed.contains(&named.as_str()),
                "{}: {room} must not import {named}",
                path.display()
            );
        }
    }
}

#[test]
fn what_decides_is_pure() {
    let sources = sources();
    for pure in PURE {
        let (_, text) = sources.iter().find(|(path, _)| path == Path::new(pure)).expect(pure);
        for word in IMPURE {
            assert!(!code(text).contains(word), "{pure} holds `{word}`");
        }
    }
}

#[test]
fn only_the_doors_touch_files() {
    for (path, text) in sources() {
        let may = ["disk", "settings", "passfile", "main"].contains(&room(&path).as_str());
        for word in ["std::fs", " File::open", " File::create", "tokio::fs"] {
            assert!(may || !code(&text).contains(word), "{} holds `{word}`", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} has no header", path.display());
        let lines = code(&text).lines().count();
        assert!(lines <= 400, "{} has {lines} lines: is it two rooms?", path.display());
    }
}

#[test]
fn the_protocol_page_names_every_kind_of_file() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL.md")).unwrap();
    for kind in subscription_manager::protocol::Kind::ALL {
        assert!(page.contains(&format!(".{}`", kind.as_str())), "{kind:?}");
    }
    let node = "nso".parse().unwrap();
    for name in subscription_manager::protocol::sql_file_names(&node) {
        let ending = name.trim_start_matches("nso").trim_end_matches(".gz").trim_end_matches(".zst");
        let ending = if ending == ".sql.tar" { ".sql.tar.gz" } else { ending };
        assert!(page.contains(&format!("<node>{ending}")), "{name}");
    }
    for name in ["<node>.counter", "slony_counter.txt", "slony_logs_<first>-<last>.tar.gz"] {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    for ending in [".lst", ".cuts", ".new.lst", ".new.cut", ".stopped", ".ddl"] {
        assert!(page.contains(&format!("`<node>{ending}`")), "{ending}");
    }
}
