//! Where the programs of PostgreSQL, Slony-I and OpenSSH are: `pg_config`, then Debian's directories, then `PATH`, then the
//! directory of daemons.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where distributions keep the versions of PostgreSQL side by side.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The path of a program such as `initdb` or `slon`.
///
/// # Panics
///
/// When it is not installed: a test that cannot run must not pass.
#[track_caller]
pub fn find(name: &str) -> PathBuf {
    let found = directories().iter().map(|directory| directory.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("`{name}` is not installed: these tests run a real PostgreSQL, Slony-I and sshd; `make deps` installs them")
    })
}

/// Every directory that may hold one of the programs, the best first.
fn directories() -> &'static [PathBuf] {
    static DIRECTORIES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    DIRECTORIES.get_or_init(|| {
        // A client library alone brings a `pg_config` whose directory has no server; then the next one is asked.
        let mut all: Vec<_> = said_by_pg_config().into_iter().collect();
        all.extend(versions());
        all.extend(env::split_paths(env::var_os("PATH").as_deref().unwrap_or(OsStr::new(""))));
        // Not in everybody's `PATH`.
        all.push(PathBuf::from("/usr/sbin"));
        all
    })
}

/// The directory `pg_config` names, if there is a `pg_config`.
fn said_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}

/// `/usr/lib/postgresql/*/bin`, the highest version first.
fn versions() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Path::new(VERSIONS)
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, bin)| bin).collect()
}
