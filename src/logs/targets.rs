//! Which directory gets which list, for an archive's counter. Pure.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{Counter, Dialect, Node, SeriesList, Unrouted};
use crate::paths::SitePaths;
use crate::protocol::{Cut, Cuts, Decision, Decisions, Stopped};

/// One node as the registry and its files describe it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name.
    pub node: Node,
    /// Its places.
    pub paths: SitePaths,
    /// How its logs are written.
    pub dialect: Dialect,
    /// Its lists by counter; `None`: only `<node>.new` is registered.
    pub cuts: Option<Cuts>,
    /// What is registered as `<node>.new`.
    pub new: Option<New>,
    /// Where its logs stop.
    pub stopped: Option<Stopped>,
    /// Why its files cannot be read: then nothing else is known of it but where its logs stop.
    pub fault: Option<String>,
    /// What was decided about statements that could not be routed.
    pub decisions: Decisions,
    /// What becomes of others.
    pub unrouted: Unrouted,
}

/// `<node>.new`.
#[derive(Debug, Clone)]
pub enum New {
    /// Of an open request: logs after its cut.
    Cut(Cut),
    /// Made by other tools: all logs by this list, into the directory that they registered.
    Foreign(PathBuf, SeriesList),
}

/// A directory that gets the site log of one archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'s> {
    /// The node, as an index into the sites.
    pub site: usize,
    /// The directory.
    pub directory: &'s Path,
    /// What the log holds.
    pub list: &'s SeriesList,
    /// How it is written.
    pub dialect: Dialect,
    /// What becomes of statements that cannot be routed.
    pub unrouted: Unrouted,
}

/// The targets of an archive, for these of the sites.
///
/// While a request with a fence is open, logs after its cut are not published in the node's directory: they go to
/// `.new` by the new list and to `.held` by the old one, and the subscriber's word decides which of them come.
pub fn targets<'s>(sites: &'s [Arc<Site>], of: &[usize], counter: Counter) -> Vec<Target<'s>> {
    let sites = of.iter().filter_map(|index| Some((*index, sites.get(*index)?)));
    sites.flat_map(|(index, site)| site.targets(index, counter)).collect()
}

/// The first counter after this one whose targets may differ.
pub fn next_change(sites: &[Arc<Site>], of: &[usize], counter: Counter) -> Counter {
    let sites = of.iter().filter_map(|index| sites.get(*index));
    sites.flat_map(|site| site.changes()).filter(|change| *change > counter).min().unwrap_or(Counter::LAST)
}

impl Site {
    fn targets(&self, site: usize, counter: Counter) -> Vec<Target<'_>> {
        let unrouted = match self.decisions.at(counter) {
            Some(Decision::Send) => Unrouted::Send,
            Some(Decision::Skip) => Unrouted::Skip,
            Some(Decision::SkipScripts) => Unrouted::SkipScripts,
            None => self.unrouted,
        };
        let dialect = self.dialect;
        let target = |directory, list| Target { site, directory, list, dialect, unrouted };
        let mut targets = Vec::new();
        let cut = match &self.new {
            Some(New::Cut(cut)) if counter > cut.counter => Some(cut),
            _ => None,
        };
        let held = cut.is_some_and(|cut| cut.fenced);
        let old = if held { &self.paths.held_directory } else { &self.paths.directory };
        targets.extend(self.cuts.as_ref().and_then(|cuts| cuts.at(counter)).map(|list| target(old, list)));
        targets.extend(cut.map(|cut| target(&self.paths.new_directory, &cut.list)));
        if let Some(New::Foreign(directory, list)) = &self.new {
            targets.push(target(directory, list));
        }
        targets
    }

    /// The counters where its targets may change.
    fn changes(&self) -> impl Iterator<Item = Counter> {
        let cut = match &self.new {
            Some(New::Cut(cut)) => Some(cut.counter.next()),
            _ => None,
        };
        let decided = self.decisions.counters().flat_map(|counter| [counter, counter.next()]);
        self.cuts.iter().flat_map(Cuts::starts).chain(cut).chain(decided)
    }

    /// The newest archive at which a copy was made for it.
    pub fn newest_cut(&self) -> Option<Counter> {
        let open = match &self.new {
            Some(New::Cut(cut)) => Some(cut.counter),
            _ => None,
        };
        open.max(self.cuts.as_ref().and_then(Cuts::newest_cut))
    }

    /// The last archive of which this node has its part, if the others have theirs up to `all`.
    pub fn position(&self, all: Counter) -> Counter {
        self.stopped.as_ref().map_or(all, |stopped| all.min(stopped.before.previous()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subscription;
    use std::path::Path;

    fn list(name: &str) -> SeriesList {
        [Subscription::from_name(name.parse().unwrap())].into_iter().collect()
    }

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    /// The directories of the archive, with the first series of the list that fills each.
    fn check(cuts: Option<Cuts>, new: Option<New>, at: u64, expected: &[(&str, &str)]) {
        let paths = SitePaths {
            directory: "/s/n".into(),
            new_directory: "/s/n.new".into(),
            held_directory: "/s/n.held".into(),
            list: PathBuf::new(),
            new_list: PathBuf::new(),
            open_request: PathBuf::new(),
            cuts: PathBuf::new(),
            stopped: PathBuf::new(),
            decisions: PathBuf::new(),
        };
        let mut decisions = Decisions::default();
        decisions.decide(counter(17), Decision::Skip);
        let sites = [Arc::new(Site {
            node: "n".parse().unwrap(),
            paths,
            dialect: Dialect::Psql,
            cuts,
            new,
            stopped: None,
            fault: None,
            decisions,
            unrouted: Unrouted::Hold,
        })];
        let found = targets(&sites, &[0], counter(at));
        let next = next_change(&sites, &[0], counter(at));
        assert!(next > counter(at));
        for target in targets(&sites, &[0], counter(17)) {
            assert_eq!(target.unrouted, Unrouted::Skip);
        }
        let found: Vec<_> =
            found.iter().map(|t| (t.directory, t.list.iter().next().unwrap().series.to_string())).collect();
        let expected: Vec<_> = expected.iter().map(|(d, s)| (Path::new(*d), (*s).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_list_follows_the_counter_and_the_fence() {
        let mut cuts = Cuts::default();
        cuts.hold_from(counter(10), None, list("a.first"));
        cuts.hold_from(counter(20), None, list("a.second"));
        let cut = |fenced| Some(New::Cut(Cut { counter: counter(25), fenced, list: list("a.third") }));
        check(Some(cuts.clone()), None, 9, &[]);
        check(Some(cuts.clone()), None, 15, &[("/s/n", "a.first")]);
        for fenced in [false, true] {
            check(Some(cuts.clone()), cut(fenced), 25, &[("/s/n", "a.second")]);
        }
        check(Some(cuts.clone()), cut(true), 26, &[("/s/n.held", "a.second"), ("/s/n.new", "a.third")]);
        check(Some(cuts), cut(false), 26, &[("/s/n", "a.second"), ("/s/n.new", "a.third")]);
        check(None, cut(false), 25, &[]);
        check(None, cut(false), 26, &[("/s/n.new", "a.third")]);
        check(None, Some(New::Foreign("/f/n.new".into(), list("a.f"))), 1, &[("/f/n.new", "a.f")]);
    }
}
