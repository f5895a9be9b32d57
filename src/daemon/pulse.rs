//! Whether the daemon's loop and its splitter turn: they say so themselves, and `/healthz` asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::Error;
use crate::model::Counter;

/// A loop that has not looked for so many intervals does not turn.
const LOOKS_MISSED: u32 = 3;

/// What the daemon's tasks say of themselves.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<Signs>);

#[derive(Debug)]
struct Signs {
    /// When the loop looked last, and nothing failed.
    looked: Instant,
    splitter: Turning,
    /// Since when the database is away.
    lost: Option<Instant>,
    committed: Option<Counter>,
}

/// The splitter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Turning {
    /// Not begun: since the start nodes are brought to rest.
    NotYet(Instant),
    /// It turns, or has nothing to split.
    Turns,
    /// It waits for a person.
    Waits(String),
    /// Its task has ended.
    Ended,
}

/// Held by the task of the splitter: whoever drops it has ended.
pub(super) struct Alive(Arc<Pulse>);

impl Pulse {
    /// At the start.
    pub(super) fn new() -> Arc<Self> {
        let now = Instant::now();
        let splitter = Turning::NotYet(now);
        Arc::new(Self(Mutex::new(Signs { looked: now, splitter, lost: None, committed: None })))
    }

    /// The loop has looked.
    pub(super) fn looked(&self) {
        self.signs().looked = Instant::now();
    }

    /// There is nothing to split.
    pub(super) fn splits_nothing(&self) {
        self.signs().splitter = Turning::Turns;
    }

    /// The splitter begins.
    pub(super) fn begins(self: &Arc<Self>) -> Alive {
        self.signs().splitter = Turning::Turns;
        Alive(self.clone())
    }

    /// The database has said how far it has committed.
    pub(super) fn committed(&self, counter: Counter) {
        let mut signs = self.signs();
        signs.committed = Some(counter);
        signs.lost = None;
    }

    /// What the database said last.
    pub(super) fn last_committed(&self) -> Option<Counter> {
        self.signs().committed
    }

    /// How a round of the splitter ended.
    pub(super) fn turned(&self, fault: Option<&Error>) {
        let mut signs = self.signs();
        match fault {
            Some(fault) if fault.is_of_database() => {
                signs.lost.get_or_insert_with(Instant::now);
                signs.splitter = Turning::Turns;
            }
            Some(fault) => signs.splitter = Turning::Waits(fault.chain()),
            None => signs.splitter = Turning::Turns,
        }
    }

    /// What is wrong, if anything is.
    pub(super) fn fault(&self, config: &Config) -> Option<String> {
        self.signs().fault(Instant::now(), config.rescan, config.database_patience)
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signs {
    fn fault(&self, now: Instant, rescan: Duration, patience: Duration) -> Option<String> {
        let past = |since: Instant| now.saturating_duration_since(since);
        // At least some seconds: a look at thousands of files takes its time.
        let limit = (rescan * LOOKS_MISSED).max(Duration::from_secs(LOOKS_MISSED.into()));
        if past(self.looked) > limit {
            return Some(format!(
                "the drop directory was not looked at for {} s",
                past(self.looked).as_secs()
            ));
        }
        if let Some(lost) = self.lost.filter(|lost| past(*lost) > patience) {
            return Some(format!("the database is away for {} s", past(lost).as_secs()));
        }
        match &self.splitter {
            Turning::NotYet(since) if past(*since) > limit.max(patience) => {
                Some("nothing is split yet: a node cannot be brought to rest".into())
            }
            Turning::NotYet(_) | Turning::Turns => None,
            Turning::Waits(why) => Some(format!("the splitter waits: {why}")),
            Turning::Ended => Some("the splitter has ended; start the daemon anew".into()),
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.signs().splitter = Turning::Ended;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_shows_after_its_time() {
        let seconds = Duration::from_secs;
        let begun = Instant::now();
        let well = || Signs { looked: begun, splitter: Turning::Turns, lost: None, committed: None };
        let fault = |signs: Signs, after| signs.fault(begun + seconds(after), seconds(10), seconds(60));
        assert_eq!(fault(well(), 30), None);
        let late = "the drop directory was not looked at for 31 s";
        assert_eq!(fault(well(), 31).as_deref(), Some(late));
        let looked = |after| Signs { looked: begun + seconds(after), ..well() };
        assert_eq!(fault(Signs { lost: Some(begun), ..looked(60) }, 60), None);
        let away = fault(Signs { lost: Some(begun), ..looked(60) }, 61);
        assert_eq!(away.as_deref(), Some("the database is away for 61 s"));
        let new = || Signs { splitter: Turning::NotYet(begun), ..looked(60) };
        assert_eq!((fault(new(), 60), fault(new(), 61).is_some()), (None, true));
        let waits = Signs { splitter: Turning::Waits("no such file".into()), ..well() };
        assert_eq!(fault(waits, 1).as_deref(), Some("the splitter waits: no such file"));
    }

    #[test]
    fn a_database_that_is_silent_is_away_and_waits_for_nobody() {
        let pulse = Pulse::new();
        pulse.turned(Some(&Error::Silent("the database is silent for 30 s".into())));
        let signs = pulse.signs();
        assert!(signs.lost.is_some() && signs.splitter == Turning::Turns, "{signs:?}");
    }

    #[test]
    fn a_task_that_ends_however_is_noticed() {
        let pulse = Pulse::new();
        let alive = pulse.begins();
        assert_eq!(pulse.signs().splitter, Turning::Turns);
        let broke = std::thread::spawn(move || {
            let _alive = alive;
            panic!("a bug");
        });
        assert!(broke.join().is_err());
        assert_eq!(pulse.signs().splitter, Turning::Ended);
    }
}
