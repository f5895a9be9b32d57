//! What the daemon has done since it started, counted where it is done. Nothing depends on it: it is what `/metrics` shows,
//! and a restart begins at 0, as counters of its kind do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::model::Step;
use crate::protocol::{AuditEntry, Event};

/// Counts, shared by all who do the work.
#[derive(Debug, Default)]
pub struct Tally {
    archives: AtomicU64,
    requests: Mutex<Requests>,
}

/// What became of requests.
#[derive(Debug, Default)]
struct Requests {
    by_outcome: BTreeMap<&'static str, u64>,
    rows: u64,
    bytes: u64,
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Archives that were split for all nodes that go on, or for one that catches up.
    pub archives_split: u64,
    /// What became of requests: as the events of the audit trail are called.
    pub requests: BTreeMap<&'static str, u64>,
    /// Rows of series in the SQL that was offered.
    pub dumped_rows: u64,
    /// Bytes of the SQL that was offered.
    pub dumped_bytes: u64,
    /// Lines of the log that say ERROR.
    pub errors: u64,
}

/// The events that are counted. Each has its number from the start on, so that a rate can be told from the first.
const OUTCOMES: &[(Event, &str)] = &[
    (Event::Accepted, "accepted"),
    (Event::Offered, "offered"),
    (Event::Applied, "applied"),
    (Event::RolledBack, "rolled_back"),
    (Event::Expired, "expired"),
    (Event::Refused, "refused"),
    (Event::Superseded, "superseded"),
];

impl Tally {
    /// Archives were split.
    pub fn split(&self, archives: u64) {
        self.archives.fetch_add(archives, Ordering::Relaxed);
    }

    /// A plan was carried out: what its lines of the audit trail tell of has happened.
    pub fn done(&self, steps: &[Step]) {
        for step in steps {
            let Step::Append { line, .. } = step else { continue };
            if let Some(entry) = std::str::from_utf8(line).ok().and_then(AuditEntry::read) {
                self.requests().count(&entry);
            }
        }
    }

    /// The counts now; `errors` are counted by the log.
    pub fn totals(&self, errors: u64) -> Totals {
        let requests = self.requests();
        let count = |word: &'static str| requests.by_outcome.get(word).copied().unwrap_or_default();
        Totals {
            archives_split: self.archives.load(Ordering::Relaxed),
            requests: OUTCOMES.iter().map(|(_, word)| (*word, count(word))).collect(),
            dumped_rows: requests.rows,
            dumped_bytes: requests.bytes,
            errors,
        }
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    fn count(&mut self, entry: &AuditEntry) {
        let Some((_, word)) = OUTCOMES.iter().find(|(event, _)| *event == entry.event) else { return };
        *self.by_outcome.entry(word).or_default() += 1;
        if entry.event == Event::Offered {
            self.rows += entry.rows.unwrap_or_default();
            self.bytes += entry.bytes.unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plan_tells_of_is_counted() {
        let step = |event, rows| {
            let entry = AuditEntry {
                rows,
                bytes: rows.map(|rows| rows * 10),
                ..AuditEntry::new("nso 1".into(), event, "2026-11-21T16:40:00.123456Z".into())
            };
            Step::Append { path: "audit.jsonl".into(), marks: entry.marks(), line: entry.write() }
        };
        let tally = Tally::default();
        assert_eq!(tally.totals(0).requests.values().sum::<u64>(), 0);
        assert_eq!(tally.totals(0).requests.len(), OUTCOMES.len());
        tally.done(&[step(Event::Accepted, None), Step::Remove("x".into()), step(Event::Ddl, None)]);
        tally.done(&[step(Event::Offered, Some(4_000))]);
        tally.done(&[step(Event::Applied, Some(4_000))]);
        tally.split(3);
        let totals = tally.totals(2);
        let count = |word| totals.requests[word];
        assert_eq!(["accepted", "offered", "applied", "refused"].map(count), [1, 1, 1, 0]);
        assert_eq!((totals.dumped_rows, totals.dumped_bytes), (4_000, 40_000));
        assert_eq!((totals.archives_split, totals.errors), (3, 2));
    }
}
