//! The rules of the house that no lint sees: who may import whom, and that PROTOCOL.md knows every kind of file.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

use std::fs;
use std::path::{Path, PathBuf};

/// What the loop and the operator's commands stand on.
const BELOW_THE_LOOP: &[&str] = &[
    "model",
    "protocol",
    "paths",
    "config",
    "error",
    "disk",
    "db",
    "access",
    "ground",
    "logs",
    "monitor",
    "subscription",
    "overview",
    "hooks",
    "recent",
    "tally",
    "http",
];

/// Every room with the rooms of ours that it may name. `*` stands for all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("protocol", &["model"]),
    ("paths", &["model", "protocol"]),
    ("command", &[]),
    ("output", &["error"]),
    ("settings", &["protocol", "error", "disk", "command"]),
    ("config", &["model", "paths", "error", "settings", "command"]),
    ("error", &["model", "protocol", "paths", "logs"]),
    ("failpoint", &[]),
    ("disk", &["model", "error", "paths", "failpoint"]),
    ("db", &["model", "spelling", "error", "config", "passfile", "tls", "failpoint"]),
    ("recent", &["model"]),
    ("tally", &["model", "protocol"]),
    ("access", &["model", "protocol", "config", "error", "disk"]),
    ("ground", &["model", "protocol", "paths", "error", "disk", "access"]),
    ("spelling", &["model"]),
    (
        "logs",
        &["model", "spelling", "protocol", "paths", "config", "error", "disk", "db", "access", "ground"],
    ),
    ("monitor", &["model", "protocol", "paths", "command", "config", "error", "disk", "db"]),
    (
        "subscription",
        &["model", "protocol", "paths", "config", "error", "disk", "db", "access", "ground", "tally"],
    ),
    (
        "overview",
        &[
            "model",
            "protocol",
            "monitor",
            "paths",
            "config",
            "error",
            "disk",
            "access",
            "ground",
            "logs",
            "subscription",
            "recent",
            "tally",
        ],
    ),
    ("hooks", &["model", "protocol", "paths", "config", "error", "disk", "command", "logs", "overview"]),
    ("http", &["model", "protocol", "config", "error", "disk", "overview", "recent"]),
    ("daemon", BELOW_THE_LOOP),
    ("admin", BELOW_THE_LOOP),
    ("passfile", &["config", "error", "disk"]),
    ("tls", &["config", "error", "disk"]),
    ("transport", &["error", "disk", "failpoint"]),
    (
        "subscriber",
        &[
            "model",
            "spelling",
            "protocol",
            "command",
            "config",
            "settings",
            "error",
            "disk",
            "db",
            "transport",
        ],
    ),
    ("args", &["model"]),
    ("manual", &["args", "config", "settings", "subscriber", "error"]),
];

/// Files that decide: words and bytes only.
const PURE: &[&str] = &[
    "hooks/decide.rs",
    "hooks/message.rs",
    "hooks/place.rs",
    "hooks/queue.rs",
    "model/hook.rs",
    "protocol/access.rs",
    "model/amount.rs",
    "model/pattern.rs",
    "overview/request.rs",
    "monitor/decide.rs",
    "monitor/reference.rs",
    "protocol/plusmoin.rs",
    "protocol/watched.rs",
    "tls/verify.rs",
    "manual/notes.rs",
    "manual/page.rs",
    "manual/reference.rs",
    "admin/check/finding.rs",
    "admin/check/fix.rs",
    "admin/check/place.rs",
    "admin/check/registry.rs",
    "admin/check/requests.rs",
    "admin/check/stream.rs",
    "model/time.rs",
    "overview/change.rs",
    "overview/lag.rs",
    "http/metrics.rs",
    "http/page.rs",
    "http/plot.rs",
    "protocol/lag.rs",
    "protocol/audit.rs",
    "subscription/stage.rs",
    "subscription/decide.rs",
    "subscription/sql.rs",
    "subscription/offline.rs",
    "spelling/array.rs",
    "spelling/copy_text.rs",
    "spelling/fault.rs",
    "logs/away.rs",
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
    "logs/hole.rs",
    "logs/keys.rs",
    "logs/left.rs",
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
        let may = ["disk", "failpoint", "main"].contains(&room(&path).as_str());
        for word in ["std::fs", " File::open", " File::create", "tokio::fs"] {
            assert!(may || !code(&text).contains(word), "{} holds `{word}`", path.display());
        }
    }
}

/// Words that change the file system, or put it on disk.
const CHANGES: &[&str] = &[
    "fs::rename",
    "fs::write",
    "fs::copy",
    "fs::hard_link",
    "fs::create_dir",
    "fs::remove_",
    "fs::set_permissions",
    "symlink(",
    "File::create",
    "OpenOptions",
    "renameat",
    ".set_permissions(",
    ".set_modified(",
    "chown(",
    ".persist(",
    "tempfile_in",
    "tempdir_in",
    "make_in",
    "sync_all",
    "sync_data",
    "syncfs",
];

/// Files that may hold some of them: the door itself, locks (whose content means nothing), a way to open for reading, the
/// program's own log, and what the tests alone use.
const MAY_CHANGE: &[&str] = &[
    "disk/change.rs",
    "disk/lock.rs",
    "disk/observe.rs",
    "disk/log_file.rs",
    "failpoint/armed.rs",
    "failpoint/journal.rs",
];

#[test]
fn every_change_of_the_file_system_can_be_cut_off() {
    for (path, text) in sources() {
        let may = MAY_CHANGE.iter().any(|name| path == Path::new(name));
        for word in CHANGES {
            assert!(
                may || !code(&text).contains(word),
                "{} holds `{word}`: that is for disk/change.rs, so that tests/crash walks it",
                path.display()
            );
        }
    }
    let open = "OpenOptions::new().read(true).custom_flags(flags)";
    let (_, observe) = sources().into_iter().find(|(path, _)| path == Path::new("disk/observe.rs")).unwrap();
    assert_eq!(code(&observe).matches("OpenOptions::").count(), code(&observe).matches(open).count());
}

#[test]
fn no_release_build_holds_a_failpoint() {
    let text = fs::read_to_string(root().join("failpoint/mod.rs")).unwrap();
    for module in ["armed", "journal"] {
        assert!(text.contains(&format!("#[cfg(debug_assertions)]\nmod {module};")), "{module}");
    }
    for (path, text) in sources() {
        let may = path.starts_with("failpoint");
        assert!(may || !text.contains("FAILPOINT"), "{}", path.display());
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
