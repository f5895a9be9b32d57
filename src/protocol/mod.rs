//! Text to words and back: every file that the project reads or writes has its reader and its writer in one place
//! here, without I/O. PROTOCOL.md is the same in prose.

use std::borrow::Cow;

mod access;
mod acknowledgement;
mod answer;
mod audit;
mod cancel;
mod counter_file;
mod cuts;
mod dumps;
mod hole;
mod lag;
mod numbers;
mod open_request;
mod outcome;
pub mod plusmoin;
mod registry;
mod request;
mod seen;
mod series_list;
mod stopped;
mod system;
mod trigger;
mod troubles;
pub mod watched;

pub use access::AccessRules;
pub use acknowledgement::read_acknowledgement;
pub use answer::{Done, SqlDone, SqlFile};
pub use audit::{Entry as AuditEntry, Event, read_audit};
pub use cancel::Cancel;
pub use counter_file::{read_counter, read_counters, write_counter, write_counters};
pub use cuts::Cuts;
pub use dumps::{Dump, DumpState, Dumps};
pub use hole::{Away, Compared, Confirmed, Hole, Missed, read_holes, write_holes};
pub use lag::LagSample;
pub use numbers::{read_numbers, write_numbers};
pub use open_request::{Cut, OpenRequest, Origin, Phase, Sent, Site};
pub use outcome::Outcome;
pub use registry::{Entry, Registry};
pub use request::Request;
pub use seen::{Seen, read_copied, read_seen, write_copied};
pub use series_list::{read_names, read_subscriptions, write_names, write_subscriptions};
pub use stopped::{Decision, Decisions, Stopped, Why};
pub use system::{read_system, write_system};
pub use trigger::{Kind, Stem, TriggerFile, Writer, sql_file_names, writer};
pub use troubles::{Trouble, read_troubles, write_troubles};
pub use watched::Watched;

/// A fault in a text, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Malformed {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl Malformed {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// The text of a file from outside: UTF-8, a byte order mark and CRLF line ends taken away. NUL and a lone carriage
/// return are faults.
fn plain_text(bytes: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    let line_of = |at: usize| 1 + bytes.iter().take(at).filter(|b| **b == b'\n').count();
    if let Some(at) = memchr::memchr(0, bytes) {
        return Err(Malformed::new(line_of(at), "a NUL byte: this is no text"));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        Malformed::new(line_of(e.valid_up_to()), format!("byte {} is no UTF-8", e.valid_up_to() + 1))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    match text.find('\r') {
        Some(at) => Err(Malformed::new(
            1 + text.get(..at).map_or(0, |t| t.matches('\n').count()),
            "a lone carriage return",
        )),
        None => Ok(text),
    }
}

/// The lines that say something, numbered from 1: blank lines and `#` comments are left out.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// A line's first word and the rest, parted by white space or one `=` as in `key value` and `key=value`.
pub fn key_value(line: &str) -> (&str, &str) {
    let end = line.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (key, rest.strip_prefix('=').unwrap_or(rest).trim())
}

/// A text of somebody's as a value that [`key_value`] reads: on one line, and without what parts a word from its value before it.
fn one_line(text: &str) -> String {
    let parts = |c: char| c == '=' || c.is_control() || c.is_whitespace();
    let blank = |c: char| c.is_control() || c.is_whitespace();
    let words = text.trim_start_matches(parts).split(blank).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}
