//! Where a site stands by its acknowledgement: how far behind, silent, or cut off. Pure.

use std::time::{Duration, SystemTime};

use crate::model::{Counter, Shelf};

/// Where a site stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It never acknowledged anything, as deployed clients do: it is served by age.
    Unknown,
    /// Nothing that lies there is new to it.
    Current,
    /// It is on its way.
    Behind(Lag),
    /// Its next log has waited for more than half of the time for which it is kept.
    Silent(Lag),
    /// Its next log is gone. What comes after it is of no use to the site.
    MustResubscribe {
        /// The log that is gone.
        next: Counter,
        /// How many there are after it.
        logs: u64,
    },
    /// It acknowledges a log that is not there yet, which is not believed.
    Beyond {
        /// What it says.
        acknowledged: Counter,
        /// What there is.
        newest: Counter,
    },
}

/// How far a site is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Logs that it has not acknowledged.
    pub logs: u64,
    /// How old its next log is; one in a bundle is at least so old.
    pub next_age: Duration,
}

/// Where the site stands whose logs these are; `keep`: how long logs are kept, `None` for ever.
pub fn standing(
    shelf: &Shelf,
    acknowledged: Option<Counter>,
    keep: Option<Duration>,
    now: SystemTime,
) -> Standing {
    let Some(acknowledged) = acknowledged else { return Standing::Unknown };
    let Some(newest) = shelf.newest() else { return Standing::Current };
    if acknowledged >= newest {
        return if acknowledged == newest {
            Standing::Current
        } else {
            Standing::Beyond { acknowledged, newest }
        };
    }
    let logs = shelf.after(acknowledged);
    let next = acknowledged.next();
    let Some(written) = shelf.written(next) else { return Standing::MustResubscribe { next, logs } };
    let lag = Lag { logs, next_age: now.duration_since(written).unwrap_or_default() };
    if keep.is_some_and(|keep| lag.next_age > keep / 2) {
        Standing::Silent(lag)
    } else {
        Standing::Behind(lag)
    }
}

impl Standing {
    /// How many logs it has not acknowledged, where that is known.
    pub fn behind(self) -> Option<u64> {
        match self {
            Self::Unknown | Self::Beyond { .. } => None,
            Self::Current => Some(0),
            Self::Behind(lag) | Self::Silent(lag) => Some(lag.logs),
            Self::MustResubscribe { logs, .. } => Some(logs),
        }
    }

    /// How old its next log is, if it waits for it.
    pub fn next_age(self) -> Option<Duration> {
        match self {
            Self::Behind(lag) | Self::Silent(lag) => Some(lag.next_age),
            _ => None,
        }
    }

    /// The log that it needs next, if that is gone.
    pub fn gone(self) -> Option<Counter> {
        match self {
            Self::MustResubscribe { next, .. } => Some(next),
            _ => None,
        }
    }

    /// What an operator must know of it, in words.
    pub fn note(self) -> Option<String> {
        match self {
            Self::Unknown | Self::Current | Self::Behind(_) => None,
            Self::Silent(lag) => Some(format!("silent for {}", short(lag.next_age))),
            Self::MustResubscribe { next, .. } => Some(format!("must resubscribe: log {next} is gone")),
            Self::Beyond { acknowledged, newest } => {
                Some(format!("acknowledges {acknowledged}, but its newest log is {newest}"))
            }
        }
    }
}

fn short(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bundle, BundleName, Single};

    const DAY: Duration = Duration::from_secs(86_400);

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    /// Logs 11 to 14 in a bundle of day 80, 15 and 16 of day 90 and 95; today is day 100, logs are kept for 30 days.
    #[track_caller]
    fn check(acknowledged: Option<u64>, behind: Option<u64>, next_age: Option<u32>, note: Option<&str>) {
        let day = |day: u32| SystemTime::UNIX_EPOCH + DAY * day;
        let singles = [(15, 90), (16, 95)];
        let singles = singles.map(|(at, on)| Single { counter: counter(at), written: day(on) }).to_vec();
        let name = BundleName::new(counter(11), counter(14)).unwrap();
        let shelf = Shelf::new(singles, vec![Bundle { name, written: day(80) }]);
        let found = standing(&shelf, acknowledged.map(counter), Some(DAY * 30), day(100));
        assert_eq!(found.behind(), behind, "{found:?}");
        assert_eq!(found.next_age(), next_age.map(|days| DAY * days), "{found:?}");
        assert_eq!(found.note().as_deref(), note, "{found:?}");
    }

    #[test]
    fn a_site_stands_where_it_says() {
        check(None, None, None, None);
        check(Some(16), Some(0), None, None);
        check(Some(15), Some(1), Some(5), None);
        check(Some(14), Some(2), Some(10), None);
        check(Some(12), Some(4), Some(20), Some("silent for 20 d"));
        check(Some(9), Some(6), None, Some("must resubscribe: log 10 is gone"));
        check(Some(17), None, None, Some("acknowledges 17, but its newest log is 16"));
    }

    #[test]
    fn nothing_is_said_of_an_empty_directory_or_when_logs_are_kept_for_ever() {
        let now = SystemTime::UNIX_EPOCH + DAY * 1_000;
        assert_eq!(standing(&Shelf::default(), Some(counter(7)), Some(DAY), now), Standing::Current);
        let singles = [7, 8].map(|at| Single { counter: counter(at), written: SystemTime::UNIX_EPOCH });
        let shelf = Shelf::new(singles.to_vec(), Vec::new());
        assert!(matches!(standing(&shelf, Some(counter(7)), None, now), Standing::Behind(_)));
    }
}
