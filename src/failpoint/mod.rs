//! Points at which the program can be made to die, for `tests/crash`. They are there in debug builds only; in a release
//! build what is announced here is just done.
//!
//! A point is passed before each change of the file system ([`change()`]), each statement to a database ([`asked()`]) and
//! each call to another machine ([`reach`]). What follows a point is what precedes the next, so one for each is enough.
//! Three variables of the environment arm them:
//!
//! - `FAILPOINT_TRACE=<file>`: the name of each point that is passed is appended to it, a line each.
//! - `FAILPOINT_KILL=<n> <name>`: dies, as by SIGKILL, where the point of this name is passed for the n-th time.
//! - `FAILPOINT_JOURNAL=<directory>`: keeps there what a power loss would take, see [`journal`]; for several runs one
//!   after the other, as a kill does not put on disk what was not synced.

use std::io;
use std::path::Path;

#[cfg(debug_assertions)]
mod armed;
#[cfg(debug_assertions)]
mod journal;

/// A change of the file system, with the names that it is about.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(debug_assertions), expect(dead_code, reason = "nothing is named where nothing dies"))]
pub(crate) enum Change<'p> {
    /// A file that is not there is made.
    Create(&'p Path),
    /// A file is opened to be appended to.
    Append(&'p Path),
    /// A file or directory gets another name, which something may have.
    Rename(&'p Path, &'p Path),
    /// A file gets a further name.
    Link(&'p Path),
    /// A file goes.
    Remove(&'p Path),
    /// A directory is made.
    MakeDirectory(&'p Path),
    /// A directory goes with all that is in it.
    RemoveTree(&'p Path),
    /// Mode, owner or time change.
    Mark(&'p Path),
    /// The content of a file, or the names in a directory, are put on disk.
    Sync(&'p Path),
    /// Everything in the file system of this directory is.
    SyncAll(&'p Path),
}

/// Does a change of the file system. What `act` gives back does not matter here.
#[inline]
pub(crate) fn change<T>(what: Change<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(debug_assertions)]
    return armed::change(what, act);
    #[cfg(not(debug_assertions))]
    {
        let _ = what;
        act()
    }
}

/// Passes the point of this verb and role: a call to another machine, or a connection.
#[inline]
pub(crate) fn reach(verb: &str, role: &str) {
    #[cfg(debug_assertions)]
    armed::reach(verb, role);
    #[cfg(not(debug_assertions))]
    let _ = (verb, role);
}

/// Passes a point that is named by the file of the code that asks.
#[inline]
#[track_caller]
pub(crate) fn asked() {
    #[cfg(debug_assertions)]
    armed::reach("ask", std::panic::Location::caller().file());
}
