//! What the environment has asked for.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::Change;
use super::journal::Journal;

/// The points of this process.
struct Armed {
    trace: Option<File>,
    kill: Option<Kill>,
    journal: Option<Mutex<Journal>>,
}

/// Where it dies.
struct Kill {
    name: String,
    /// How often the point is still to be passed.
    left: AtomicU32,
}

/// Before what it dies, or what it does meanwhile.
pub(super) fn reach(verb: &str, role: &str) {
    let Some(armed) = armed() else { return };
    let name = format!("{verb} {}", stable(role));
    if let Some(mut trace) = armed.trace.as_ref() {
        // One write is one line, whoever else writes.
        let _ = trace.write_all(format!("{name}\n").as_bytes());
    }
    let Some(kill) = armed.kill.as_ref().filter(|kill| kill.name == name) else { return };
    if kill.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        // Not in the middle of what another thread notes.
        let _nothing_is_half_noted = armed.journal.as_ref().map(lock);
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

pub(super) fn change<T>(what: Change<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let (verb, path) = match what {
        Change::Create(path) => ("create", path),
        Change::Append(path) => ("append", path),
        Change::Rename(_, path) => ("rename", path),
        Change::Link(path) => ("link", path),
        Change::Remove(path) => ("remove", path),
        Change::MakeDirectory(path) => ("mkdir", path),
        Change::RemoveTree(path) => ("rmtree", path),
        Change::Mark(path) => ("mark", path),
        Change::Sync(path) => ("sync", path),
        Change::SyncAll(path) => ("syncfs", path),
    };
    reach(verb, &path.to_string_lossy());
    match armed().and_then(|armed| armed.journal.as_ref()) {
        Some(journal) => lock(journal).change(what, act),
        None => act(),
    }
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let read = || {
        let variable = |name: &str| std::env::var(format!("FAILPOINT_{name}")).ok();
        let armed = Armed {
            trace: variable("TRACE").and_then(|path| append(Path::new(&path)).ok()),
            kill: variable("KILL").and_then(|kill| {
                let (left, name) = kill.split_once(' ')?;
                Some(Kill { name: name.to_owned(), left: left.parse::<u32>().ok()?.into() })
            }),
            journal: variable("JOURNAL")
                .and_then(|path| Journal::open(Path::new(&path)).ok().map(Mutex::new)),
        };
        (armed.trace.is_some() || armed.kill.is_some() || armed.journal.is_some()).then_some(armed)
    };
    ARMED.get_or_init(read).as_ref()
}

/// Opens a file that is appended to.
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last part of a path, with `#` for what differs from run to run: counters, and what follows `.tmp-`.
fn stable(role: &str) -> String {
    let name = role.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if name.starts_with(".tmp-") {
        return ".tmp-#".to_owned();
    }
    let mut stable = String::new();
    for character in name.chars() {
        match character {
            '0'..='9' if stable.ends_with('#') => {}
            '0'..='9' => stable.push('#'),
            other => stable.push(other),
        }
    }
    stable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_every_run() {
        assert_eq!(stable("/srv/site_logs/nso/slony1_log_2_00000000000000000007.sql"), "slony#_log_#_#.sql");
        assert_eq!(stable("/srv/site_logs/nso/slony_logs_1-6.tar.gz"), "slony_logs_#-#.tar.gz");
        assert_eq!(stable("/srv/site_logs/.tmp-aX3b1z"), ".tmp-#");
        assert_eq!(stable("/srv/etc/nso.new.lst"), "nso.new.lst");
        assert_eq!(stable("src/db/site/bulk.rs"), "bulk.rs");
    }
}
