//! Waiting for a condition: the only place of the tests that sleeps.

use std::thread;
use std::time::{Duration, Instant};

/// How long a probe rests before it is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `probe` until it answers, and returns the answer.
///
/// # Panics
///
/// When there is no answer within `limit`; the message says `what` was waited for, and the place is the caller's.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        thread::sleep(PAUSE);
    }
}
