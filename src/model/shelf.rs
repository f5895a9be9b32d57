//! What lies in one directory of logs: singles and bundles, with the time each was written.

use std::time::SystemTime;

use super::{BundleName, Counter};

/// A log that is a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Single {
    /// Its number.
    pub counter: Counter,
    /// When it was written.
    pub written: SystemTime,
}

/// Many logs in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bundle {
    /// Its name, which says what is in it.
    pub name: BundleName,
    /// When its newest log was written.
    pub written: SystemTime,
}

/// The site logs in a node's directory, or the archives in slon's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shelf {
    singles: Vec<Single>,
    bundles: Vec<Bundle>,
    bytes: u64,
}

impl Shelf {
    /// In any order; a counter that is there twice counts once.
    pub fn new(mut singles: Vec<Single>, mut bundles: Vec<Bundle>) -> Self {
        singles.sort_unstable();
        singles.dedup_by_key(|single| single.counter);
        bundles.sort_unstable();
        Self { singles, bundles, bytes: 0 }
    }

    /// The same, which take so many bytes together.
    #[must_use]
    pub fn of_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// What all of it takes; 0 where nobody has asked.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// In the order of their counters.
    pub fn singles(&self) -> &[Single] {
        &self.singles
    }

    /// In the order of their first logs.
    pub fn bundles(&self) -> &[Bundle] {
        &self.bundles
    }

    /// The lowest log there is.
    pub fn oldest(&self) -> Option<Counter> {
        let single = self.singles.first().map(|single| single.counter);
        let bundle = self.bundles.first().map(|bundle| bundle.name.first());
        single.into_iter().chain(bundle).min()
    }

    /// The highest log there is.
    pub fn newest(&self) -> Option<Counter> {
        let single = self.singles.last().map(|single| single.counter);
        let bundle = self.bundles.iter().map(|bundle| bundle.name.last()).max();
        single.max(bundle)
    }

    /// When a log was written; one in a bundle counts as written with the newest there. `None` if it is not there.
    pub fn written(&self, counter: Counter) -> Option<SystemTime> {
        let single = self.singles.binary_search_by_key(&counter, |single| single.counter).ok();
        let single = single.and_then(|at| self.singles.get(at)).map(|single| single.written);
        let bundle = || self.bundles.iter().find(|bundle| bundle.name.contains(counter));
        single.or_else(|| bundle().map(|bundle| bundle.written))
    }

    /// The logs that are missing between others: the first and the last of each gap.
    pub fn gaps(&self) -> Vec<(Counter, Counter)> {
        let singles = self.singles.iter().map(|single| (single.counter, single.counter));
        let bundles = self.bundles.iter().map(|bundle| (bundle.name.first(), bundle.name.last()));
        let mut ranges: Vec<_> = singles.chain(bundles).collect();
        ranges.sort_unstable();
        let mut gaps = Vec::new();
        let mut next: Option<Counter> = None;
        for (first, last) in ranges {
            if let Some(next) = next.filter(|next| *next < first) {
                gaps.push((next, first.previous()));
            }
            next = next.max(Some(last.next()));
        }
        gaps
    }

    /// How many logs there are after this one; one that lies there as a single and in a bundle is one.
    pub fn after(&self, counter: Counter) -> u64 {
        let singles = self.singles.iter().map(|single| (single.counter, single.counter));
        let bundles = self.bundles.iter().map(|bundle| (bundle.name.first(), bundle.name.last()));
        let mut ranges: Vec<_> = singles.chain(bundles).collect();
        ranges.sort_unstable();
        let (mut count, mut done) = (0, counter);
        for (first, last) in ranges {
            let first = first.max(done.next());
            if first <= last {
                count += last.value() - first.value() + 1;
                done = last;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_counts_once_wherever_it_lies() {
        let counter = |value: u64| Counter::parse(&value.to_string()).unwrap();
        let (early, late) =
            (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(9));
        let singles = [3, 12, 11].map(|value| Single { counter: counter(value), written: late }).to_vec();
        let name = BundleName::new(counter(2), counter(10)).unwrap();
        let shelf = Shelf::new(singles, vec![Bundle { name, written: early }]);
        assert_eq!((shelf.oldest(), shelf.newest()), (Some(counter(2)), Some(counter(12))));
        assert_eq!((shelf.written(counter(3)), shelf.written(counter(4))), (Some(late), Some(early)));
        assert_eq!((shelf.written(counter(1)), shelf.written(counter(13))), (None, None));
        assert_eq!([0, 4, 10, 12].map(|after| shelf.after(counter(after))), [11, 8, 2, 0]);
        assert_eq!(shelf.gaps(), []);
        let singles = [3, 12, 14].map(|value| Single { counter: counter(value), written: late }).to_vec();
        let gapped = Shelf::new(singles, shelf.bundles().to_vec());
        assert_eq!(gapped.gaps(), [(counter(11), counter(11)), (counter(13), counter(13))]);
        assert_eq!((Shelf::default().newest(), Shelf::default().after(counter(0))), (None, 0));
    }
}
