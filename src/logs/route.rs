//! Who has which series and sequences: built once from all lists, then asked for every archive.

use std::collections::HashMap;

use super::master::described_key;
use crate::model::{Dialect, Sequence, Series, SeriesList, Unrouted};
use crate::spelling::copy_text::escape;
use crate::spelling::row::series_key;
use crate::spelling::sequence_line::pasted_key;

/// A directory that gets a site log of every archive.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'l> {
    /// Whose it is: what stops one directory of a node stops all of them.
    pub node: usize,
    /// What becomes of statements that cannot be routed.
    pub unrouted: Unrouted,
    /// How its site logs are written.
    pub dialect: Dialect,
    /// What they hold. Where nodes share a list, share the reference too: equal addresses need no comparison.
    pub list: &'l SeriesList,
}

/// Look-ups from the spelling of an archive to the lists. The cost is one entry for every series of every *distinct*
/// list, however many destinations share it.
#[derive(Debug)]
pub struct Routes {
    /// The destinations, in the order given.
    pub(super) destinations: Vec<Routed>,
    /// How many distinct lists there are.
    pub(super) lists: usize,
    /// By [`series_key`].
    pub(super) series: HashMap<Vec<u8>, Route<Series>>,
    /// By [`pasted_key`], which two sequences with odd names may share.
    pub(super) sequences: HashMap<Vec<u8>, Vec<Route<Sequence>>>,
    /// The lists that have a series which master tables describe by this name, by [`described_key`].
    pub(super) described: HashMap<Vec<u8>, Vec<usize>>,
    /// The lists that have a series in a schema, by the schema's name as in [`series_key`].
    pub(super) schemas: HashMap<Vec<u8>, Vec<usize>>,
}

/// A destination, with its list by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routed {
    pub(super) node: usize,
    pub(super) unrouted: Unrouted,
    pub(super) dialect: Dialect,
    pub(super) list: usize,
}

/// A name and the lists that have it, ascending.
#[derive(Debug)]
pub(super) struct Route<N> {
    pub(super) name: N,
    pub(super) lists: Vec<usize>,
}

impl Routes {
    /// The look-ups for these destinations. They hold until a list, a dialect or the destinations change.
    pub fn new(destinations: &[Destination<'_>]) -> Self {
        let mut by_address = HashMap::new();
        let mut by_content = HashMap::new();
        let mut routes = Self {
            destinations: Vec::with_capacity(destinations.len()),
            lists: 0,
            series: HashMap::new(),
            sequences: HashMap::new(),
            described: HashMap::new(),
            schemas: HashMap::new(),
        };
        for destination in destinations {
            let list = *by_address.entry(std::ptr::from_ref(destination.list)).or_insert_with(|| {
                *by_content.entry(destination.list).or_insert_with(|| routes.add(destination.list))
            });
            let Destination { node, unrouted, dialect, .. } = *destination;
            routes.destinations.push(Routed { node, unrouted, dialect, list });
        }
        routes
    }

    /// Enters a list that is not there yet.
    fn add(&mut self, list: &SeriesList) -> usize {
        let index = self.lists;
        self.lists += 1;
        for subscription in list {
            let name = &subscription.series.0;
            self.series
                .entry(series_key(name.schema.as_bytes(), name.name.as_bytes()))
                .or_insert_with(|| Route { name: subscription.series.clone(), lists: Vec::new() })
                .lists
                .push(index);
            let lists = self.described.entry(described_key(name)).or_default();
            if lists.last() != Some(&index) {
                lists.push(index);
            }
            let mut schema = Vec::new();
            escape(name.schema.as_bytes(), &mut schema);
            let lists = self.schemas.entry(schema).or_default();
            if lists.last() != Some(&index) {
                lists.push(index);
            }
            for sequence in &subscription.sequences {
                self.add_sequence(sequence, index);
            }
        }
        index
    }

    fn add_sequence(&mut self, sequence: &Sequence, list: usize) {
        let key = pasted_key(sequence.0.schema.as_bytes(), sequence.0.name.as_bytes());
        let routes = self.sequences.entry(key).or_default();
        match routes.iter_mut().find(|route| route.name == *sequence) {
            // Two series of a list may share a sequence.
            Some(route) if route.lists.last() == Some(&list) => {}
            Some(route) => route.lists.push(list),
            None => routes.push(Route { name: sequence.clone(), lists: vec![list] }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subscription;

    fn list(series: &[&str]) -> SeriesList {
        series.iter().map(|name| Subscription::from_name(name.parse().unwrap())).collect()
    }

    #[test]
    fn equal_lists_are_entered_once() {
        let (one, two, other) = (list(&["a.b", "a.c"]), list(&["a.b", "a.c"]), list(&["a.c"]));
        let to = |dialect, list| Destination { node: 0, unrouted: Unrouted::Hold, dialect, list };
        let psql = |list| to(Dialect::Psql, list);
        let slony = to(Dialect::Slony, &two);
        let routes = Routes::new(&[psql(&one), psql(&two), slony, psql(&one), psql(&other)]);
        assert_eq!(routes.lists, 2);
        let lists: Vec<_> = routes.destinations.iter().map(|routed| routed.list).collect();
        assert_eq!(lists, [0, 0, 0, 0, 1]);
        assert_eq!(routes.series[&b"a\tc"[..]].lists, [0, 1]);
        assert_eq!(routes.sequences[&b"a','b_seq"[..]][0].lists, [0]);
    }

    #[test]
    fn names_are_exact() {
        let only = list(&[r#""Odd Schema"."We""ird\""#]);
        let routes = Routes::new(&[Destination {
            node: 0,
            unrouted: Unrouted::Hold,
            dialect: Dialect::Psql,
            list: &only,
        }]);
        assert!(routes.series.contains_key(&b"Odd Schema\tWe\"ird\\\\"[..]));
    }
}
