//! The world of the soak: the data centre, the sites' server, the line between them, and what everybody must know.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::dice::Dice;
use crate::journal::Journal;
use crate::support::{Cluster, Server, Sshd, Station, wait};

/// How long anything may take that does not fail. The machine may be busy, and slon rests for 10 s after a failure.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Everything that there is.
pub(crate) struct World<'w> {
    pub(crate) journal: &'w Journal,
    pub(crate) cluster: &'w Cluster,
    pub(crate) station: &'w Station<'w>,
    /// The server of the sites' databases.
    pub(crate) remote: &'w Server,
    pub(crate) sshd: &'w Sshd,
    /// Held by the one who writes at the origin: what a script of EXECUTE SCRIPT sees there while others write is not what it
    /// sees at the archiver.
    pen: Mutex<()>,
    /// Held while the daemon is down on purpose.
    daemon: Mutex<()>,
    is_over: AtomicBool,
    is_still: AtomicBool,
    has_failed: AtomicBool,
}

/// Ends the soak for all if its holder panics.
pub(crate) struct Alarm<'a>(&'a World<'a>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.journal.note(std::thread::current().name().unwrap_or("somebody"), "FAILED");
            self.0.has_failed.store(true, Ordering::SeqCst);
        }
    }
}

impl<'w> World<'w> {
    pub(crate) fn new(
        journal: &'w Journal,
        (cluster, station): (&'w Cluster, &'w Station<'w>),
        (remote, sshd): (&'w Server, &'w Sshd),
    ) -> Self {
        Self {
            journal,
            cluster,
            station,
            remote,
            sshd,
            pen: Mutex::default(),
            daemon: Mutex::default(),
            is_over: AtomicBool::new(false),
            is_still: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        }
    }

    /// The dice of one of the cast.
    pub(crate) fn dice(&self, who: &str) -> Dice {
        Dice::of(self.journal.seed, who)
    }

    /// To be held by everybody who does something.
    pub(crate) fn alarm(&self) -> Alarm<'_> {
        Alarm(self)
    }

    /// Whether new things are begun.
    pub(crate) fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst) && !self.has_failed()
    }

    /// Nothing new is begun from now on.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Whether somebody may still have a request open.
    pub(crate) fn is_alive(&self) -> bool {
        !self.is_still.load(Ordering::SeqCst) && !self.has_failed()
    }

    /// All requests are at their end.
    pub(crate) fn still(&self) {
        self.is_still.store(true, Ordering::SeqCst);
    }

    /// Whether anybody has found a fault.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    /// Lets time pass, less than so many milliseconds.
    pub(crate) fn rest(&self, dice: &mut Dice, milliseconds: u64) {
        let rest = Duration::from_millis(dice.below(milliseconds));
        wait::within(rest, || self.has_failed().then_some(()));
    }

    /// The right to write at the origin.
    pub(crate) fn pen(&self) -> MutexGuard<'_, ()> {
        self.pen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The daemon is neither killed nor started meanwhile.
    pub(crate) fn daemon(&self) -> MutexGuard<'_, ()> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
