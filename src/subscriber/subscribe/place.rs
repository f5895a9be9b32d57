//! Whether this database's place in the archive stream and what the data centre takes the site for go together. SQL for a
//! new site replaces the place: at a known one, what was subscribed before would be followed no more, and nobody be told.

use super::apply::listed;
use super::leave::by_hand;
use crate::model::{Counter, Node, Series};

/// How they contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// The site has a place, and the data centre takes it for new.
    Forgotten,
    /// The data centre knows the node, and this database has no place.
    Nowhere,
}

/// Compares them; a data centre that does not say what it takes the site for is believed.
pub(super) fn clash(taken_for_new: Option<bool>, place: Option<Counter>) -> Option<Clash> {
    match (taken_for_new?, place) {
        (true, Some(_)) => Some(Clash::Forgotten),
        (false, None) => Some(Clash::Nowhere),
        (true, None) | (false, Some(_)) => None,
    }
}

/// What a clash is told with.
pub(super) struct Site<'a> {
    pub(super) node: &'a Node,
    /// The cluster's schema for SQL.
    pub(super) schema: &'a str,
    /// The subscribed series that are here.
    pub(super) series: &'a [Series],
}

impl Site<'_> {
    /// What is wrong, and what to do.
    pub(super) fn explain(&self, clash: Clash) -> String {
        let node = self.node;
        match clash {
            Clash::Forgotten => format!(
                "the data centre does not know the node {node} any more and takes this site for a new one: {} would no longer \
                 be followed; {}",
                self.names(),
                self.anew()
            ),
            Clash::Nowhere => format!(
                "the data centre knows the node {node}, but this database has no place in the archive stream: see whether it \
                 is the right database; to begin anew in it, ask the operator of the data centre to remove the node first, \
                 then subscribe again"
            ),
        }
    }

    /// The same of a node that has no directory among the data centre's site logs.
    pub(super) fn explain_removed(&self, site_logs: &str) -> String {
        format!(
            "the data centre has no directory of the node {} in `{site_logs}`: if `node` and `rmt_slony_dir` are right, it has \
             removed the node, and {} is no longer followed; {}",
            self.node,
            self.names(),
            self.anew()
        )
    }

    fn names(&self) -> String {
        if self.series.is_empty() { "what this site has subscribed to".into() } else { listed(self.series) }
    }

    /// How to begin anew.
    fn anew(&self) -> String {
        let Self { schema, series, .. } = self;
        let drop = if series.is_empty() { String::new() } else { format!(" (`{}`)", by_hand(series)) };
        format!(
            "ask its operator whether the node was removed; to begin anew, drop or rename the tables of these series{drop}, \
             delete the place in the archive stream (`delete from {schema}.sl_archive_tracking; drop table if exists \
             {schema}.site_request;`), then subscribe again"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_sites_have_no_place_and_known_ones_have() {
        let place = Counter::from_database(7);
        for (taken_for_new, place, expected) in [
            (Some(true), None, None),
            (Some(true), place, Some(Clash::Forgotten)),
            (Some(false), place, None),
            (Some(false), None, Some(Clash::Nowhere)),
            (None, None, None),
            (None, place, None),
        ] {
            assert_eq!(clash(taken_for_new, place), expected, "{taken_for_new:?} {place:?}");
        }
    }

    #[test]
    fn what_to_do_is_told() {
        let (node, series) = ("nso".parse().unwrap(), ["hmi.a".parse().unwrap()]);
        let site = Site { node: &node, schema: "\"_jsoc\"", series: &series };
        let told = site.explain(Clash::Forgotten);
        for part in [
            "hmi.a would no longer",
            "`drop table \"hmi\".\"a\";`",
            "delete from \"_jsoc\".sl_archive_tracking;",
        ] {
            assert!(told.contains(part), "{told}");
        }
        let told = Site { series: &[], ..site }.explain(Clash::Forgotten);
        assert!(told.contains("these series, delete"), "{told}");
    }
}
