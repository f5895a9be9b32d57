//! `<node>.cuts`: which list of a node held from which counter on.
//!
//! Sections, oldest first: a line `from COUNTER`, then one line for each series with its sequences behind it. The list
//! of a section holds for the archives from its counter up to the next section's.

use super::{Malformed, lines, plain_text, read_subscriptions, write_subscriptions};
use crate::model::{Counter, SeriesList};

/// The lists of one node by counter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cuts(Vec<(Counter, SeriesList)>);

impl Cuts {
    /// One list for all counters: what a registry made by hand or by NetDRMS means.
    pub fn always(list: SeriesList) -> Self {
        Self(vec![(Counter::default(), list)])
    }

    /// The list that holds for an archive; `None` before the node's first.
    pub fn at(&self, counter: Counter) -> Option<&SeriesList> {
        self.0.iter().rev().find(|(from, _)| *from <= counter).map(|(_, list)| list)
    }

    /// The newest list.
    pub fn last(&self) -> Option<&SeriesList> {
        self.0.last().map(|(_, list)| list)
    }

    /// From `from` on, `list` holds. What was said of that counter and later ones before is forgotten, so that saying
    /// it twice is the same as once.
    pub fn hold_from(&mut self, from: Counter, list: SeriesList) {
        self.0.retain(|(earlier, _)| *earlier < from);
        self.0.push((from, list));
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let mut sections: Vec<(Counter, Vec<_>)> = Vec::new();
        for (line, words) in lines(&text) {
            if let Some(value) = words.strip_prefix("from ") {
                let from = Counter::parse(value.trim())
                    .filter(|from| sections.last().is_none_or(|(earlier, _)| earlier < from))
                    .ok_or_else(|| Malformed::new(line, "`from` takes a counter above the one before"))?;
                sections.push((from, Vec::new()));
                continue;
            }
            let subscription = read_subscriptions(line, words)?;
            match sections.last_mut() {
                Some((_, list)) => list.push(subscription),
                None => return Err(Malformed::new(line, "a series before the first line `from COUNTER`")),
            }
        }
        Ok(Self(sections.into_iter().map(|(from, list)| (from, list.into_iter().collect())).collect()))
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        let section =
            |(from, list): &(Counter, SeriesList)| format!("from {from}\n{}", write_subscriptions(list));
        self.0.iter().map(section).collect::<String>().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Series, Subscription};

    fn list(names: &[&str]) -> SeriesList {
        names.iter().map(|name| Subscription::from_name(name.parse::<Series>().unwrap())).collect()
    }

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    #[test]
    fn the_list_is_chosen_by_counter() {
        let mut cuts = Cuts::default();
        assert_eq!(cuts.at(counter(5)), None);
        cuts.hold_from(counter(10), list(&["a.b"]));
        cuts.hold_from(counter(20), list(&["a.b", "a.c"]));
        assert_eq!(cuts.at(counter(9)), None);
        assert_eq!(cuts.at(counter(10)), Some(&list(&["a.b"])));
        assert_eq!(cuts.at(counter(19)), Some(&list(&["a.b"])));
        assert_eq!(cuts.at(counter(20)), Some(&list(&["a.b", "a.c"])));
        let before = cuts.clone();
        cuts.hold_from(counter(20), list(&["a.b", "a.c"]));
        assert_eq!(cuts, before, "twice is once");
    }

    #[test]
    fn the_file_comes_back() {
        let mut cuts = Cuts::always(list(&["a.b", "\"A x\".b"]));
        cuts.hold_from(counter(7), SeriesList::default());
        assert_eq!(Cuts::parse(&cuts.write()), Ok(cuts));
        assert!(Cuts::parse(b"a.b\n").is_err());
        assert!(Cuts::parse(b"from 5\nfrom 5\n").is_err());
    }
}
