//! `<node>.cuts`: which list of a node held from which counter on.
//!
//! Sections, oldest first: a line `from COUNTER`, then one line for each series with its sequences behind it. The list
//! of a section holds for the archives from its counter up to the next section's. `from COUNTER shown COUNTER` says that
//! logs up to the second counter could be taken by the list before, until the request was finished.

use super::{Malformed, lines, plain_text, read_subscriptions, write_subscriptions};
use crate::model::{Counter, Series, SeriesList};

/// The lists of one node by counter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cuts(Vec<Section>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    from: Counter,
    shown: Option<Counter>,
    list: SeriesList,
}

impl Cuts {
    /// One list for all counters: what a registry made by hand or by NetDRMS means.
    pub fn always(list: SeriesList) -> Self {
        Self(vec![Section { from: Counter::default(), shown: None, list }])
    }

    /// The list that holds for an archive; `None` before the node's first.
    pub fn at(&self, counter: Counter) -> Option<&SeriesList> {
        self.0.iter().rev().find(|section| section.from <= counter).map(|section| &section.list)
    }

    /// The counters from which lists hold.
    pub fn starts(&self) -> impl Iterator<Item = Counter> {
        self.0.iter().map(|section| section.from)
    }

    /// The lists, each with the counters from which and before which it holds; the newest has no end.
    pub fn sections(&self) -> impl Iterator<Item = (Counter, Option<Counter>, &SeriesList)> {
        let ends = self.0.iter().skip(1).map(|next| Some(next.from)).chain([None]);
        self.0.iter().zip(ends).map(|(section, end)| (section.from, end, &section.list))
    }

    /// The newest list.
    pub fn last(&self) -> Option<&SeriesList> {
        self.0.last().map(|section| &section.list)
    }

    /// The first archive of the node; `None` if it has no list at all.
    pub fn first(&self) -> Option<Counter> {
        self.0.first().map(|section| section.from)
    }

    /// The newest archive at which a copy was made for the node; a list for all counters says nothing of one.
    pub fn newest_cut(&self) -> Option<Counter> {
        let begun = self.starts().filter(|start| *start != Counter::default());
        begun.map(Counter::previous).max()
    }

    /// The last counter at which a log of the node can hold rows of one of these series, by a list that no longer holds.
    /// A site that loads such a series anew must have applied the logs up to there, or they would come on top.
    pub fn last_with(&self, series: &[Series]) -> Option<Counter> {
        let had = |list: &SeriesList| series.iter().any(|series| list.contains(series));
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        pairs.filter(|(section, _)| had(&section.list)).map(|(_, next)| last_by_the_list_before(next)).max()
    }

    /// From `from` on, `list` holds; logs up to `shown` may have been taken by the list before. What was said of later
    /// counters before is forgotten, and saying it twice is the same as once. Another list of the same counter stays, though
    /// it never held: that a series was left and then loaded anew is known by it alone.
    pub fn hold_from(&mut self, from: Counter, shown: Option<Counter>, list: SeriesList) {
        self.0.retain(|section| section.from < from || section.from == from && section.list != list);
        self.0.push(Section { from, shown, list });
    }

    /// The same without the oldest sections, as far as nothing asks for them when `oldest` is the first archive or log
    /// that is kept: [`Cuts::at`] answers the same from there on, and what [`Cuts::last_with`] forgets are logs that no
    /// site can apply any more. The newest list always stays.
    #[must_use]
    pub fn since(&self, oldest: Counter) -> Self {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        // The oldest ones in a row: a section also tells up to where logs by the one before it were shown.
        let needless = pairs.take_while(|(_, next)| last_by_the_list_before(next) < oldest).count();
        Self(self.0.iter().skip(needless).cloned().collect())
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let mut sections: Vec<(Counter, Option<Counter>, Vec<_>)> = Vec::new();
        for (line, words) in lines(&text) {
            if let Some(value) = words.strip_prefix("from ") {
                let (from, shown) = counters(value)
                    .filter(|(from, _)| sections.last().is_none_or(|(earlier, ..)| earlier <= from))
                    .ok_or_else(|| {
                        Malformed::new(line, "`from` takes a counter that is not below the one before")
                    })?;
                sections.push((from, shown, Vec::new()));
                continue;
            }
            let subscription = read_subscriptions(line, words)?;
            match sections.last_mut() {
                Some((.., list)) => list.push(subscription),
                None => return Err(Malformed::new(line, "a series before the first line `from COUNTER`")),
            }
        }
        let section =
            |(from, shown, list): (_, _, Vec<_>)| Section { from, shown, list: list.into_iter().collect() };
        Ok(Self(sections.into_iter().map(section).collect()))
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        let section = |Section { from, shown, list }: &Section| {
            let shown = shown.map(|shown| format!(" shown {shown}")).unwrap_or_default();
            format!("from {from}{shown}\n{}", write_subscriptions(list))
        };
        self.0.iter().map(section).collect::<String>().into_bytes()
    }
}

/// The last log that may have been taken by the list before this section's.
fn last_by_the_list_before(section: &Section) -> Counter {
    section.from.previous().max(section.shown.unwrap_or_default())
}

/// `COUNTER` or `COUNTER shown COUNTER`.
fn counters(text: &str) -> Option<(Counter, Option<Counter>)> {
    let mut words = text.split_whitespace();
    let from = Counter::parse(words.next()?)?;
    match (words.next(), words.next(), words.next()) {
        (None, None, None) => Some((from, None)),
        (Some("shown"), Some(shown), None) => Some((from, Some(Counter::parse(shown)?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subscription;

    fn list(names: &[&str]) -> SeriesList {
        names.iter().map(|name| Subscription::from_name(name.parse::<Series>().unwrap())).collect()
    }

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    #[test]
    fn a_list_that_another_of_its_counter_replaced_is_remembered_and_never_holds() {
        let mut cuts = Cuts::default();
        cuts.hold_from(counter(10), None, list(&["a.b", "a.c"]));
        for _twice in 0..2 {
            cuts.hold_from(counter(20), None, list(&["a.c"]));
            cuts.hold_from(counter(20), None, list(&["a.b", "a.c"]));
            assert_eq!(cuts.at(counter(20)), Some(&list(&["a.b", "a.c"])));
            assert_eq!(cuts.last_with(&["a.b".parse().unwrap()]), Some(counter(19)));
            let from: Vec<Counter> = cuts.sections().map(|(from, ..)| from).collect();
            assert_eq!(from, [10, 20, 20].map(counter));
            assert_eq!(Cuts::parse(&cuts.write()), Ok(cuts.clone()));
        }
    }

    #[test]
    fn the_list_is_chosen_by_counter() {
        let mut cuts = Cuts::default();
        assert_eq!(cuts.at(counter(5)), None);
        cuts.hold_from(counter(10), None, list(&["a.b"]));
        cuts.hold_from(counter(20), None, list(&["a.b", "a.c"]));
        assert_eq!(cuts.at(counter(9)), None);
        assert_eq!(cuts.at(counter(10)), Some(&list(&["a.b"])));
        assert_eq!(cuts.at(counter(19)), Some(&list(&["a.b"])));
        assert_eq!(cuts.at(counter(20)), Some(&list(&["a.b", "a.c"])));
        let before = cuts.clone();
        cuts.hold_from(counter(20), None, list(&["a.b", "a.c"]));
        assert_eq!(cuts, before, "twice is once");
    }

    #[test]
    fn the_file_comes_back() {
        let mut cuts = Cuts::always(list(&["a.b", "\"A x\".b"]));
        cuts.hold_from(counter(7), None, SeriesList::default());
        cuts.hold_from(counter(9), Some(counter(12)), list(&["a.b"]));
        assert_eq!(Cuts::parse(&cuts.write()), Ok(cuts));
        assert!(Cuts::parse(b"a.b\n").is_err());
        assert!(Cuts::parse(b"from 5\nfrom 4\n").is_err());
        assert!(Cuts::parse(b"from 5 until 7\n").is_err());
    }

    #[test]
    fn sections_that_nothing_asks_for_go() {
        let mut cuts = Cuts::default();
        for (from, shown, names) in
            [(10, None, "a.a"), (20, Some(33), "a.b"), (30, None, "a.c"), (40, None, "a.d")]
        {
            cuts.hold_from(counter(from), shown.map(counter), list(&[names]));
        }
        for (oldest, first) in [(0, 10), (20, 10), (33, 10), (34, 30), (39, 30), (40, 40), (99, 40)] {
            let since = cuts.since(counter(oldest));
            assert_eq!(since.first(), Some(counter(first)), "{oldest}");
            assert_eq!(since.since(counter(oldest)), since, "twice is once");
            for asked in oldest..60 {
                assert_eq!(since.at(counter(asked)), cuts.at(counter(asked)), "{oldest} {asked}");
            }
            for name in ["a.a", "a.b", "a.c", "a.d"] {
                let with = |cuts: &Cuts| {
                    cuts.last_with(&[name.parse().unwrap()]).filter(|last| *last >= counter(oldest))
                };
                assert_eq!(with(&since), with(&cuts), "{oldest} {name}");
            }
        }
        assert_eq!(Cuts::default().since(counter(5)), Cuts::default());
    }

    #[test]
    fn a_series_that_was_there_before_is_known_by_its_last_log() {
        let series = |name: &str| [name.parse::<Series>().unwrap()];
        let mut cuts = Cuts::default();
        cuts.hold_from(counter(10), None, list(&["a.b", "a.c"]));
        cuts.hold_from(counter(20), Some(counter(23)), list(&["a.c"]));
        cuts.hold_from(counter(30), None, list(&["a.c", "a.d"]));
        assert_eq!(cuts.last_with(&series("a.b")), Some(counter(23)));
        assert_eq!(cuts.last_with(&series("a.d")), None);
        assert_eq!(cuts.last_with(&series("a.x")), None);
    }
}
