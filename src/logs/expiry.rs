//! What may go: from what lies in a directory to what is to be done there. Pure.
//!
//! The rules, and why:
//!
//! - Logs go from the oldest on, each when it is acknowledged or too old, never one behind another that stays: whoever
//!   fetches finds a run without a gap, or nothing of it.
//! - The newest log stays, whatever was said of it: an acknowledgement is believed by it, and a splitter that lost its
//!   counter finds its place by it.
//! - A bundle goes as a whole, when its last log may go.
//! - A single that is in a bundle too is what a kill left, or was written anew. Which of the two, its bytes tell and not
//!   its time: [`Chore::Settle`] removes the one and takes the other into the bundle, so that every client gets the same
//!   log wherever it finds it.
//! - A time in the future (the clock was ahead) says nothing: such a log counts as old as the next whose time is known.
//!   A log that looks old between younger ones (the clock was behind) waits for those before it.

use std::time::{Duration, SystemTime};

use crate::model::{BundleName, Counter, Shelf, Single};

/// How long logs are kept, and how many as singles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What is older goes.
    pub keep: Duration,
    /// More singles than these are bundled, as many at a time; 0: never.
    pub bundle_after: usize,
}

/// How far a directory may be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// The last log that the site says it has applied.
    pub acknowledged: Option<Counter>,
    /// The cut of an open request: logs after it may still be replaced, and are not bundled.
    pub cut: Option<Counter>,
    /// What comes after it is neither bundled nor removed: of slon's archives, what some node has no part of yet.
    pub ceiling: Option<Counter>,
}

/// Something to be done in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chore {
    /// This log may go.
    RemoveSingle(Counter),
    /// This bundle may go.
    RemoveBundle(BundleName),
    /// Singles lie in this bundle's range: those that are in it byte for byte go, others take the place of their
    /// namesakes in it.
    Settle(BundleName),
    /// These singles become a bundle that counts as written at this time.
    Bundle(BundleName, SystemTime),
}

/// Logs that go together: a single, or a bundle with the singles in its range.
struct Item {
    last: Counter,
    written: SystemTime,
    /// `None`: the single `last`.
    bundle: Option<BundleName>,
    singles: Vec<Counter>,
}

/// What is to be done, in this order. When it is done, and nothing else has changed, there is nothing to do.
pub fn chores(shelf: &Shelf, bounds: &Bounds, rules: &Rules, now: SystemTime) -> Vec<Chore> {
    let items = items(shelf);
    let Some(newest) = shelf.newest() else { return Vec::new() };
    let acknowledged = believed(shelf, bounds.acknowledged);
    let is_old = |written: SystemTime| now.duration_since(written).is_ok_and(|age| age > rules.keep);
    let within = |bound: Option<Counter>, counter: Counter| bound.is_none_or(|bound| counter <= bound);
    let may_go = |item: &Item| item.last < newest && within(bounds.ceiling, item.last);
    let is_applied = |item: &&Item| acknowledged.is_some_and(|at| item.last <= at) && may_go(item);
    let applied = items.iter().take_while(is_applied).count();
    let unapplied = items.get(applied..).unwrap_or_default();
    let old = unapplied
        .iter()
        .zip(ages(unapplied, now))
        .take_while(|(item, written)| written.is_some_and(is_old) && may_go(item))
        .count();
    let going = applied + old;
    let mut chores = Vec::new();
    for item in items.iter().take(going) {
        chores.extend(item.singles.iter().copied().map(Chore::RemoveSingle));
        chores.extend(item.bundle.map(Chore::RemoveBundle));
    }
    let may_be_packed = |last| within(bounds.ceiling, last) && within(bounds.cut, last);
    let staying = || items.iter().skip(going).filter(|item| may_be_packed(item.last));
    let unsettled = staying().filter(|item| !item.singles.is_empty()).filter_map(|item| item.bundle);
    chores.extend(unsettled.map(Chore::Settle));
    let singles: Vec<Single> = staying()
        .filter(|item| item.bundle.is_none())
        .map(|item| Single { counter: item.last, written: item.written })
        .collect();
    bundle(&singles, rules.bundle_after, now, &mut chores);
    chores
}

/// An acknowledgement as far as it can be true: one of a log that is not there yet was not made by applying it.
pub fn believed(shelf: &Shelf, acknowledged: Option<Counter>) -> Option<Counter> {
    acknowledged.filter(|at| shelf.newest().is_some_and(|newest| *at <= newest))
}

/// Everything that lies there, in the order in which it may go.
fn items(shelf: &Shelf) -> Vec<Item> {
    let mut items: Vec<Item> = shelf
        .bundles()
        .iter()
        .map(|bundle| Item {
            last: bundle.name.last(),
            written: bundle.written,
            bundle: Some(bundle.name),
            singles: Vec::new(),
        })
        .collect();
    let mut alone = Vec::new();
    for single in shelf.singles() {
        let around =
            items.iter_mut().find(|item| item.bundle.is_some_and(|name| name.contains(single.counter)));
        match around {
            Some(item) => {
                item.singles.push(single.counter);
                item.written = item.written.max(single.written);
            }
            None => alone.push(Item {
                last: single.counter,
                written: single.written,
                bundle: None,
                singles: vec![single.counter],
            }),
        }
    }
    items.extend(alone);
    items.sort_by_key(|item| item.last);
    items
}

/// When each counts as written: not before any that comes before it. `None`: it cannot be told, and it stays.
fn ages(items: &[Item], now: SystemTime) -> Vec<Option<SystemTime>> {
    let mut known = None;
    let mut times: Vec<_> = items
        .iter()
        .rev()
        .map(|item| {
            if item.written <= now {
                known = Some(item.written);
            }
            known
        })
        .collect();
    times.reverse();
    let mut youngest = SystemTime::UNIX_EPOCH;
    for time in times.iter_mut().flatten() {
        youngest = youngest.max(*time);
        *time = youngest;
    }
    times
}

/// The oldest singles, `at_once` at a time, as long as there are more; a gap between two ends a bundle.
fn bundle(singles: &[Single], at_once: usize, now: SystemTime, chores: &mut Vec<Chore>) {
    let mut rest = singles;
    while at_once > 0 && rest.len() > at_once {
        let neighbours = rest
            .windows(2)
            .take_while(|pair| matches!(pair, [one, next] if one.counter.next() == next.counter));
        let (run, others) = rest.split_at((neighbours.count() + 1).min(at_once));
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        let known = run.iter().map(|single| single.written).filter(|written| *written <= now).max();
        let written = known.unwrap_or(last.written);
        chores.extend(BundleName::new(first.counter, last.counter).map(|name| Chore::Bundle(name, written)));
        rest = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bundle;
    use std::collections::BTreeSet;

    const DAY: u64 = 86_400;

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    fn day(day: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(day * DAY)
    }

    fn name(first: u64, last: u64) -> BundleName {
        BundleName::new(counter(first), counter(last)).unwrap()
    }

    /// `5@90` is log 5 of day 90, `1-4@80` a bundle.
    fn shelf(text: &str) -> Shelf {
        let (mut singles, mut bundles) = (Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            let (what, written) = word.split_once('@').unwrap();
            let written = day(written.parse().unwrap());
            match what.split_once('-') {
                Some((a, b)) => {
                    bundles.push(Bundle { name: name(a.parse().unwrap(), b.parse().unwrap()), written });
                }
                None => singles.push(Single { counter: counter(what.parse().unwrap()), written }),
            }
        }
        Shelf::new(singles, bundles)
    }

    fn spelled(chores: &[Chore]) -> String {
        let one = |chore: &Chore| match chore {
            Chore::RemoveSingle(counter) => format!("-{counter}"),
            Chore::RemoveBundle(name) => format!("-{}-{}", name.first(), name.last()),
            Chore::Settle(name) => format!("={}-{}", name.first(), name.last()),
            Chore::Bundle(name, written) => {
                let day = written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / DAY;
                format!("+{}-{}@{day}", name.first(), name.last())
            }
        };
        chores.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// On day 100, logs are kept for 30 days, and 3 of them as singles.
    #[track_caller]
    fn check(there: &str, bounds: Bounds, expected: &str) {
        let rules = Rules { keep: Duration::from_secs(30 * DAY), bundle_after: 3 };
        assert_eq!(spelled(&chores(&shelf(there), &bounds, &rules, day(100))), expected, "{there}");
    }

    fn acknowledged(value: u64) -> Bounds {
        Bounds { acknowledged: Some(counter(value)), ..Bounds::default() }
    }

    #[test]
    fn what_is_acknowledged_goes_and_the_newest_stays() {
        check("", acknowledged(5), "");
        check("1@99 2@99 3@99", Bounds::default(), "");
        check("1@99 2@99 3@99", acknowledged(2), "-1 -2");
        check("1@99 2@99 3@99", acknowledged(3), "-1 -2");
        check("1@99 2@99 3@99", acknowledged(4), "");
        check("1-2@99 3@99", acknowledged(1), "");
        check("1-2@99 3@99", acknowledged(2), "-1-2");
        check("1-2@99", acknowledged(2), "");
    }

    #[test]
    fn what_is_too_old_goes_from_the_oldest_on() {
        check("1@69 2@70 3@99", Bounds::default(), "-1");
        check("1@69 2@10 3@99", Bounds::default(), "-1 -2");
        check("1@99 2@10 3@99", Bounds::default(), "");
        check("1-2@69 3@70", Bounds::default(), "-1-2");
        check("1@10 2@10", Bounds::default(), "-1");
        check("1@10 2@10 3@99", acknowledged(1), "-1 -2");
    }

    #[test]
    fn a_clock_that_was_wrong_removes_nothing_early() {
        check("1@200 2@99 3@99", Bounds::default(), "");
        check("1@200 2@60 3@99", Bounds::default(), "-1 -2");
        check("1@200 2@200 3@200", Bounds::default(), "");
        check("1@60 2@200 3@99", Bounds::default(), "-1");
        check("1@98 2@0 3@99", Bounds::default(), "");
    }

    #[test]
    fn the_oldest_singles_are_bundled_up_to_a_gap() {
        check("1@91 2@92 3@93", Bounds::default(), "");
        check("1@91 2@92 3@93 4@94", Bounds::default(), "+1-3@93");
        check("1@91 2@92 3@93 4@94 5@95 6@96 7@97", Bounds::default(), "+1-3@93 +4-6@96");
        check("1@91 2@92 4@94 5@95", Bounds::default(), "+1-2@92");
        check("1@91 3@93 5@95 7@97", Bounds::default(), "+1-1@91");
        check("1@91 2@92 3@93 4@94", acknowledged(1), "-1");
        check("1@200 2@92 3@93 4@94", Bounds::default(), "+1-3@93");
    }

    #[test]
    fn no_bundle_crosses_a_cut_or_the_ceiling() {
        let cut = |at| Bounds { cut: Some(counter(at)), ..Bounds::default() };
        let ceiling = |at| Bounds { ceiling: Some(counter(at)), ..Bounds::default() };
        let five = "1@91 2@92 3@93 4@94 5@95";
        for bounds in [cut, ceiling] {
            check(five, bounds(0), "");
            check(five, bounds(3), "");
            check(five, bounds(4), "+1-3@93");
        }
        check("1@10 2@10 3@10 4@99", cut(1), "-1 -2 -3");
        check("1@10 2@10 3@10 4@99", ceiling(1), "-1");
        check("1-2@10 3@10 4@99", ceiling(1), "");
    }

    #[test]
    fn singles_in_the_range_of_a_bundle_are_settled_or_go_with_it() {
        check("1-3@93 2@93 4@94", Bounds::default(), "=1-3");
        check("1-3@93 2@93 4@94", acknowledged(2), "=1-3");
        check("1-3@93 2@93 4@94", acknowledged(3), "-2 -1-3");
        check("1-3@10 2@10 4@94", Bounds::default(), "-2 -1-3");
        check("1-3@10 2@99 4@94", Bounds::default(), "=1-3");
        check("1-3@93 1@93 2@93 3@93", Bounds::default(), "=1-3");
    }

    #[test]
    fn never_bundling_is_a_rule_too() {
        let rules = Rules { keep: Duration::MAX, bundle_after: 0 };
        let five = shelf("1@1 2@2 3@3 4@4 5@5");
        assert_eq!(chores(&five, &Bounds::default(), &rules, day(100)), []);
    }

    /// What the directory is after the chores; a log in a bundle has the time that the bundle got.
    fn done(shelf: &Shelf, chores: &[Chore]) -> Shelf {
        let mut singles = shelf.singles().to_vec();
        let mut bundles = shelf.bundles().to_vec();
        for chore in chores {
            match *chore {
                Chore::RemoveSingle(counter) => singles.retain(|single| single.counter != counter),
                Chore::RemoveBundle(name) => bundles.retain(|bundle| bundle.name != name),
                Chore::Settle(name) => {
                    let inside = |single: &&Single| name.contains(single.counter);
                    let written = singles.iter().filter(inside).map(|single| single.written).max();
                    for bundle in bundles.iter_mut().filter(|bundle| bundle.name == name) {
                        bundle.written = bundle.written.max(written.unwrap());
                    }
                    singles.retain(|single| !name.contains(single.counter));
                }
                Chore::Bundle(name, written) => {
                    let packed = singles.iter().filter(|single| name.contains(single.counter)).count() as u64;
                    assert_eq!(packed, name.last().value() - name.first().value() + 1, "a bundle with a gap");
                    singles.retain(|single| !name.contains(single.counter));
                    bundles.push(Bundle { name, written });
                }
            }
        }
        Shelf::new(singles, bundles)
    }

    fn counters(shelf: &Shelf) -> BTreeSet<u64> {
        (0..100).filter(|value| shelf.written(counter(*value)).is_some()).collect()
    }

    /// Numbers that look random and are the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }

        fn maybe(&mut self, counter_below: u64) -> Option<Counter> {
            (self.below(2) == 0).then(|| counter(self.below(counter_below)))
        }

        /// Bundles that do not overlap, then singles, also in the bundles' ranges; mostly in the order of time.
        fn shelf(&mut self) -> Shelf {
            let (mut singles, mut bundles) = (Vec::new(), Vec::new());
            let (mut next, end) = (self.below(10), 20 + self.below(40));
            while next < end {
                let written = if self.below(8) == 0 { day(self.below(300)) } else { day(50 + next) };
                if self.below(10) == 0 {
                    let last = next + self.below(6);
                    bundles.push(Bundle { name: name(next, last), written });
                    if self.below(3) == 0 {
                        singles
                            .push(Single { counter: counter(next + self.below(last - next + 1)), written });
                    }
                    next = last + 1;
                } else {
                    singles.push(Single { counter: counter(next), written });
                    next += if self.below(12) == 0 { 2 } else { 1 };
                }
            }
            Shelf::new(singles, bundles)
        }
    }

    #[test]
    fn whatever_lies_there_nothing_is_lost() {
        let mut dice = Dice(0x2545_F491_4F6C_DD1D);
        for round in 0..20_000 {
            let before = dice.shelf();
            let bounds =
                Bounds { acknowledged: dice.maybe(70), cut: dice.maybe(70), ceiling: dice.maybe(70) };
            let keep = Duration::from_secs(dice.below(60) * DAY);
            let bundle_after = usize::try_from(dice.below(12)).unwrap();
            let rules = Rules { keep, bundle_after };
            let now = day(100);
            let planned = chores(&before, &bounds, &rules, now);
            let after = done(&before, &planned);
            let context = || format!("round {round}: {before:?} {bounds:?} {rules:?}\n{planned:?}");

            assert_eq!(chores(&after, &bounds, &rules, now), [], "twice is once: {}", context());
            let (there, left) = (counters(&before), counters(&after));
            assert!(left.is_subset(&there), "{}", context());
            assert_eq!(left.last(), there.last(), "the newest stays: {}", context());
            // What went is what came first: no log stays behind one that went.
            let first = left.first().copied().unwrap_or(u64::MAX);
            assert!(there.difference(&left).all(|gone| *gone < first), "{}", context());
            for gone in there.difference(&left).copied().map(counter) {
                let is_acknowledged = believed(&before, bounds.acknowledged).is_some_and(|at| gone <= at);
                let written = before.written(gone).unwrap();
                let bundled = before.bundles().iter().find(|bundle| bundle.name.contains(gone));
                let written = written.max(bundled.map_or(written, |bundle| bundle.written));
                let is_old = written > now || now.duration_since(written).unwrap() > keep;
                assert!(is_acknowledged || is_old, "{gone} is needed: {}", context());
                assert!(bounds.ceiling.is_none_or(|ceiling| gone <= ceiling), "{}", context());
            }
            for chore in &planned {
                if let Chore::Bundle(name, _) = chore {
                    let bound = bounds.cut.into_iter().chain(bounds.ceiling).min();
                    assert!(bound.is_none_or(|bound| name.last() <= bound), "{}", context());
                }
            }
        }
    }
}
