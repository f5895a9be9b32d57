//! What is new about nodes, archives and the database. What was told is known, and is not told again until it was over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::Condition;
use crate::config::{Lag, Limits};
use crate::model::Hook;

/// What was told and is not over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    database_lost: bool,
    /// The archive that is missing.
    missing: Option<u64>,
    /// Where the splitter has stopped.
    stopped: Option<Stop>,
    /// Where slon has not archived what it applied.
    holes: BTreeSet<String>,
    nodes: BTreeMap<String, KnownNode>,
}

/// Where the splitter has stopped, if it is an archive that stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stop {
    archive: Option<u64>,
}

/// What was told of a node and is not over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct KnownNode {
    behind: bool,
    expired: bool,
    /// The archive before which it waits for a decision.
    held: Option<u64>,
    /// Its logs cannot be written.
    stopped: bool,
}

/// What is seen now.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What the splitter says of itself.
    pub splitter: SplitterSeen,
    /// All registered nodes.
    pub nodes: Vec<NodeSeen>,
    /// Where slon has not archived what it applied; `None`: it cannot be told now.
    pub holes: Option<Vec<HoleSeen>>,
}

/// What the splitter says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SplitterSeen {
    /// Nothing yet.
    #[default]
    Nothing,
    /// It splits.
    Well,
    /// An archive is not there yet: it may come.
    Waiting,
    /// It cannot ask the database, or not the one that it should be.
    DatabaseLost(String),
    /// An archive that has committed is not there.
    Missing(u64, String),
    /// It cannot go on, because of an archive if one is named.
    Stopped(Option<u64>, String),
}

/// A node as it is seen.
#[derive(Debug, Clone, Default)]
pub struct NodeSeen {
    /// Its name.
    pub node: String,
    /// Its files can be read: if not, all that was told of it is still so.
    pub readable: bool,
    /// The last log that its site says it has applied.
    pub acknowledged: Option<u64>,
    /// How many logs lie there that it has not acknowledged, where that is known.
    pub behind: Option<u64>,
    /// How long ago the first of them was written; `None`: there is none, or it is gone.
    pub next_age: Option<Duration>,
    /// Why it must resubscribe: its next log is gone.
    pub expired: Option<String>,
    /// The archive before which its logs wait for a decision, and about what.
    pub held: Option<(u64, String)>,
    /// The archive before which its logs stop because they cannot be written, and why.
    pub stopped: Option<(u64, String)>,
}

/// A hole as it is seen.
#[derive(Debug, Clone)]
pub struct HoleSeen {
    /// What tells it from others.
    pub key: String,
    /// The archive behind which its rows belong.
    pub after: u64,
    /// Who misses what, in words.
    pub text: String,
}

/// What is known from now on, and what there is to tell.
pub fn decide(known: &Known, seen: &Seen, limits: &Limits) -> (Known, Vec<Condition>) {
    let mut next = known.clone();
    let mut news = News { at: &seen.at, told: Vec::new() };
    next.see_splitter(&seen.splitter, &mut news);
    if let Some(holes) = &seen.holes {
        for hole in holes.iter().filter(|hole| !known.holes.contains(&hole.key)) {
            news.of_archive(Hook::ArchiveGap, None, Some(hole.after), &hole.text);
        }
        next.holes = holes.iter().map(|hole| hole.key.clone()).collect();
    }
    // Of a node that is gone nothing is remembered: another of its name begins anew.
    next.nodes.clear();
    for node in &seen.nodes {
        let before = known.nodes.get(&node.node).cloned().unwrap_or_default();
        let now = if node.readable { before.see(node, limits, &mut news) } else { before };
        if now != KnownNode::default() {
            next.nodes.insert(node.node.clone(), now);
        }
    }
    (next, news.told)
}

impl Known {
    /// Somebody wants to be told of this from now on: what is amiss now is news to him. Of the ends of things he hears when they end.
    pub fn forget(&mut self, hook: Hook) {
        match hook {
            Hook::DatabaseLost => self.database_lost = false,
            Hook::ArchiveGap => (self.missing, self.holes) = (None, BTreeSet::new()),
            Hook::ArchiveStopped => {
                self.stopped = None;
                self.nodes.values_mut().for_each(|node| node.stopped = false);
            }
            Hook::NodeBehind => self.nodes.values_mut().for_each(|node| node.behind = false),
            Hook::NodeExpired => self.nodes.values_mut().for_each(|node| node.expired = false),
            Hook::DdlHeld => self.nodes.values_mut().for_each(|node| node.held = None),
            Hook::DatabaseFound
            | Hook::NodeRecovered
            | Hook::RequestReceived
            | Hook::SqlReady
            | Hook::Finished
            | Hook::RolledBack
            | Hook::Failed
            | Hook::Started
            | Hook::Stopped => {}
        }
    }

    fn see_splitter(&mut self, splitter: &SplitterSeen, news: &mut News<'_>) {
        let is_lost = matches!(splitter, SplitterSeen::DatabaseLost(_));
        if *splitter != SplitterSeen::Nothing && is_lost != self.database_lost {
            self.database_lost = is_lost;
            let hook = if is_lost { Hook::DatabaseLost } else { Hook::DatabaseFound };
            news.tell(hook, None, |condition| {
                if let SplitterSeen::DatabaseLost(reason) = splitter {
                    condition.facts.reason = Some(reason.clone());
                }
            });
        }
        match splitter {
            // Without a database, or so soon, nobody knows how it stands with the archives.
            SplitterSeen::Nothing | SplitterSeen::Waiting | SplitterSeen::DatabaseLost(_) => {}
            SplitterSeen::Well => (self.missing, self.stopped) = (None, None),
            SplitterSeen::Missing(archive, reason) => {
                if self.missing != Some(*archive) {
                    news.of_archive(Hook::ArchiveGap, None, Some(*archive), reason);
                }
                (self.missing, self.stopped) = (Some(*archive), None);
            }
            SplitterSeen::Stopped(archive, reason) => {
                let stop = Some(Stop { archive: *archive });
                if self.stopped != stop {
                    news.of_archive(Hook::ArchiveStopped, None, *archive, reason);
                }
                (self.missing, self.stopped) = (None, stop);
            }
        }
    }
}

impl KnownNode {
    fn see(&self, node: &NodeSeen, limits: &Limits, news: &mut News<'_>) -> Self {
        let behind = self.is_behind(node, limits);
        let tell_of_lag = |news: &mut News<'_>, hook, reason: Option<&String>| {
            news.tell(hook, Some(&node.node), |condition| {
                condition.facts.acknowledged = node.acknowledged;
                condition.facts.behind = node.behind;
                condition.facts.next_log_age_seconds = node.next_age.map(|age| age.as_secs());
                condition.facts.reason = reason.cloned();
            });
        };
        if behind != self.behind {
            let hook = if behind { Hook::NodeBehind } else { Hook::NodeRecovered };
            tell_of_lag(news, hook, None);
        }
        if node.expired.is_some() && !self.expired {
            tell_of_lag(news, Hook::NodeExpired, node.expired.as_ref());
        }
        let held = node.held.as_ref().map(|(archive, _)| *archive);
        if let Some((archive, reason)) = node.held.as_ref().filter(|_| held != self.held) {
            news.of_archive(Hook::DdlHeld, Some(&node.node), Some(*archive), reason);
        }
        if let Some((archive, reason)) = node.stopped.as_ref().filter(|_| !self.stopped) {
            news.of_archive(Hook::ArchiveStopped, Some(&node.node), Some(*archive), reason);
        }
        Self { behind, expired: node.expired.is_some(), held, stopped: node.stopped.is_some() }
    }

    /// Between the two limits, and where nobody can tell, it stays what it was.
    fn is_behind(&self, node: &NodeSeen, limits: &Limits) -> bool {
        let Some(logs) = node.behind.filter(|_| node.expired.is_none()) else { return self.behind };
        let age = node.next_age.unwrap_or_default();
        if self.behind {
            !is_within(limits.recovered, logs, age)
        } else {
            has_come_to(limits.behind, logs, age)
        }
    }
}

fn has_come_to(limit: Lag, logs: u64, age: Duration) -> bool {
    limit.logs.is_some_and(|limit| logs >= limit) || limit.age.is_some_and(|limit| age >= limit)
}

fn is_within(limit: Lag, logs: u64, age: Duration) -> bool {
    limit.logs.is_none_or(|limit| logs <= limit) && limit.age.is_none_or(|limit| age <= limit)
}

/// What there is to tell.
struct News<'a> {
    at: &'a str,
    told: Vec<Condition>,
}

impl News<'_> {
    fn tell(&mut self, hook: Hook, node: Option<&str>, fill: impl FnOnce(&mut Condition)) {
        let mut condition = Condition::new(hook, node, self.at);
        fill(&mut condition);
        self.told.push(condition);
    }

    fn of_archive(&mut self, hook: Hook, node: Option<&str>, archive: Option<u64>, reason: &str) {
        self.tell(hook, node, |condition| {
            condition.facts.archive = archive;
            condition.facts.reason = Some(reason.to_owned());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        behind: Lag { logs: Some(10), age: Some(Duration::from_secs(100)) },
        recovered: Lag { logs: Some(5), age: Some(Duration::from_secs(50)) },
    };

    fn node(behind: u64, age: u64) -> NodeSeen {
        NodeSeen {
            node: "nso".into(),
            readable: true,
            behind: Some(behind),
            next_age: (behind > 0).then(|| Duration::from_secs(age)),
            ..NodeSeen::default()
        }
    }

    /// Sees one after the other; returns what was told at each.
    fn told(known: &mut Known, seen: impl IntoIterator<Item = Seen>) -> Vec<Vec<Hook>> {
        let mut all = Vec::new();
        for seen in seen {
            let (next, news) = decide(known, &seen, &LIMITS);
            // It survives a restart.
            *known = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
            all.push(news.into_iter().map(|condition| condition.hook).collect());
        }
        all
    }

    fn of_nodes(nodes: Vec<NodeSeen>) -> Seen {
        Seen { nodes, ..Seen::default() }
    }

    fn of_splitter(splitter: SplitterSeen) -> Seen {
        Seen { splitter, ..Seen::default() }
    }

    #[test]
    fn a_node_at_the_limit_is_told_of_once() {
        let mut known = Known::default();
        let lags = [
            (9, 99),
            (10, 0),
            (9, 0),
            (10, 0),
            (6, 99),
            (5, 51),
            (6, 50),
            (10, 0),
            (5, 50),
            (9, 99),
            (5, 100),
        ];
        let told = told(&mut known, lags.map(|(logs, age)| of_nodes(vec![node(logs, age)])));
        let (behind, recovered) = (vec![Hook::NodeBehind], vec![Hook::NodeRecovered]);
        let mut expected = vec![Vec::new(); lags.len()];
        (expected[1], expected[8], expected[10]) = (behind.clone(), recovered, behind);
        assert_eq!(told, expected);
    }

    #[test]
    fn what_cannot_be_told_stays_as_it_was() {
        let mut known = Known::default();
        let unknown = NodeSeen { node: "nso".into(), readable: true, ..NodeSeen::default() };
        let unreadable = NodeSeen { node: "nso".into(), ..NodeSeen::default() };
        let seen = [node(10, 0), unknown, unreadable, node(10, 0), node(0, 0)];
        let told = told(&mut known, seen.map(|node| of_nodes(vec![node])));
        assert_eq!(told, [vec![Hook::NodeBehind], vec![], vec![], vec![], vec![Hook::NodeRecovered]]);
        assert_eq!(known, Known::default());
    }

    #[test]
    fn what_a_node_waits_for_is_told_once_for_each_archive() {
        let mut known = Known::default();
        let held = |archive| NodeSeen { held: Some((archive, "why".into())), ..node(0, 0) };
        let stopped = NodeSeen { stopped: Some((4, "full".into())), ..node(0, 0) };
        let expired = NodeSeen { expired: Some("gone".into()), next_age: None, ..node(500, 0) };
        let seen = [
            held(3),
            held(3),
            held(4),
            stopped.clone(),
            stopped,
            expired.clone(),
            expired,
            node(0, 0),
            held(4),
        ];
        let told = told(&mut known, seen.map(|node| of_nodes(vec![node])));
        let (held, stopped) = (vec![Hook::DdlHeld], vec![Hook::ArchiveStopped]);
        let expired = vec![Hook::NodeExpired];
        assert_eq!(
            told,
            [held.clone(), vec![], held.clone(), stopped, vec![], expired, vec![], vec![], held]
        );
    }

    #[test]
    fn a_node_that_is_gone_is_forgotten() {
        let mut known = Known::default();
        let told = told(&mut known, [vec![node(10, 0)], vec![], vec![node(10, 0)]].map(of_nodes));
        assert_eq!(told, [vec![Hook::NodeBehind], vec![], vec![Hook::NodeBehind]]);
    }

    #[test]
    fn the_database_goes_and_comes_and_hides_the_archives_meanwhile() {
        let lost = || SplitterSeen::DatabaseLost("away".into());
        let stopped = |archive| SplitterSeen::Stopped(archive, "bad".into());
        let missing = |archive| SplitterSeen::Missing(archive, "not there".into());
        let seen = [
            (SplitterSeen::Nothing, vec![]),
            (lost(), vec![Hook::DatabaseLost]),
            (SplitterSeen::Nothing, vec![]),
            (lost(), vec![]),
            (stopped(Some(7)), vec![Hook::DatabaseFound, Hook::ArchiveStopped]),
            (lost(), vec![Hook::DatabaseLost]),
            (stopped(Some(7)), vec![Hook::DatabaseFound]),
            (stopped(Some(8)), vec![Hook::ArchiveStopped]),
            (missing(9), vec![Hook::ArchiveGap]),
            (SplitterSeen::Waiting, vec![]),
            (missing(9), vec![]),
            (lost(), vec![Hook::DatabaseLost]),
            (SplitterSeen::Waiting, vec![Hook::DatabaseFound]),
            (SplitterSeen::Well, vec![]),
            (missing(9), vec![Hook::ArchiveGap]),
            (stopped(None), vec![Hook::ArchiveStopped]),
            (stopped(None), vec![]),
        ];
        let mut known = Known::default();
        let (seen, expected): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        assert_eq!(told(&mut known, seen.into_iter().map(of_splitter)), expected);
    }

    #[test]
    fn who_asks_later_is_told_of_what_is_amiss_by_then_and_of_nothing_else() {
        let held = NodeSeen { held: Some((3, "why".into())), ..node(10, 0) };
        let stopped = NodeSeen { stopped: Some((4, "full".into())), ..node(0, 0) };
        let expired = NodeSeen { node: "mps".into(), expired: Some("gone".into()), ..node(0, 0) };
        let hole = HoleSeen { key: "a".into(), after: 3, text: "rows".into() };
        let seen = Seen {
            splitter: SplitterSeen::Stopped(Some(7), "bad".into()),
            nodes: vec![held, NodeSeen { node: "rob".into(), ..stopped }, expired],
            holes: Some(vec![hole]),
            ..Seen::default()
        };
        let (known, _) = decide(&Known::default(), &seen, &LIMITS);
        let (lost, _) = decide(&known, &of_splitter(SplitterSeen::DatabaseLost("away".into())), &LIMITS);
        let again = |known: &Known, hook, seen: &Seen| {
            let mut known = known.clone();
            known.forget(hook);
            let (_, news) = decide(&known, seen, &LIMITS);
            news.into_iter().map(|condition| condition.hook).collect::<Vec<_>>()
        };
        for hook in Hook::ALL.into_iter().filter(|hook| hook.is_of_state()) {
            let expected = match hook {
                Hook::NodeRecovered | Hook::DatabaseFound | Hook::DatabaseLost => vec![],
                // The splitter's, and that of a node.
                Hook::ArchiveStopped => vec![hook, hook],
                _ => vec![hook],
            };
            assert_eq!(again(&known, hook, &seen), expected, "{hook:?}");
        }
        let away = of_splitter(SplitterSeen::DatabaseLost("away".into()));
        assert_eq!(again(&lost, Hook::DatabaseLost, &away), [Hook::DatabaseLost]);
        // What nobody can tell now is told as soon as it is seen.
        let mut early = lost.clone();
        early.forget(Hook::DatabaseLost);
        let told = told(&mut early, [of_splitter(SplitterSeen::Nothing), away]);
        assert_eq!(told, [vec![], vec![Hook::DatabaseLost]]);
    }

    #[test]
    fn a_hole_is_told_once() {
        let hole = |key: &str| HoleSeen { key: key.into(), after: 3, text: "rows".into() };
        let of = |holes| Seen { holes, ..Seen::default() };
        let seen = [Some(vec![hole("a")]), None, Some(vec![hole("a"), hole("b")]), Some(vec![hole("b")])];
        let told = told(&mut Known::default(), seen.map(of));
        assert_eq!(told, [vec![Hook::ArchiveGap], vec![], vec![Hook::ArchiveGap], vec![]]);
    }

    #[test]
    fn what_is_told_says_what_is_known() {
        let seen = Seen {
            at: "now".into(),
            splitter: SplitterSeen::Missing(9, "not there".into()),
            nodes: vec![NodeSeen { acknowledged: Some(5), ..node(12, 60) }],
            holes: None,
        };
        let (_, told) = decide(&Known::default(), &seen, &LIMITS);
        let [gap, behind] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((gap.facts.archive, gap.facts.reason.as_deref()), (Some(9), Some("not there")));
        let facts = &behind.facts;
        assert_eq!(
            (facts.acknowledged, facts.behind, facts.next_log_age_seconds),
            (Some(5), Some(12), Some(60))
        );
        assert_eq!((facts.key.as_str(), facts.at.as_str()), ("nso now", "now"));
    }
}
