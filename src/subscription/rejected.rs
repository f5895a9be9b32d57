//! `rejected/` does not grow without limit: whoever may drop files could fill the disk with what nobody wants.

use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use crate::disk;
use crate::error::{Error, Result};
use crate::paths::Paths;

/// Entries that are kept, reasons among them: more than a person will ever look through.
const ENTRIES: usize = 1_000;

/// How long one is kept: whoever asks why a request of last month was refused finds the answer.
const AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Removes what is too much of it; returns how many entries that were. One that cannot be removed keeps no other.
pub fn tidy_rejected(paths: &Paths) -> Result<usize> {
    let directory = paths.rejected();
    let surplus = surplus(disk::arrivals(&directory)?, SystemTime::now());
    let remove = |name: &OsString| disk::remove(&directory.join(name));
    let stays = |error: &Error| tracing::debug!(error = error.chain(), "it stays in rejected");
    Ok(surplus
        .iter()
        .map(remove)
        .filter(|removed| removed.as_ref().inspect_err(|error| stays(error)).is_ok())
        .count())
}

/// Those that go, of entries with the time at which each came here: the oldest.
fn surplus(mut entries: Vec<(SystemTime, OsString)>, now: SystemTime) -> Vec<OsString> {
    entries.sort_unstable();
    let too_many = entries.len().saturating_sub(ENTRIES);
    let is_old = |came: SystemTime| now.duration_since(came).is_ok_and(|age| age > AGE);
    let goes = |(at, (came, _)): &(usize, (SystemTime, OsString))| *at < too_many || is_old(*came);
    entries.into_iter().enumerate().filter(goes).map(|(_, (_, name))| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_those_of_last_month() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let came = |days: u64| now - Duration::from_secs(days * 86_400);
        let entry = |days: u64, number: usize| (came(days), OsString::from(format!("{number:04}")));
        assert_eq!(surplus(vec![entry(29, 1), entry(31, 2), entry(0, 3)], now), ["0002"]);
        let many: Vec<_> = (0..ENTRIES + 2).map(|number| entry(u64::from(number != 7), number)).collect();
        assert_eq!(surplus(many, now), ["0000", "0001"]);
        let tomorrow = (now + Duration::from_secs(86_400), OsString::from("tomorrow"));
        assert_eq!(surplus(vec![tomorrow], now), [""; 0], "a clock that was set back removes nothing");
    }
}
