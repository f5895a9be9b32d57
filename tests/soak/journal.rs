//! What was done, and when: told when the soak fails, and counted, so that it cannot pass by doing nothing.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The list of events.
pub(crate) struct Journal {
    pub(crate) seed: u64,
    start: Instant,
    events: Mutex<Vec<(Duration, String)>>,
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Journal {
    pub(crate) fn begin(seed: u64) -> Self {
        Self { seed, start: Instant::now(), events: Mutex::default(), counts: Mutex::default() }
    }

    /// Notes what was done.
    pub(crate) fn note(&self, who: &str, what: impl Display) {
        let mut events = self.events.lock().expect("no holder panics");
        events.push((self.start.elapsed(), format!("{who}: {what}")));
    }

    /// Notes it and counts it under its kind.
    pub(crate) fn count(&self, who: &str, kind: &str) {
        self.note(who, kind);
        *self.counts.lock().expect("no holder panics").entry(kind.to_owned()).or_default() += 1;
    }

    /// How often it happened.
    pub(crate) fn times(&self, kind: &str) -> u64 {
        self.counts.lock().expect("no holder panics").get(kind).copied().unwrap_or_default()
    }

    /// How often everything happened, in lines.
    pub(crate) fn summary(&self) -> String {
        let counts = self.counts.lock().expect("no holder panics");
        counts.iter().map(|(kind, times)| format!("{times:>6} {kind}\n")).collect()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        println!("what was done with SOAK_SEED={}:", self.seed);
        for (time, what) in self.events.get_mut().into_iter().flatten() {
            println!("{:>9.3} {what}", time.as_secs_f64());
        }
        println!("{}", self.summary());
    }
}
