//! Waiting for a condition: the only place of the tests that sleeps.

use std::thread;
use std::time::{Duration, Instant};

/// How long a probe rests before it is asked again: at first...
const SHORTEST: Duration = Duration::from_millis(20);

/// ...and when it was asked for long. Many start a program for each answer, and leave the machine no time for what they wait for.
const LONGEST: Duration = Duration::from_millis(100);

/// Asks `probe` until it answers, and returns the answer.
///
/// # Panics
///
/// When there is no answer within `limit`; the message says `what` was waited for, and the place is the caller's.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, probe: impl FnMut() -> Option<T>) -> T {
    within(limit, probe).unwrap_or_else(|| panic!("waited {limit:?} in vain for {what}"))
}

/// Asks `probe` until it answers or the time is over, for callers that have more to say about a failure.
pub fn within<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let answer = probe();
        if answer.is_some() || start.elapsed() >= limit {
            return answer;
        }
        thread::sleep((start.elapsed() / 8).clamp(SHORTEST, LONGEST));
    }
}
