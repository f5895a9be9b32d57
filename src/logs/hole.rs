//! Whether slon has applied what it has not archived: the events that it has confirmed against those that archives name; and whom a hole
//! concerns, of this kind or of that of [`super::away`]. Pure.
//!
//! slon confirms an event, or a group of SYNCs, in the transaction that applies it, and raises the counter of archives in the same
//! one. Without `-a` it confirms and raises nothing: the counters stay without a gap, and the rows are in no archive. So every
//! transaction that has confirmed events which may bring rows must be matched by an archive of one of them. Of other kinds nothing is
//! asked: slon commits two of them (`ACCEPT_SET`, `FAILOVER_NODE`) before it writes their archives, and may die in between.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::away::{Coming, Tables};
use crate::model::{Counter, Node, Series, SeriesList};
use crate::protocol::{Away, Compared, Confirmed, Cuts, Hole, Missed};

/// Kinds of events that may bring rows; the last is of Slony-I before 2.2.
const WITH_ROWS: [&str; 3] = ["SYNC", "ENABLE_SUBSCRIPTION", "DDL_SCRIPT"];

/// An event that was confirmed: Slony node, number, transaction, kind.
pub type Event<'e> = (u64, u64, i64, Option<&'e str>);

/// An archive that was split: counter, Slony node, event.
pub type Archived = (Counter, u64, u64);

/// Events that were applied together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The Slony node where they happened.
    pub origin: u64,
    /// Their numbers, ascending.
    pub events: Vec<u64>,
    /// Whether they may have brought rows.
    pub has_rows: bool,
}

/// Events that nothing is known of: Slony-I had forgotten them before they were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untold {
    /// Their Slony node.
    pub origin: u64,
    /// They come after this one...
    pub after: u64,
    /// ...and before this one.
    pub before: u64,
}

/// What was confirmed between one look and the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// The last archive that had committed then.
    pub committed: Counter,
    /// What was applied, in the order of the events of each Slony node.
    pub applied: Vec<Applied>,
    /// What is not known.
    pub untold: Vec<Untold>,
    /// How far this look goes, by Slony node.
    pub origins: BTreeMap<u64, Compared>,
    /// What came to the node then.
    pub coming: Coming,
}

impl Look {
    /// Sorts what was confirmed from the last look on; that look's last event of a Slony node is there again if nothing was forgotten
    /// since. Of a Slony node that was not looked at before nothing is asked: its past is nobody's.
    pub fn new(
        committed: Counter,
        events: &[Event<'_>],
        sets: &[(i32, u64)],
        before: &BTreeMap<u64, u64>,
        coming: Coming,
    ) -> Self {
        let mut by_origin: BTreeMap<u64, BTreeMap<u64, (i64, bool)>> = BTreeMap::new();
        for (origin, event, transaction, kind) in events {
            let has_rows = kind.is_none_or(|kind| WITH_ROWS.contains(&kind));
            by_origin.entry(*origin).or_default().insert(*event, (*transaction, has_rows));
        }
        let mut look = Self { committed, coming, ..Self::default() };
        for (origin, events) in by_origin {
            let (Some((first, _)), Some((last, _))) = (events.first_key_value(), events.last_key_value())
            else {
                continue;
            };
            let (first, last) = (*first, *last);
            let of_origin = sets.iter().filter(|(_, from)| *from == origin).map(|(set, _)| *set);
            look.origins.insert(origin, Compared { event: last, sets: of_origin.collect() });
            let Some(after) = before.get(&origin).copied() else { continue };
            if first > after {
                look.untold.push(Untold { origin, after, before: first });
            }
            let known = events.into_iter().filter(|(event, _)| *event > after);
            look.applied.extend(together(origin, known));
        }
        look
    }
}

/// One for each transaction.
fn together(origin: u64, events: impl Iterator<Item = (u64, (i64, bool))>) -> Vec<Applied> {
    let mut groups: BTreeMap<i64, Applied> = BTreeMap::new();
    for (event, (transaction, has_rows)) in events {
        let group = groups.entry(transaction);
        let group = group.or_insert(Applied { origin, events: Vec::new(), has_rows: false });
        group.events.push(event);
        group.has_rows |= has_rows;
    }
    // Numbers of transactions start anew some day, those of events do not.
    let mut groups: Vec<Applied> = groups.into_values().collect();
    groups.sort_by_key(|applied| applied.events.last().copied());
    groups
}

/// The archives that lie without a gap before the last one: of what is before them nothing can be told. `empty` are those that were
/// taken as empty, which name no event.
pub fn without_a_gap(
    archives: &[Archived],
    empty: &BTreeSet<Counter>,
    last: Counter,
) -> (Counter, Vec<Archived>) {
    let by_counter: BTreeMap<Counter, &Archived> =
        archives.iter().map(|archived| (archived.0, archived)).collect();
    let mut run = Vec::new();
    let mut after = last;
    while after > Counter::default() && (by_counter.contains_key(&after) || empty.contains(&after)) {
        run.extend(by_counter.get(&after).copied().copied());
        after = after.previous();
    }
    run.reverse();
    (after, run)
}

/// Compares a look with the archives up to it and beyond, which lie `after` a counter without a gap. Adds to the holes, closes those
/// behind which there is an archive, and moves on what was compared. Returns what cannot be told.
pub fn compare(
    look: &Look,
    (after, archives): (Counter, &[Archived]),
    confirmed: &mut Confirmed,
    holes: &mut Vec<Hole>,
    now: u64,
) -> Vec<Untold> {
    let sources = sources(&look.origins, &confirmed.origins);
    let mut untold: Vec<Untold> =
        look.untold.iter().filter(|untold| sources.contains(&untold.origin)).copied().collect();
    let named: HashSet<(u64, u64)> = archives.iter().map(|(_, origin, event)| (*origin, *event)).collect();
    for applied in &look.applied {
        let (Some(first), Some(last)) = (applied.events.first().copied(), applied.events.last().copied())
        else {
            continue;
        };
        let origin = applied.origin;
        let is_archived = applied.events.iter().any(|event| named.contains(&(origin, *event)));
        let is_known = holes.iter().any(|hole| {
            matches!(&hole.what, Missed::Events(of, events) if *of == origin && (events.0..=events.1).contains(&last))
        });
        if !applied.has_rows || !sources.contains(&origin) || is_archived || is_known {
            continue;
        }
        if after > confirmed.at {
            // Its archive may be among those that are not remembered.
            untold.push(Untold { origin, after: first.saturating_sub(1), before: last.saturating_add(1) });
            continue;
        }
        close(holes, archives, Some(last));
        let before_it = archives.iter().filter(|(_, of, event)| *of == origin && *event < first);
        let before_it = before_it.map(|(counter, ..)| *counter).max().unwrap_or_default();
        let mut open = holes.iter_mut().filter(|hole| hole.before.is_none());
        let open = open.find_map(|hole| match &mut hole.what {
            Missed::Events(of, events) if *of == origin => Some(events),
            _ => None,
        });
        match open {
            Some(events) => events.1 = last,
            None => holes.push(Hole {
                what: Missed::Events(origin, (first, last)),
                // What was compared last had committed before this.
                after: before_it.max(confirmed.at),
                before: None,
                seen: now,
                concerned: BTreeSet::new(),
            }),
        }
    }
    close(holes, archives, None);
    confirmed.at = confirmed.at.max(look.committed);
    confirmed.origins.extend(look.origins.clone());
    untold
}

/// The Slony nodes from which sets come, or came when it was looked last. From others come no rows.
fn sources(now: &BTreeMap<u64, Compared>, then: &BTreeMap<u64, Compared>) -> HashSet<u64> {
    let with_sets = now.iter().chain(then).filter(|(_, compared)| !compared.sets.is_empty());
    with_sets.map(|(origin, _)| *origin).collect()
}

/// Closes holes by the first archive behind them; `until`: only by those of events before this one.
fn close(holes: &mut [Hole], archives: &[Archived], until: Option<u64>) {
    for hole in holes.iter_mut().filter(|hole| hole.before.is_none()) {
        let Missed::Events(of, (_, last)) = &hole.what else { continue };
        let behind = archives.iter().find(|(counter, origin, event)| {
            *counter > hole.after && origin == of && event > last && until.is_none_or(|until| *event < until)
        });
        hole.before = behind.map(|(counter, ..)| *counter);
    }
}

/// The lists of a node, and the cut of its open request.
pub struct Lists<'l> {
    /// Whose.
    pub node: &'l Node,
    /// Whether they can be read: if not, the node misses what it missed before.
    pub are_known: bool,
    /// `None`: only a request is there.
    pub cuts: Option<&'l Cuts>,
    /// The cut of an open request and its list, which holds when the site has applied it.
    pub cut: Option<(Counter, &'l SeriesList)>,
}

/// Brings up to date who misses rows: a node whose list at the hole has a series, until it has that series by a list that came into
/// force behind the hole. `tables` says of which set and Slony node each is; those of others than the hole's, from which `sets` came,
/// miss nothing.
pub fn concern(hole: &mut Hole, sets: &BTreeSet<i32>, lists: &[Lists<'_>], tables: &Tables) {
    let mut found = BTreeSet::new();
    for lists in lists {
        let Some(cuts) = lists.cuts else { continue };
        let is_its = |series: &Series| match &hole.what {
            Missed::Events(origin, _) => {
                tables.get(series).is_none_or(|table| table.origin == *origin || sets.contains(&table.set))
            }
            Missed::Series(_, missed) => missed.contains(series),
        };
        let reaches = |from: Counter, end: Option<Counter>| {
            hole.before.is_none_or(|before| from <= before) && end.is_none_or(|end| end > hole.after.next())
        };
        let at_the_hole = cuts.sections().filter(|(from, end, _)| reaches(*from, *end));
        let at_the_hole =
            at_the_hole.flat_map(|(.., list)| list.iter()).map(|subscription| &subscription.series);
        found.extend(
            at_the_hole.filter(|series| is_its(series)).map(|series| (lists.node.clone(), series.clone())),
        );
    }
    found.extend(hole.concerned.iter().cloned());
    let is_lost = missing(hole.before, lists);
    found.retain(|(node, series)| is_lost(node, series));
    hole.concerned = found;
}

/// Whether a node has a series without interruption since before the hole ended.
fn missing(before: Option<Counter>, lists: &[Lists<'_>]) -> impl Fn(&Node, &Series) -> bool {
    let behind = |from: Counter| before.is_some_and(|before| from > before);
    let of = |lists: &Lists<'_>| {
        if !lists.are_known {
            return Some((lists.node.clone(), Vec::new()));
        }
        let sections: Vec<_> = lists.cuts?.sections().collect();
        let last = sections.len().checked_sub(1)?;
        let since = sections.iter().enumerate().filter(|(at, (from, ..))| *at == last || behind(*from));
        let since: Vec<HashSet<Series>> = since
            .map(|(_, (.., list))| list.iter().map(|subscription| subscription.series.clone()).collect())
            .collect();
        Some((lists.node.clone(), since))
    };
    let by_node: HashMap<Node, Vec<HashSet<Series>>> = lists.iter().filter_map(of).collect();
    move |node, series| by_node.get(node).is_some_and(|lists| lists.iter().all(|list| list.contains(series)))
}

/// Whether nobody will ever miss anything of it: it has an end, nobody misses rows, every list can be read, and no request is open
/// whose rows may lack them.
pub fn is_past(hole: &Hole, lists: &[Lists<'_>]) -> bool {
    let Some(before) = hole.before else { return false };
    let is_asked = |list: &SeriesList| match &hole.what {
        Missed::Events(..) => true,
        Missed::Series(_, missed) => list.iter().any(|subscription| missed.contains(&subscription.series)),
    };
    let may_lack = |(cut, list): (Counter, &SeriesList)| cut < before && is_asked(list);
    hole.concerned.is_empty() && lists.iter().all(|lists| lists.are_known && !lists.cut.is_some_and(may_lack))
}

/// How many series a message names.
const NAMED: usize = 5;

/// What an operator must know of a hole, in one line.
pub fn describe(hole: &Hole) -> String {
    let Hole { what, after, before, .. } = hole;
    match (what, before) {
        (Missed::Events(origin, (first, last)), before) => {
            let where_it_is = match before {
                Some(before) => format!("between archives {after} and {before}"),
                None => {
                    format!(
                        "after archive {after}, and has not archived anything of Slony node {origin} since"
                    )
                }
            };
            format!(
                "slon ran without `-a` {where_it_is}: what it applied then (events {first} to {last} of Slony node {origin}) is in no archive"
            )
        }
        (Missed::Series(Away::OwnSet, series), None) => format!(
            "nothing of {} comes after archive {after}: its set begins at the log-shipping node, whose own changes slon does not archive",
            names(series)
        ),
        (Missed::Series(Away::NotReceived, series), None) => format!(
            "nothing of {} comes after archive {after}: no set that the log-shipping node receives has a table of this name",
            names(series)
        ),
        (Missed::Series(_, series), Some(before)) => format!(
            "nothing of {} came for a while after archive {after}: only a copy made at archive {before} or later is whole",
            names(series)
        ),
    }
}

/// What tells a hole from others, also when its end is known later.
pub fn key(hole: &Hole) -> String {
    match &hole.what {
        Missed::Events(origin, (first, _)) => format!("{origin} {first}"),
        Missed::Series(..) => format!("away {} {}", hole.after, hole.seen),
    }
}

/// The nodes with what they have to subscribe anew: `nso: a.b, a.c`.
pub fn by_node(concerned: &BTreeSet<(Node, Series)>) -> Vec<(Node, String)> {
    let mut nodes: BTreeMap<&Node, Vec<&Series>> = BTreeMap::new();
    for (node, series) in concerned {
        nodes.entry(node).or_default().push(series);
    }
    nodes.into_iter().map(|(node, series)| (node.clone(), names(series))).collect()
}

/// The first of them, and how many more there are.
fn names<'s, I>(series: I) -> String
where
    I: IntoIterator<Item = &'s Series, IntoIter: ExactSizeIterator>,
{
    let series = series.into_iter();
    let more = series.len().checked_sub(NAMED).filter(|more| *more > 0);
    let names: Vec<String> = series.take(NAMED).map(ToString::to_string).collect();
    more.map_or(names.join(", "), |more| format!("{} and {more} more", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::away::Table;
    use crate::model::Subscription;

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    fn list(names: &[&str]) -> SeriesList {
        names.iter().map(|name| Subscription::from_name(name.parse().unwrap())).collect()
    }

    fn cuts(sections: &[(u64, &[&str])]) -> Cuts {
        let mut cuts = Cuts::default();
        for (from, names) in sections {
            cuts.hold_from(counter(*from), None, list(names));
        }
        cuts
    }

    /// What a row of `sl_confirm` says: Slony node, event, transaction, kind.
    type Row = (u64, u64, i64, &'static str);
    /// An archive: counter, Slony node, event.
    type File = (u64, u64, u64);
    /// A hole: Slony node, events, counters.
    type Found = (u64, (u64, u64), u64, Option<u64>);

    /// What was compared before: event 10 of Slony node 1, from which set 1 comes, and event 5 of Slony node 3, at archive 100.
    fn before() -> Confirmed {
        let compared = |event, sets: &[i32]| Compared { event, sets: sets.iter().copied().collect() };
        Confirmed { at: counter(100), origins: [(1, compared(10, &[1])), (3, compared(5, &[]))].into() }
    }

    fn look(committed: u64, rows: &[Row], confirmed: &Confirmed) -> Look {
        let since = confirmed.origins.iter().map(|(origin, compared)| (*origin, compared.event)).collect();
        let events: Vec<Event<'_>> = rows.iter().map(|(o, e, t, kind)| (*o, *e, *t, Some(*kind))).collect();
        Look::new(counter(committed), &events, &[(1, 1)], &since, Coming::default())
    }

    fn files(files: &[File]) -> (Counter, Vec<Archived>) {
        let archives: Vec<Archived> =
            files.iter().map(|(at, origin, event)| (counter(*at), *origin, *event)).collect();
        let last = files.last().map_or(100, |(at, ..)| *at);
        without_a_gap(&archives, &BTreeSet::new(), counter(last))
    }

    fn found(holes: &[Hole]) -> Vec<Found> {
        let found = |hole: &Hole| match hole.what {
            Missed::Events(origin, events) => {
                (origin, events, hole.after.value(), hole.before.map(Counter::value))
            }
            Missed::Series(..) => panic!("{hole:?}"),
        };
        holes.iter().map(found).collect()
    }

    /// The row of the last look is put before the others, as if nothing had been forgotten.
    #[track_caller]
    fn check(rows: &[Row], archives: &[File], expected: &[Found]) {
        let mut confirmed = before();
        let rows: Vec<Row> = [(1, 10, 1, "SYNC"), (3, 5, 2, "SYNC")].iter().chain(rows).copied().collect();
        let committed = archives.last().map_or(100, |(at, ..)| *at);
        let look = look(committed, &rows, &confirmed);
        let mut holes = Vec::new();
        let (after, archives) = files(archives);
        let untold = compare(&look, (after, &archives), &mut confirmed, &mut holes, 7);
        assert_eq!((untold, found(&holes)), (Vec::new(), expected.to_vec()));
        // A kill before the second file was written: the same again.
        let again = holes.clone();
        compare(&look, (after, &archives), &mut before(), &mut holes, 8);
        assert_eq!(holes, again);
    }

    #[test]
    fn what_is_archived_is_no_hole() {
        check(&[], &[], &[]);
        check(&[(1, 11, 20, "SYNC"), (1, 12, 21, "STORE_PATH")], &[(101, 1, 11), (102, 1, 12)], &[]);
        // A group of SYNCs has one archive, named by the last of them, and one transaction.
        let group = [(1, 11, 20, "SYNC"), (1, 12, 20, "SYNC"), (1, 13, 20, "SYNC")];
        check(&group, &[(101, 1, 13)], &[]);
        // The archive has a name before the transaction commits: the splitter may be further than the look.
        check(&[], &[(101, 1, 11)], &[]);
    }

    #[test]
    fn what_brings_no_rows_is_no_hole() {
        // slon died between the commit and the archive.
        check(&[(3, 6, 20, "ACCEPT_SET"), (1, 11, 21, "FAILOVER_NODE")], &[], &[]);
        // No set comes from there.
        check(&[(3, 6, 20, "SYNC")], &[], &[]);
    }

    #[test]
    fn what_is_applied_and_not_archived_is_a_hole() {
        check(&[(1, 11, 20, "SYNC")], &[], &[(1, (11, 11), 100, None)]);
        check(&[(1, 11, 20, "ENABLE_SUBSCRIPTION")], &[], &[(1, (11, 11), 100, None)]);
        let rows = [(1, 11, 20, "SYNC"), (1, 12, 22, "SYNC"), (1, 13, 23, "SYNC"), (1, 14, 24, "SYNC")];
        check(&rows, &[(101, 1, 11), (102, 1, 14)], &[(1, (12, 13), 101, Some(102))]);
        // Two, and an archive of another Slony node in between, which says nothing.
        let archives = [(101, 1, 12), (102, 3, 6), (103, 1, 14)];
        check(&rows, &archives, &[(1, (11, 11), 100, Some(101)), (1, (13, 13), 101, Some(103))]);
        // A group without an archive is one.
        check(&[(1, 11, 20, "SYNC"), (1, 12, 20, "SYNC")], &[], &[(1, (11, 12), 100, None)]);
    }

    #[test]
    fn a_hole_goes_on_from_look_to_look_until_there_is_an_archive() {
        let mut confirmed = before();
        let mut holes = Vec::new();
        let mut step = |rows: &[Row], archives: &[File], expected: &[Found]| {
            let committed = archives.last().map_or(100, |(at, ..)| *at);
            let look = look(committed, rows, &confirmed);
            let (after, archives) = files(archives);
            let untold = compare(&look, (after, &archives), &mut confirmed, &mut holes, 7);
            assert_eq!((untold, found(&holes)), (Vec::new(), expected.to_vec()));
        };
        step(&[(1, 10, 1, "SYNC"), (1, 11, 20, "SYNC")], &[], &[(1, (11, 11), 100, None)]);
        step(&[(1, 11, 20, "SYNC"), (1, 12, 21, "SYNC")], &[], &[(1, (11, 12), 100, None)]);
        step(&[(1, 12, 21, "SYNC"), (1, 13, 22, "SYNC")], &[(101, 1, 13)], &[(1, (11, 12), 100, Some(101))]);
        let second = (1, (14, 14), 101, None);
        step(
            &[(1, 13, 22, "SYNC"), (1, 14, 23, "SYNC")],
            &[(101, 1, 13)],
            &[(1, (11, 12), 100, Some(101)), second],
        );
    }

    #[test]
    fn what_was_forgotten_is_said_and_not_guessed() {
        let mut confirmed = before();
        // Slony-I has removed event 10 and what came after it.
        let rows = [(1, 50, 20, "SYNC"), (1, 51, 21, "SYNC"), (3, 9, 22, "SYNC")];
        let mut holes = Vec::new();
        let forgotten = look(102, &rows, &confirmed);
        let (after, archives) = files(&[(101, 1, 50), (102, 1, 51)]);
        let untold = compare(&forgotten, (after, &archives), &mut confirmed, &mut holes, 7);
        assert_eq!((untold, holes), (vec![Untold { origin: 1, after: 10, before: 50 }], Vec::new()));
        // The splitter remembers archives from 105 on only.
        let look = look(106, &[(1, 51, 21, "SYNC"), (1, 52, 22, "SYNC"), (1, 54, 23, "SYNC")], &confirmed);
        let (after, archives) = files(&[(103, 1, 52), (105, 1, 53), (106, 1, 54)]);
        assert_eq!(after, counter(104));
        let mut holes = Vec::new();
        let untold = compare(&look, (after, &archives), &mut confirmed, &mut holes, 7);
        assert_eq!((untold, holes), (vec![Untold { origin: 1, after: 51, before: 53 }], Vec::new()));
    }

    #[test]
    fn an_archive_that_was_taken_as_empty_is_no_gap() {
        let archives = [(101, 1, 11), (103, 1, 13)].map(|(at, origin, event)| (counter(at), origin, event));
        let empty = BTreeSet::from([counter(102)]);
        assert_eq!(without_a_gap(&archives, &empty, counter(103)), (counter(100), archives.to_vec()));
        assert_eq!(
            without_a_gap(&archives, &BTreeSet::new(), counter(103)),
            (counter(102), archives[1..].to_vec())
        );
    }

    /// The hole lies between archives 100 and 103; `b.other` comes from another Slony node.
    #[track_caller]
    fn check_concerned(sections: &[(u64, &[&str])], had: &[&str], expected: &[&str]) {
        let node: Node = "nso".parse().unwrap();
        let pairs = |names: &[&str]| -> BTreeSet<(Node, Series)> {
            names.iter().map(|name| (node.clone(), name.parse().unwrap())).collect()
        };
        let mut hole = Hole {
            what: Missed::Events(1, (11, 12)),
            after: counter(100),
            before: Some(counter(103)),
            seen: 7,
            concerned: pairs(had),
        };
        let table = |set| Table { set, origin: 3, is_received: true };
        let tables =
            Tables::from([("b.other".parse().unwrap(), table(2)), ("b.moved".parse().unwrap(), table(1))]);
        let cuts = cuts(sections);
        let lists = [Lists { node: &node, are_known: true, cuts: Some(&cuts), cut: None }];
        concern(&mut hole, &BTreeSet::from([1]), &lists, &tables);
        assert_eq!(hole.concerned, pairs(expected));
        assert_eq!(is_past(&hole, &lists), expected.is_empty());
    }

    #[test]
    fn a_node_misses_rows_until_it_has_the_series_anew() {
        check_concerned(&[(10, &["a.x", "a.y"])], &[], &["a.x", "a.y"]);
        check_concerned(&[(10, &["a.x", "b.other", "b.moved"])], &[], &["a.x", "b.moved"]);
        // A list that ended before the hole, or began behind it.
        check_concerned(&[(10, &["a.x"]), (101, &["a.y"])], &[], &["a.y"]);
        check_concerned(&[(104, &["a.x"])], &[], &[]);
        // Its SQL may be from before the hole, although its list begins behind it.
        check_concerned(&[(103, &["a.x"])], &[], &["a.x"]);
        check_concerned(&[(10, &[]), (102, &["a.x"])], &[], &["a.x"]);
        // Unsubscribed; and subscribed anew.
        check_concerned(&[(10, &["a.x", "a.y"]), (110, &["a.y"])], &["a.x", "a.y"], &["a.y"]);
        check_concerned(&[(10, &["a.x"]), (110, &[]), (120, &["a.x"])], &["a.x"], &[]);
        // Another series came: that is no reason.
        check_concerned(&[(10, &["a.x"]), (110, &["a.x", "a.y"])], &["a.x"], &["a.x"]);
        // The sections of that time are forgotten, what was written down is not.
        check_concerned(&[(500, &["a.x", "a.y"])], &["a.x"], &["a.x"]);
    }

    #[test]
    fn a_request_from_before_the_end_of_a_hole_keeps_it() {
        let node: Node = "nso".parse().unwrap();
        let hole = |before| Hole {
            what: Missed::Events(1, (11, 12)),
            after: counter(100),
            before,
            seen: 7,
            concerned: BTreeSet::new(),
        };
        let asked = list(&["a.x"]);
        let lists = |cut: Option<u64>| {
            [Lists { node: &node, are_known: true, cuts: None, cut: cut.map(|cut| (counter(cut), &asked)) }]
        };
        let past = |before: Option<u64>, cut| is_past(&hole(before.map(counter)), &lists(cut));
        assert!(!past(None, None));
        assert!(past(Some(103), None) && past(Some(103), Some(103)));
        assert!(!past(Some(103), Some(102)));
        let away = |name: &str| {
            let what = Missed::Series(Away::OwnSet, [name.parse().unwrap()].into());
            is_past(&Hole { what, ..hole(Some(counter(103))) }, &lists(Some(102)))
        };
        assert!(away("a.y") && !away("a.x"));
    }

    #[test]
    fn a_list_that_cannot_be_read_keeps_a_hole() {
        let node: Node = "nso".parse().unwrap();
        let unknown = [Lists { node: &node, are_known: false, cuts: None, cut: None }];
        let mut hole = Hole {
            what: Missed::Events(1, (11, 12)),
            after: counter(101),
            before: Some(counter(103)),
            seen: 5,
            concerned: BTreeSet::new(),
        };
        assert!(!is_past(&hole, &unknown), "who misses rows is not known");
        hole.concerned = [(node.clone(), "a.b".parse().unwrap())].into();
        let (had, sets) = (hole.concerned.clone(), BTreeSet::new());
        concern(&mut hole, &sets, &unknown, &Tables::new());
        assert_eq!(hole.concerned, had);
    }

    #[test]
    fn a_long_list_is_cut_short() {
        let pairs = (1..=7).map(|at| ("nso".parse().unwrap(), format!("a.t{at}").parse().unwrap())).collect();
        let (_, text) = by_node(&pairs).remove(0);
        assert_eq!(text, "a.t1, a.t2, a.t3, a.t4, a.t5 and 2 more");
    }
}
