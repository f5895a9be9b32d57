//! What the server has for the site: its directory's listing, read strictly.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ArchiveName, BundleName, Counter, SlonyNode};

/// The logs that lie at the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Offer {
    /// The Slony node whose logs they are; `None`: there is no single to tell it by.
    pub(super) node: Option<SlonyNode>,
    /// Logs of other Slony nodes lie there too.
    pub(super) others: BTreeSet<SlonyNode>,
    /// Singles with their sizes.
    pub(super) singles: BTreeMap<Counter, u64>,
    /// Bundles with their sizes, in the order of their first logs.
    pub(super) bundles: BTreeMap<BundleName, u64>,
}

impl Offer {
    /// Reads names and sizes. What has another name than a log or a bundle is left alone. `followed`: the Slony node
    /// whose logs the site has applied so far. Fails, in words, if it cannot be told whose logs are meant.
    pub(super) fn read<'n>(
        listing: impl IntoIterator<Item = (&'n str, u64)>,
        followed: Option<SlonyNode>,
    ) -> Result<Self, String> {
        let mut singles: BTreeMap<SlonyNode, BTreeMap<Counter, u64>> = BTreeMap::new();
        let mut bundles = BTreeMap::new();
        for (name, bytes) in listing {
            if let Ok(name) = name.parse::<ArchiveName>() {
                singles.entry(name.node).or_default().insert(name.counter, bytes);
            } else if let Ok(name) = name.parse::<BundleName>() {
                bundles.insert(name, bytes);
            }
        }
        let mut others: BTreeSet<SlonyNode> = singles.keys().copied().collect();
        let node = match (followed, others.first().copied(), others.len()) {
            (Some(followed), ..) if others.contains(&followed) => Some(followed),
            (Some(followed), Some(_), _) => {
                return Err(format!(
                    "only logs of Slony node {} lie there, and this site has followed node {followed}: ask the data \
                     centre; if its log-shipping node is another one now, subscribe anew",
                    listed(&others)
                ));
            }
            (None, first, 0 | 1) => first,
            (None, ..) => {
                return Err(format!(
                    "logs of Slony nodes {} lie there, and nothing says which of them this site follows: ask the data \
                     centre to leave only those of its log-shipping node",
                    listed(&others)
                ));
            }
            (followed, None, _) => followed,
        };
        let of_it = node.and_then(|node| singles.remove(&node)).unwrap_or_default();
        if let Some(node) = node {
            others.remove(&node);
        }
        Ok(Self { node, others, singles: of_it, bundles })
    }

    /// The highest log that is there.
    pub(super) fn newest(&self) -> Option<Counter> {
        let single = self.singles.last_key_value().map(|(counter, _)| *counter);
        single.max(self.bundles.keys().map(|name| name.last()).max())
    }

    /// The lowest log above this one.
    pub(super) fn lowest_above(&self, counter: Counter) -> Option<Counter> {
        let single = self.singles.range(counter.next()..).next().map(|(counter, _)| *counter);
        let bundled = self.bundles.keys().filter(|name| name.last() > counter);
        let bundled = bundled.map(|name| name.first().max(counter.next())).min();
        single.into_iter().chain(bundled).min()
    }
}

fn listed(nodes: &BTreeSet<SlonyNode>) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &[&str], followed: Option<u32>) -> Result<Offer, String> {
        Offer::read(names.iter().map(|name| (*name, 7)), followed.map(SlonyNode))
    }

    const OURS: &str = "slony1_log_2_00000000000000000007.sql";
    const THEIRS: &str = "slony1_log_3_00000000000000000009.sql";
    const BUNDLE: &str = "slony_logs_1-6.tar.gz";

    #[test]
    fn names_are_read_strictly() {
        let offer =
            read(&[OURS, BUNDLE, "slony_logs_7-9.tar", "slony1_log_2_8.sql", "slony_counter.txt"], None);
        let offer = offer.unwrap();
        assert_eq!(offer.node, Some(SlonyNode(2)));
        assert_eq!(offer.singles.keys().map(|counter| counter.value()).collect::<Vec<_>>(), [7]);
        assert_eq!(offer.bundles.keys().map(ToString::to_string).collect::<Vec<_>>(), [BUNDLE]);
        assert_eq!(offer.newest().map(Counter::value), Some(7));
        let above = |counter: &str| offer.lowest_above(Counter::parse(counter).unwrap()).map(Counter::value);
        assert_eq!(["0", "3", "6", "7"].map(above), [Some(1), Some(4), Some(7), None]);
    }

    #[test]
    fn the_slony_node_is_the_one_that_was_followed() {
        let node =
            |names: &[&str], followed| read(names, followed).map(|offer| offer.node.map(|node| node.0));
        assert_eq!(node(&[], None), Ok(None));
        assert_eq!(node(&[BUNDLE], None), Ok(None));
        assert_eq!(node(&[BUNDLE], Some(3)), Ok(Some(3)));
        assert_eq!(node(&[OURS], None), Ok(Some(2)));
        assert_eq!(node(&[OURS, THEIRS], Some(3)), Ok(Some(3)));
        assert_eq!(read(&[OURS, THEIRS], Some(3)).unwrap().others, BTreeSet::from([SlonyNode(2)]));
        assert!(node(&[OURS, THEIRS], None).unwrap_err().contains("Slony nodes 2 and 3"));
        assert!(node(&[OURS, THEIRS], Some(4)).unwrap_err().contains("has followed node 4"));
    }
}
