//! A site's cron job: applies the site logs as they come.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use super::{Site, Station, wait};

/// How long it looks for one log before it looks whether it has been stopped.
const LOOK: Duration = Duration::from_millis(200);

/// A thread that applies one log after the other with psql until it is dropped.
pub struct Ingester<'scope> {
    shared: Arc<Shared>,
    thread: Option<ScopedJoinHandle<'scope, ()>>,
}

/// What the thread and its owner have in common.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    counter: AtomicU64,
    /// Held while a log is applied.
    turn: Mutex<()>,
}

impl<'scope> Ingester<'scope> {
    /// Goes on with the log after the last one that the site has.
    pub fn start(
        scope: &'scope Scope<'scope, '_>,
        site: &'scope Site<'_>,
        station: &'scope Station<'_>,
    ) -> Self {
        let shared = Arc::new(Shared { counter: AtomicU64::new(site.counter()), ..Shared::default() });
        let thread = scope.spawn({
            let shared = Arc::clone(&shared);
            move || shared.ingest(site, station)
        });
        Self { shared, thread: Some(thread) }
    }

    /// The counter of the last log that is applied.
    pub fn counter(&self) -> u64 {
        self.shared.counter.load(Ordering::SeqCst)
    }

    /// While the guard lives, no log is applied: what the die file of the deployed clients is for.
    pub fn pause(&self) -> MutexGuard<'_, ()> {
        self.shared.turn.lock().expect("no log has failed")
    }

    /// Waits until a log is applied; fails at once if an earlier one could not be.
    #[track_caller]
    pub fn await_counter(&self, station: &Station<'_>, counter: u64) {
        let has_ended = || self.thread.as_ref().is_none_or(ScopedJoinHandle::is_finished);
        station.wait_for("the site to apply its logs", || {
            assert!(!has_ended(), "a site log could not be applied");
            (self.counter() >= counter).then_some(())
        });
    }
}

impl Shared {
    /// The life of the thread.
    fn ingest(&self, site: &Site<'_>, station: &Station<'_>) {
        while !self.stop.load(Ordering::SeqCst) {
            let after = self.counter.load(Ordering::SeqCst);
            let log = site.log(station, after + 1);
            if wait::within(LOOK, || log.exists().then_some(())).is_none() {
                continue;
            }
            let _turn = self.turn.lock().expect("whoever pauses does not panic");
            // A request that has been served meanwhile may have taken the log back.
            if log.exists() {
                site.apply(&log);
                self.counter.store(after + 1, Ordering::SeqCst);
            }
        }
    }
}

impl Drop for Ingester<'_> {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A log that could not be applied has been reported where it happened.
            let _ = thread.join();
        }
    }
}
