//! What comes next. Pure: a listing, the site's place and a limit in, one piece of work out.

use super::offer::Offer;
use crate::model::{BundleName, Counter};

/// What the site does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: it has all that is there, or all that is wanted.
    Nothing,
    /// These singles, one after the other.
    Singles(Vec<Single>),
    /// This bundle, which holds the next log.
    Bundle {
        /// Its name.
        name: BundleName,
        /// Its size.
        bytes: u64,
        /// The last of its logs that is wanted.
        last: Counter,
    },
    /// The next log is not there, but later ones are.
    Gap {
        /// The log that is missing.
        missing: Counter,
        /// The lowest after it that is there.
        there: Counter,
    },
}

/// A single and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Single {
    pub(super) counter: Counter,
    pub(super) bytes: u64,
}

/// How much is fetched by one listing. What is there may be replaced while a request is open, so the view is kept fresh.
pub(super) const LOGS: usize = 256;
/// The same in bytes. One log is always taken, however large it is.
const BYTES: u64 = 256 << 20;

/// Decides. `until`: the last log that is wanted; `None`: whatever is there.
pub(super) fn next(offer: &Offer, place: Counter, until: Option<Counter>) -> Next {
    let until = until.unwrap_or(Counter::LAST);
    if place >= until {
        return Next::Nothing;
    }
    let wanted = place.next();
    let singles = singles(offer, wanted, until);
    if !singles.is_empty() {
        return Next::Singles(singles);
    }
    // The first, as deployed clients take it.
    if let Some((name, bytes)) = offer.bundles.iter().find(|(name, _)| name.contains(wanted)) {
        return Next::Bundle { name: *name, bytes: *bytes, last: name.last().min(until) };
    }
    offer.lowest_above(place).map_or(Next::Nothing, |there| Next::Gap { missing: wanted, there })
}

/// The singles from `first` on without a gap, as many as one listing is good for.
fn singles(offer: &Offer, first: Counter, until: Counter) -> Vec<Single> {
    let mut taken: Vec<Single> = Vec::new();
    let (mut wanted, mut sum) = (first, 0_u64);
    for (&counter, &bytes) in offer.singles.range(first..=until) {
        sum = sum.saturating_add(bytes);
        if counter != wanted || taken.len() >= LOGS || (sum > BYTES && !taken.is_empty()) {
            break;
        }
        taken.push(Single { counter, bytes });
        wanted = counter.next();
    }
    taken
}

/// Everything that is to be done from here, for who wants to know it beforehand. Ends at a gap.
pub(super) fn all(offer: &Offer, mut place: Counter) -> Vec<Next> {
    let mut work = Vec::new();
    loop {
        let step = next(offer, place, None);
        match &step {
            Next::Nothing => return work,
            Next::Singles(singles) => place = singles.last().map_or(place, |single| single.counter),
            Next::Bundle { last, .. } => place = *last,
            Next::Gap { .. } => {
                work.push(step);
                return work;
            }
        }
        work.push(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    /// Singles as `counter` or `counter*bytes`, bundles as `first-last`.
    fn offer(text: &str) -> Offer {
        let names: Vec<(String, u64)> = text
            .split_whitespace()
            .map(|word| match word.split_once('*') {
                _ if word.contains('-') => (format!("slony_logs_{word}.tar.gz"), 9),
                Some((counter, bytes)) => {
                    (format!("slony1_log_2_{counter:0>20}.sql"), bytes.parse().unwrap())
                }
                None => (format!("slony1_log_2_{word:0>20}.sql"), 1),
            })
            .collect();
        Offer::read(names.iter().map(|(name, bytes)| (name.as_str(), *bytes)), None).unwrap()
    }

    fn said(next: &Next) -> String {
        match next {
            Next::Nothing => "nothing".to_owned(),
            Next::Singles(singles) => {
                singles.iter().map(|single| single.counter.to_string()).collect::<Vec<_>>().join(" ")
            }
            Next::Bundle { name, last, .. } => format!("{}-{} until {last}", name.first(), name.last()),
            Next::Gap { missing, there } => format!("gap at {missing}, {there} is there"),
        }
    }

    #[test]
    fn the_single_first_then_the_bundle_then_a_gap() {
        for (listing, place, until, expected) in [
            ("", 7, None, "nothing"),
            ("6 7", 7, None, "nothing"),
            ("1-7", 7, None, "nothing"),
            ("7 8 9", 7, None, "8 9"),
            ("8 9 11", 7, None, "8 9"),
            ("8 9 10", 7, Some(9), "8 9"),
            ("8 9 10", 7, Some(7), "nothing"),
            ("8 9 10", 7, Some(3), "nothing"),
            ("8 1-10", 7, None, "8"),
            ("1-10 11", 7, None, "1-10 until 10"),
            ("1-10 11", 7, Some(9), "1-10 until 9"),
            ("5-9 8-12 13", 7, None, "5-9 until 9"),
            ("9 10", 7, None, "gap at 8, 9 is there"),
            ("1-5 9-12", 7, None, "gap at 8, 9 is there"),
            ("20 9-12", 7, None, "gap at 8, 9 is there"),
            ("9", 7, Some(8), "gap at 8, 9 is there"),
            ("8*300000000 9", 7, None, "8"),
            ("8 9*300000000", 7, None, "8"),
        ] {
            let next = next(&offer(listing), counter(place), until.map(counter));
            assert_eq!(said(&next), expected, "{listing:?} at {place} until {until:?}");
        }
        assert_eq!(super::next(&offer("8"), Counter::LAST, None), Next::Nothing);
    }

    #[test]
    fn everything_is_told_beforehand() {
        let said = |listing: &str| all(&offer(listing), counter(2)).iter().map(said).collect::<Vec<_>>();
        assert_eq!(said("3 4 1-10 11 12"), ["3 4", "1-10 until 10", "11 12"]);
        assert_eq!(said("3 5"), ["3", "gap at 4, 5 is there"]);
        assert_eq!(said("2"), Vec::<String>::new());
    }

    #[test]
    fn one_listing_is_good_for_so_many() {
        let many = (8..8 + 2 * LOGS as u64).map(|value| value.to_string()).collect::<Vec<_>>().join(" ");
        let Next::Singles(singles) = next(&offer(&many), counter(7), None) else { panic!("singles") };
        assert_eq!(singles.len(), LOGS);
    }
}
