//! Whether a series comes to the log-shipping node at all: what the lists have against the sets that the node receives. Pure.
//!
//! A series whose set begins at the node itself, which is in no set that the node receives, or which has another name, is in no archive;
//! the counters have no gap. When it comes again nobody brings what is missing, but for one case: a set that is subscribed with a copy
//! brings all rows anew, in an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hole::Lists;
use crate::model::{Counter, Series};
use crate::protocol::{Away, Hole, Missed};

/// The tables of all sets, by the names that they have now.
pub type Tables = BTreeMap<Series, Table>;

/// A table of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its set.
    pub set: i32,
    /// The Slony node where the set begins.
    pub origin: u64,
    /// Whether its changes come to the log-shipping node.
    pub is_received: bool,
}

/// What comes to the log-shipping node at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coming {
    /// The Slony node that it is.
    pub local: u64,
    /// The tables of all sets; one look shares them with the next, for they hardly ever change.
    pub tables: Arc<Tables>,
    /// The sets of which nothing came for a while since the look before, and why.
    pub returned: BTreeMap<i32, Away>,
}

impl Coming {
    /// Why nothing of a series comes; `None`: it does.
    fn why_not(&self, series: &Series) -> Option<Away> {
        match self.tables.get(series) {
            Some(table) if table.origin == self.local => Some(Away::OwnSet),
            Some(table) if table.is_received => None,
            _ => Some(Away::NotReceived),
        }
    }

    /// Why nothing of a series came for a while since the look before.
    fn was_away(&self, series: &Series) -> Option<Away> {
        self.returned.get(&self.tables.get(series)?.set).copied()
    }
}

/// Between two looks.
pub struct Between<'l> {
    /// The last archive that had committed at the look before...
    pub then: Counter,
    /// ...and at this one.
    pub now: Counter,
    /// When it is told, in seconds since 1970.
    pub seen: u64,
    /// The last archive that copies a series as a whole.
    pub copied: &'l BTreeMap<Series, Counter>,
}

/// Opens a hole for the series of the lists that do not come any more, and closes it for those that come again.
pub fn follow(coming: &Coming, between: &Between<'_>, lists: &[Lists<'_>], holes: &mut Vec<Hole>) {
    let wanted = wanted(lists);
    let all_known = lists.iter().all(|lists| lists.are_known);
    let was_open = settle_open(coming, between, holes, |series| !all_known || wanted.contains(series));
    let mut begun: BTreeMap<Away, BTreeSet<Series>> = BTreeMap::new();
    let mut over: BTreeMap<Away, BTreeSet<Series>> = BTreeMap::new();
    for series in wanted.into_iter().filter(|series| !was_open.contains(*series)) {
        if let Some(why) = coming.why_not(series) {
            begun.entry(why).or_default().insert(series.clone());
        } else if let Some(why) = coming.was_away(series) {
            // After a kill the same is found again.
            let is_told = |hole: &Hole| {
                hole.before > Some(between.then) && missed(hole).is_some_and(|of| of.contains(series))
            };
            if !holes.iter().any(is_told) {
                over.entry(why).or_default().insert(series.clone());
            }
        }
    }
    let end = between.now.max(between.then.next());
    let begun = begun.into_iter().map(|found| (found, None));
    let over = over.into_iter().map(|found| (found, Some(end)));
    holes.extend(begun.chain(over).map(|((why, series), before)| Hole {
        what: Missed::Series(why, series),
        after: between.then,
        before,
        seen: between.seen,
        concerned: BTreeSet::new(),
    }));
}

/// Goes through the open holes: what nobody wants any more is left out, what comes again gets an end. Returns what was in them.
fn settle_open(
    coming: &Coming,
    between: &Between<'_>,
    holes: &mut Vec<Hole>,
    is_wanted: impl Fn(&Series) -> bool,
) -> BTreeSet<Series> {
    let mut all = BTreeSet::new();
    let mut closed = Vec::new();
    for hole in holes.iter_mut().filter(|hole| hole.before.is_none()) {
        let Missed::Series(why, series) = &mut hole.what else { continue };
        all.extend(series.iter().cloned());
        let after = hole.after;
        let is_copied = |series: &Series| between.copied.get(series).is_some_and(|counter| *counter > after);
        let (away, back): (BTreeSet<_>, BTreeSet<_>) = std::mem::take(series)
            .into_iter()
            .filter(|series| is_wanted(series))
            .partition(|series| coming.why_not(series).is_some());
        let lost: BTreeSet<Series> = back.into_iter().filter(|series| !is_copied(series)).collect();
        *series = away;
        let left = series.clone();
        if !lost.is_empty() {
            // At the look before nothing of it came: a copy is refused then, so that a later one was made when it came again.
            let before = Some(between.then.max(after).next());
            let mut concerned = hole.concerned.clone();
            concerned.retain(|(_, series)| lost.contains(series));
            closed.push(Hole { what: Missed::Series(*why, lost), before, concerned, ..hole.clone() });
        }
        hole.concerned.retain(|(_, series)| left.contains(series));
    }
    holes.retain(|hole| missed(hole).is_none_or(|series| !series.is_empty()));
    holes.extend(closed);
    all
}

/// The series that a hole is about, if it is one of series.
fn missed(hole: &Hole) -> Option<&BTreeSet<Series>> {
    match &hole.what {
        Missed::Series(_, series) => Some(series),
        Missed::Events(..) => None,
    }
}

/// What the lists have, and what they will have when an open request is finished.
fn wanted<'l>(lists: &[Lists<'l>]) -> BTreeSet<&'l Series> {
    let of = |lists: &Lists<'l>| {
        let last = lists.cuts.and_then(|cuts| cuts.last());
        let asked = lists.cut.map(|(_, list)| list);
        last.into_iter().chain(asked).flat_map(|list| list.iter().map(|subscription| &subscription.series))
    };
    lists.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Node, SeriesList, Subscription};
    use crate::protocol::Cuts;

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    fn names(names: &[&str]) -> BTreeSet<Series> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn list(series: &[&str]) -> SeriesList {
        names(series).into_iter().map(Subscription::from_name).collect()
    }

    /// Set 1 comes from Slony node 1, set 2 begins at the node itself, set 3 is not received.
    fn coming(sets: &[(&str, i32)]) -> Coming {
        let table = |set| Table { set, origin: if set == 2 { 2 } else { 1 }, is_received: set == 1 };
        let tables: Tables = sets.iter().map(|(name, set)| (name.parse().unwrap(), table(*set))).collect();
        Coming { local: 2, tables: Arc::new(tables), returned: BTreeMap::new() }
    }

    /// A hole of series: why, which, from where to where.
    type Found = (Away, BTreeSet<Series>, u64, Option<u64>);

    fn found(holes: &[Hole]) -> Vec<Found> {
        let found = |hole: &Hole| match &hole.what {
            Missed::Series(why, series) => {
                (*why, series.clone(), hole.after.value(), hole.before.map(Counter::value))
            }
            Missed::Events(..) => panic!("{hole:?}"),
        };
        holes.iter().map(found).collect()
    }

    /// Looks that follow one another, for a node that has this list.
    struct Looks {
        cuts: Cuts,
        asked: Option<(Counter, SeriesList)>,
        are_known: bool,
        copied: BTreeMap<Series, Counter>,
        holes: Vec<Hole>,
        at: u64,
    }

    impl Looks {
        fn new(series: &[&str]) -> Self {
            Self {
                cuts: Cuts::always(list(series)),
                asked: None,
                are_known: true,
                copied: BTreeMap::new(),
                holes: Vec::new(),
                at: 100,
            }
        }

        #[track_caller]
        fn look(&mut self, coming: &Coming, expected: &[Found]) {
            let node: Node = "nso".parse().unwrap();
            let asked = self.asked.as_ref().map(|(cut, list)| (*cut, list));
            let lists =
                [Lists { node: &node, are_known: self.are_known, cuts: Some(&self.cuts), cut: asked }];
            let (then, now) = (counter(self.at), counter(self.at + 10));
            let between = Between { then, now, seen: self.at, copied: &self.copied };
            follow(coming, &between, &lists, &mut self.holes);
            assert_eq!(found(&self.holes), expected);
            // A kill before it was written how far was looked: the same again.
            follow(coming, &between, &lists, &mut self.holes);
            assert_eq!(found(&self.holes), expected);
            self.at += 10;
        }
    }

    #[test]
    fn what_comes_is_no_hole_and_what_nobody_has_neither() {
        let mut looks = Looks::new(&["a.x"]);
        looks.look(&coming(&[("a.x", 1), ("a.y", 3), ("a.z", 2)]), &[]);
    }

    #[test]
    fn what_does_not_come_is_a_hole_until_it_comes_again() {
        let mut looks = Looks::new(&["a.own", "a.gone", "a.x"]);
        let own = |before| (Away::OwnSet, names(&["a.own"]), 100, before);
        let gone = |before| (Away::NotReceived, names(&["a.gone"]), 100, before);
        looks.look(&coming(&[("a.x", 1), ("a.own", 2), ("a.gone", 3)]), &[own(None), gone(None)]);
        // It is renamed meanwhile: that is the same hole.
        looks.look(&coming(&[("a.x", 1), ("a.own", 2)]), &[own(None), gone(None)]);
        // What is behind the last look at which it was away has it.
        looks.look(&coming(&[("a.x", 1), ("a.own", 1)]), &[gone(None), own(Some(121))]);
        let x = (Away::NotReceived, names(&["a.x"]), 130, None);
        looks.look(&coming(&[("a.gone", 1), ("a.own", 1)]), &[own(Some(121)), gone(Some(131)), x]);
    }

    #[test]
    fn a_copy_of_the_whole_table_fills_a_hole() {
        let mut looks = Looks::new(&["a.x", "a.y"]);
        let away = |series: &[&str], before| (Away::NotReceived, names(series), 100, before);
        looks.copied.insert("a.y".parse().unwrap(), counter(100));
        looks.look(&coming(&[]), &[away(&["a.x", "a.y"], None)]);
        looks.copied.insert("a.x".parse().unwrap(), counter(115));
        looks.look(&coming(&[("a.x", 1)]), &[away(&["a.y"], None)]);
        looks.look(&coming(&[("a.x", 1), ("a.y", 1)]), &[away(&["a.y"], Some(121))]);
    }

    #[test]
    fn what_nobody_has_any_more_is_left_out() {
        let mut looks = Looks::new(&["a.x", "a.y"]);
        let away = |series: &[&str]| (Away::NotReceived, names(series), 100, None);
        looks.look(&coming(&[]), &[away(&["a.x", "a.y"])]);
        looks.cuts.hold_from(counter(105), None, list(&["a.y"]));
        looks.look(&coming(&[]), &[away(&["a.y"])]);
        // Whether somebody has it is not known.
        (looks.cuts, looks.are_known) = (Cuts::default(), false);
        looks.look(&coming(&[]), &[away(&["a.y"])]);
        looks.are_known = true;
        looks.look(&coming(&[]), &[]);
    }

    #[test]
    fn what_an_open_request_asks_for_is_looked_at_too() {
        let mut looks = Looks::new(&[]);
        looks.asked = Some((counter(95), list(&["a.x"])));
        looks.look(&coming(&[]), &[(Away::NotReceived, names(&["a.x"]), 100, None)]);
    }

    #[test]
    fn what_was_away_between_two_looks_only_is_a_hole_too() {
        let mut looks = Looks::new(&["a.x", "a.y"]);
        let mut returned = coming(&[("a.x", 1), ("a.y", 1), ("a.z", 1)]);
        looks.look(&returned, &[]);
        returned.returned = BTreeMap::from([(1, Away::OwnSet), (7, Away::NotReceived)]);
        let own = (Away::OwnSet, names(&["a.x", "a.y"]), 110, Some(120));
        looks.look(&returned, &[own]);
        // It was known to be away: its return says nothing new.
        let mut looks = Looks::new(&["a.x"]);
        looks.look(&coming(&[("a.x", 2)]), &[(Away::OwnSet, names(&["a.x"]), 100, None)]);
        let back = Coming { returned: returned.returned, ..coming(&[("a.x", 1)]) };
        looks.look(&back, &[(Away::OwnSet, names(&["a.x"]), 100, Some(111))]);
    }
}
