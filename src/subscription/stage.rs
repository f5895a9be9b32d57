//! Where a node stands, read from its files alone. Start, restart and normal running all begin here.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::protocol::{Kind, Outcome, Stem};

/// What lies there of one node.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Its files in `triggerdir`.
    pub files: BTreeSet<(Stem, Kind)>,
    /// The dialect in which a whole request lies there.
    pub whole_request: Option<Stem>,
    /// Whether a `.sqldone` of the manager's says `failure`.
    pub failure: bool,
    /// What a whole `.sqlapplied` of the open request's dialect says.
    pub outcome: Option<Outcome>,
    /// The open request, as far as the stage depends on it.
    pub open: Option<Open>,
}

/// An open request: how far, and in which dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Its dialect.
    pub stem: Stem,
    /// Since when its answer may have been seen; `None` before.
    pub published: Option<SystemTime>,
}

/// A node's stage. Who brings it about, and what a restart does, stands with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The manager is finishing or rolling back (`.cleanup`). Restart: do it again, each step may be done already.
    CleaningUp(Stem),
    /// The subscriber has answered (a whole `.sqlapplied`, and a published cut). Restart: clean up.
    Applied(Stem, Outcome),
    /// The subscriber asks (`.tgr`, whatever else lies there). Restart: remove older answers, claim it.
    Requested(Stem),
    /// The subscriber can fetch the SQL since then (the cut says so). Restart: wait on.
    Answered(Stem, SystemTime),
    /// The manager has told the subscriber why not and was stopped then. Restart: take the rest away.
    Refusing(Stem),
    /// The manager makes the SQL. Restart: throw `.new` away and begin again from the request.
    Updating(Stem),
    /// The subscriber was told why not (`.sqldone` with `failure`); it removes that.
    Refused,
    /// The subscriber was told the end (`.done`); it removes that.
    Done,
    /// Nothing is going on.
    Idle,
}

impl Stage {
    /// The first that fits, in the order of the variants. A request does not overtake the answer to the one before:
    /// what the subscriber has applied must be finished or rolled back first.
    pub fn of(seen: &Seen) -> Self {
        let has = |kind: Kind| Stem::ALL.into_iter().find(|stem| seen.files.contains(&(*stem, kind)));
        if let Some(stem) = has(Kind::Cleanup) {
            return Self::CleaningUp(stem);
        }
        match (&seen.open, seen.whole_request) {
            (Some(Open { stem, published: Some(since) }), request) => match (&seen.outcome, request) {
                (Some(outcome), _) => Self::Applied(*stem, outcome.clone()),
                (None, Some(request)) => Self::Requested(request),
                (None, None) => Self::Answered(*stem, *since),
            },
            (_, Some(request)) => Self::Requested(request),
            (Some(Open { stem, published: None }), None) if seen.failure => Self::Refusing(*stem),
            (Some(Open { stem, published: None }), None) => Self::Updating(*stem),
            (None, None) if seen.failure => Self::Refused,
            (None, None) if has(Kind::Done).is_some() => Self::Done,
            (None, None) => Self::Idle,
        }
    }

    /// The word for lists and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::CleaningUp(_) => "cleaning up",
            Self::Applied(..) => "applied",
            Self::Requested(_) => "requested",
            Self::Answered(..) => "answered",
            Self::Refusing(_) => "refusing",
            Self::Updating(_) => "updating",
            Self::Refused => "refused",
            Self::Done => "done",
            Self::Idle => "idle",
        }
    }
}

/// Files that mean nothing where they lie: an accepted request that the manager does not know of, and a word on SQL
/// that nobody was given. They are set aside, with the reason.
pub fn strays(seen: &Seen) -> Vec<(Stem, Kind, &'static str)> {
    let open = |stem: Stem| seen.open.filter(|open| open.stem == stem);
    let cleaning = |stem: Stem| seen.files.contains(&(stem, Kind::Cleanup));
    seen.files
        .iter()
        .filter_map(|&(stem, kind)| match kind {
            Kind::Accepted if open(stem).is_none() && !cleaning(stem) => {
                Some((stem, kind, "no request of this node is open"))
            }
            Kind::SqlApplied if open(stem).is_none_or(|o| o.published.is_none()) && !cleaning(stem) => {
                Some((stem, kind, "no SQL is waiting for this node's word: ask again with a new request"))
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: SystemTime = SystemTime::UNIX_EPOCH;

    fn outcome() -> Outcome {
        Outcome { success: true, counter: None, id: None }
    }

    /// Every combination that can lie there, for one dialect: which of the six files, whether a request or a
    /// `.sqlapplied` that is there is whole, whether `.sqldone` says failure, and how far the open request is.
    fn combinations(stem: Stem) -> Vec<Seen> {
        let mut all = Vec::new();
        for bits in 0..64_u32 {
            let files: BTreeSet<_> = Kind::ALL
                .iter()
                .enumerate()
                .filter(|(at, _)| bits & (1 << at) != 0)
                .map(|(_, kind)| (stem, *kind))
                .collect();
            let both = |kind| if files.contains(&(stem, kind)) { &[false, true][..] } else { &[false][..] };
            for &whole in both(Kind::Request) {
                for &failure in both(Kind::SqlDone) {
                    for &applied in both(Kind::SqlApplied) {
                        for open in [None, Some(None), Some(Some(AT))] {
                            all.push(Seen {
                                files: files.clone(),
                                whole_request: whole.then_some(stem),
                                failure,
                                outcome: applied.then(outcome),
                                open: open.map(|published| Open { stem, published }),
                            });
                        }
                    }
                }
            }
        }
        all
    }

    /// The table of PROTOCOL.md in its own words, one predicate a row, against the function on every combination.
    #[test]
    fn every_combination_has_the_first_stage_that_fits() {
        for stem in Stem::ALL {
            for seen in combinations(stem) {
                let there = |kind| seen.files.contains(&(stem, kind));
                let cut_published = seen.open.is_some_and(|open| open.published.is_some());
                let accepted_by_us = seen.open.is_some();
                let rows = [
                    (there(Kind::Cleanup), Stage::CleaningUp(stem)),
                    (seen.outcome.is_some() && cut_published, Stage::Applied(stem, outcome())),
                    (seen.whole_request.is_some(), Stage::Requested(stem)),
                    (cut_published, Stage::Answered(stem, AT)),
                    (accepted_by_us && seen.failure, Stage::Refusing(stem)),
                    (accepted_by_us, Stage::Updating(stem)),
                    (seen.failure, Stage::Refused),
                    (there(Kind::Done), Stage::Done),
                    (true, Stage::Idle),
                ];
                let expected = rows.into_iter().find(|(fits, _)| *fits).map(|(_, stage)| stage);
                assert_eq!(Some(Stage::of(&seen)), expected, "{seen:?}");
            }
        }
    }

    /// What deployed clients do to the files between two looks must not change the stage.
    #[test]
    fn what_deployed_clients_do_with_our_files_changes_nothing() {
        let stem = Stem::Deployed;
        for seen in combinations(stem) {
            let stage = Stage::of(&seen);
            if matches!(stage, Stage::Answered(..) | Stage::Applied(..)) {
                for gone in [Kind::SqlDone, Kind::Accepted, Kind::Done] {
                    let mut less = seen.clone();
                    less.files.remove(&(stem, gone));
                    less.failure &= gone != Kind::SqlDone;
                    assert_eq!(Stage::of(&less), stage, "{gone:?} was removed from {seen:?}");
                }
            }
            if matches!(stage, Stage::Requested(_)) {
                let mut more = seen.clone();
                more.files.insert((stem, Kind::Done));
                assert_eq!(Stage::of(&more), stage, "an old .done lies there");
            }
        }
    }

    #[test]
    fn the_other_dialects_leftovers_do_not_speak_for_an_open_request() {
        let seen = Seen {
            files: BTreeSet::from([(Stem::Document, Kind::SqlApplied), (Stem::Deployed, Kind::Accepted)]),
            open: Some(Open { stem: Stem::Deployed, published: Some(AT) }),
            ..Seen::default()
        };
        assert_eq!(Stage::of(&seen), Stage::Answered(Stem::Deployed, AT));
        let strays: Vec<_> = strays(&seen).into_iter().map(|(stem, kind, _)| (stem, kind)).collect();
        assert_eq!(strays, [(Stem::Document, Kind::SqlApplied)]);
    }

    #[test]
    fn strays_are_what_no_open_request_explains() {
        let kinds = |seen: &Seen| strays(seen).into_iter().map(|(_, kind, _)| kind).collect::<Vec<_>>();
        for seen in combinations(Stem::Document) {
            let there = |kind| seen.files.contains(&(Stem::Document, kind));
            let cleaning = there(Kind::Cleanup);
            let found = kinds(&seen);
            assert_eq!(
                found.contains(&Kind::Accepted),
                there(Kind::Accepted) && seen.open.is_none() && !cleaning
            );
            let published = seen.open.is_some_and(|open| open.published.is_some());
            assert_eq!(found.contains(&Kind::SqlApplied), there(Kind::SqlApplied) && !published && !cleaning);
        }
    }
}
