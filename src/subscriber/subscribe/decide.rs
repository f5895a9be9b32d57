//! What comes next: a pure function of what was recorded, what the data centre shows and what the database shows.

use std::time::Duration;

use super::record::Phase;
use super::shown::{Says, Shown};
use crate::protocol::Stem;

/// What is there must look the same for so long before it is believed that another request has taken the place of ours,
/// or that a word which was sent has not arrived: files change one after the other.
const SETTLED: Duration = Duration::from_secs(3);

/// The same for the words of a NetDRMS server, which may be written piece by piece.
const AT_REST: Duration = Duration::from_secs(1);

/// So long nothing at all of a request may be seen before it is given up: the data centre takes files away and puts
/// others there.
const LOST: Duration = Duration::from_secs(60);

/// Why a request ends that another one has replaced.
const SUPERSEDED: &str =
    "another request of this node has taken the place of this one: see who else asks for it, then ask again";

/// Why a request ends of which nothing is left.
const VANISHED: &str = "the data centre shows nothing of this request any more: ask again";

/// What a decision is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation<'a> {
    pub(super) stem: Stem,
    pub(super) phase: &'a Phase,
    pub(super) shown: &'a Shown,
    /// Whether the database says that the SQL of this request is applied.
    pub(super) is_applied: bool,
    /// Whether all files are here and whole.
    pub(super) is_fetched: bool,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Send the request.
    Send,
    /// Wait for the data centre.
    Wait(For),
    /// Keep what `.sqldone` says: the SQL is there.
    Take,
    /// Fetch the SQL.
    Fetch,
    /// Apply it.
    Apply,
    /// Tell the data centre how it went.
    Tell {
        /// Whether the SQL is applied.
        success: bool,
    },
    /// Take back what the SQL has made.
    Undo,
    /// Remove the files of a request that has failed.
    CleanUp,
    /// Do what is left of one that went well.
    Finish,
    /// Nothing but to record how far it is.
    Note(Phase),
    /// A person has to look.
    Stop(&'static str),
}

impl Step {
    /// In words.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Send => "send the request",
            Self::Wait(what) => what.as_str(),
            Self::Take => "take what the data centre has answered",
            Self::Fetch => "fetch the SQL",
            Self::Apply => "apply the SQL",
            Self::Tell { success: true } => "tell the data centre that it is applied",
            Self::Tell { success: false } => "tell the data centre that it could not be applied",
            Self::Undo => "take back what the SQL has made",
            Self::CleanUp => "clean up after a failure",
            Self::Finish => "finish here",
            Self::Note(_) => "see what has become of it",
            Self::Stop(_) => "a person has to look",
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The request is taken up.
    Acceptance,
    /// The SQL is there.
    Sql,
    /// The end.
    Done,
    /// What is there makes sense.
    Sense,
    /// The last logs with rows of a series that is left.
    Logs,
}

impl For {
    /// In words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Acceptance => "the data centre to take up the request",
            Self::Sql => "the data centre to make the SQL (the request is accepted)",
            Self::Done => "the data centre to finish the subscription",
            Self::Sense => "the files at the data centre to come to rest",
            Self::Logs => "the last logs of an unsubscribed series",
        }
    }
}

/// Decides.
pub(super) fn decide(now: &Situation<'_>) -> Step {
    match now.phase {
        Phase::Asking => asking(now),
        Phase::Sent => sent(now),
        Phase::Answered => answered(now),
        Phase::Applied => applied(now),
        Phase::Failing(_) => Step::Tell { success: false },
        Phase::Told => told(now),
        Phase::ToldFailure(reason) => told_failure(now, reason),
        Phase::Undoing(_) => Step::Undo,
        Phase::Failed(_) => Step::CleanUp,
        Phase::Finished => Step::Finish,
    }
}

/// A crash may have come between sending and recording it. Deployed files do not tell whose they are.
fn asking(now: &Situation<'_>) -> Step {
    let shown = now.shown;
    let is_known = shown.is_accepted() || shown.our_answer().is_some() || shown.our_end().is_some();
    if now.stem == Stem::Document && is_known { Step::Note(Phase::Sent) } else { Step::Send }
}

fn sent(now: &Situation<'_>) -> Step {
    let shown = now.shown;
    if let Some(failed) = failure(now) {
        return failed;
    }
    match shown.our_answer() {
        // An answer of an earlier request without a name may still lie there until ours is taken up.
        Some(_) if now.stem == Stem::Deployed && shown.asked => Step::Wait(For::Acceptance),
        Some(Says::Words) if shown.since < AT_REST => Step::Wait(For::Sql),
        Some(_) => Step::Take,
        None if shown.is_accepted() => Step::Wait(For::Sql),
        None => gone(shown).map_or(Step::Wait(For::Acceptance), Step::Note),
    }
}

fn answered(now: &Situation<'_>) -> Step {
    if now.is_applied {
        return Step::Note(Phase::Applied);
    }
    if let Some(failed) = failure(now) {
        return failed;
    }
    match now.shown.our_answer() {
        Some(_) if now.is_fetched => Step::Apply,
        Some(_) => Step::Fetch,
        None => gone(now.shown).map_or(Step::Wait(For::Sense), Step::Note),
    }
}

/// Nothing was told yet: whatever has ended there has not ended well.
fn applied(now: &Situation<'_>) -> Step {
    let shown = now.shown;
    match (shown.our_end(), shown.our_answer()) {
        (Some(end), _) if now.stem == Stem::Document => {
            let reason = end.failure.clone().unwrap_or_else(|| VANISHED.to_owned());
            Step::Note(Phase::Undoing(reason))
        }
        (_, Some(Says::Failure(reason))) => Step::Note(Phase::Undoing(reason.clone())),
        (_, Some(_)) => Step::Tell { success: true },
        (_, None) => match gone(shown) {
            Some(Phase::Failed(reason)) => Step::Note(Phase::Undoing(reason)),
            _ => Step::Wait(For::Sense),
        },
    }
}

fn told(now: &Situation<'_>) -> Step {
    let shown = now.shown;
    if let Some(end) = shown.our_end() {
        return Step::Note(end.failure.clone().map_or(Phase::Finished, Phase::Undoing));
    }
    match shown.our_answer() {
        Some(Says::Failure(reason)) => Step::Note(Phase::Undoing(reason.clone())),
        Some(_) if !shown.finishing && shown.since >= SETTLED => Step::Tell { success: true },
        // It may have ended well, and the next request have removed `.done`: nothing is undone on a guess.
        None if !shown.finishing && gone(shown).is_some() => Step::Stop(
            "the SQL is applied here, but the data centre shows nothing of the request any more: ask its operator whether \
             the node has the series (`subscription_manager list`)",
        ),
        _ => Step::Wait(For::Done),
    }
}

fn told_failure(now: &Situation<'_>, reason: &str) -> Step {
    let shown = now.shown;
    let is_over = shown.done.is_some() || matches!(shown.our_answer(), Some(Says::Failure(_)));
    if is_over || (!shown.finishing && gone(shown).is_some()) {
        return Step::Note(Phase::Failed(reason.to_owned()));
    }
    match shown.our_answer() {
        Some(_) if !shown.finishing && shown.since >= SETTLED => Step::Tell { success: false },
        _ => Step::Wait(For::Done),
    }
}

/// The data centre has ended the request before anything was applied here.
fn failure(now: &Situation<'_>) -> Option<Step> {
    let shown = now.shown;
    let ended = shown.our_end().filter(|_| now.stem == Stem::Document);
    let reason = match (ended, shown.our_answer()) {
        (Some(end), _) => end.failure.clone().unwrap_or_else(|| VANISHED.to_owned()),
        (None, Some(Says::Failure(reason))) if !(now.stem == Stem::Deployed && shown.asked) => reason.clone(),
        _ => return None,
    };
    Some(Step::Note(Phase::Failed(reason)))
}

/// Whether the request is not the data centre's open one any more.
fn gone(shown: &Shown) -> Option<Phase> {
    if shown.is_anothers() && shown.since >= SETTLED {
        return Some(Phase::Failed(SUPERSEDED.to_owned()));
    }
    if let Some(reason) = shown.unnamed_refusal()
        && shown.since >= SETTLED
    {
        return Some(Phase::Failed(reason.to_owned()));
    }
    (shown.is_nothing() && shown.since >= LOST).then(|| Phase::Failed(VANISHED.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::shown::{Accepted, Answer, End, Ready, Whose};
    use super::*;

    fn read(words: &str) -> Shown {
        let mut shown = Shown::default();
        for word in words.split_whitespace() {
            let (what, whose) = match word.strip_prefix("other-") {
                Some(what) => (what, Whose::Another),
                None if word == "unnamed-refused" => ("refused", Whose::Unnamed),
                None => (word, Whose::Ours),
            };
            let answer = |says| Some(Answer { whose, says });
            let end = |failure| End { whose, failure, series: Vec::new() };
            match what {
                "tgr" => shown.asked = true,
                "cfg" => shown.accepted = Some(Accepted { whose, new_site: None }),
                "sql" => shown.answer = answer(Says::Ready(Ready::default())),
                "words" => shown.answer = answer(Says::Words),
                "refused" => shown.answer = answer(Says::Failure("no".into())),
                "sqlapplied" => shown.finishing = true,
                "done" => shown.done = Some(end(None)),
                "done-false" => shown.done = Some(end(Some("late".into()))),
                "2s" => shown.since = Duration::from_secs(2),
                "4s" => shown.since = Duration::from_secs(4),
                "61s" => shown.since = Duration::from_secs(61),
                _ => panic!("{word}"),
            }
        }
        shown
    }

    fn check(stem: Stem, phase: &Phase, words: &str, expected: &Step) {
        let shown = read(words);
        let now = Situation { stem, phase, shown: &shown, is_applied: false, is_fetched: false };
        assert_eq!(decide(&now), *expected, "{stem:?} {phase:?}: {words}");
    }

    fn failed(reason: &str) -> Step {
        Step::Note(Phase::Failed(reason.to_owned()))
    }

    fn undoing(reason: &str) -> Step {
        Step::Note(Phase::Undoing(reason.to_owned()))
    }

    #[test]
    fn a_subscription_of_the_documents_stem() {
        let (no, bad) = ("no".to_owned(), || Phase::ToldFailure("bad".into()));
        let stop = |step: &Step| matches!(step, Step::Stop(_));
        for (phase, words, expected) in [
            (Phase::Asking, "", Step::Send),
            (Phase::Asking, "tgr", Step::Send),
            (Phase::Asking, "other-sql", Step::Send),
            (Phase::Asking, "unnamed-refused 61s", Step::Send),
            (Phase::Asking, "cfg", Step::Note(Phase::Sent)),
            (Phase::Asking, "refused", Step::Note(Phase::Sent)),
            (Phase::Asking, "done-false", Step::Note(Phase::Sent)),
            (Phase::Sent, "tgr", Step::Wait(For::Acceptance)),
            (Phase::Sent, "tgr other-refused 61s", Step::Wait(For::Acceptance)),
            (Phase::Sent, "other-refused", Step::Wait(For::Acceptance)),
            (Phase::Sent, "other-refused 4s", failed(SUPERSEDED)),
            (Phase::Sent, "other-cfg 4s", failed(SUPERSEDED)),
            (Phase::Sent, "tgr unnamed-refused 61s", Step::Wait(For::Acceptance)),
            (Phase::Sent, "unnamed-refused", Step::Wait(For::Acceptance)),
            (Phase::Sent, "unnamed-refused 4s", failed(&no)),
            (Phase::Sent, "other-cfg unnamed-refused 4s", failed(SUPERSEDED)),
            (Phase::Sent, "cfg unnamed-refused 61s", Step::Wait(For::Sql)),
            (Phase::Sent, "4s", Step::Wait(For::Acceptance)),
            (Phase::Sent, "61s", failed(VANISHED)),
            (Phase::Sent, "cfg 61s", Step::Wait(For::Sql)),
            (Phase::Sent, "cfg sql", Step::Take),
            (Phase::Sent, "refused", failed(&no)),
            (Phase::Sent, "done-false", failed("late")),
            (Phase::Answered, "cfg sql", Step::Fetch),
            (Phase::Answered, "refused", failed(&no)),
            (Phase::Answered, "done-false", failed("late")),
            (Phase::Answered, "", Step::Wait(For::Sense)),
            (Phase::Answered, "tgr 61s", Step::Wait(For::Sense)),
            (Phase::Answered, "other-cfg 4s", failed(SUPERSEDED)),
            (Phase::Applied, "cfg sql", Step::Tell { success: true }),
            (Phase::Applied, "done-false", undoing("late")),
            (Phase::Applied, "other-cfg 4s", undoing(SUPERSEDED)),
            (Phase::Applied, "61s", undoing(VANISHED)),
            (Phase::Applied, "4s", Step::Wait(For::Sense)),
            (Phase::Failing("bad".into()), "", Step::Tell { success: false }),
            (Phase::Told, "cfg sql sqlapplied 61s", Step::Wait(For::Done)),
            (Phase::Told, "cfg sql 2s", Step::Wait(For::Done)),
            (Phase::Told, "cfg sql 4s", Step::Tell { success: true }),
            (Phase::Told, "done", Step::Note(Phase::Finished)),
            (Phase::Told, "other-done", Step::Wait(For::Done)),
            (Phase::Told, "done-false", undoing("late")),
            (Phase::Told, "4s", Step::Wait(For::Done)),
            (bad(), "cfg sql sqlapplied", Step::Wait(For::Done)),
            (bad(), "cfg sql 4s", Step::Tell { success: false }),
            (bad(), "done-false", failed("bad")),
            (bad(), "61s", failed("bad")),
            (bad(), "other-cfg 4s", failed("bad")),
            (Phase::Undoing("late".into()), "", Step::Undo),
            (Phase::Failed("late".into()), "", Step::CleanUp),
            (Phase::Finished, "done", Step::Finish),
        ] {
            check(Stem::Document, &phase, words, &expected);
        }
        for words in ["61s", "other-cfg 4s"] {
            let shown = read(words);
            let phase = &Phase::Told;
            let now =
                Situation { stem: Stem::Document, phase, shown: &shown, is_applied: true, is_fetched: false };
            assert!(stop(&decide(&now)), "{words}");
        }
    }

    #[test]
    fn a_subscription_of_the_deployed_stem() {
        for (phase, words, expected) in [
            (Phase::Asking, "sql done", Step::Send),
            (Phase::Sent, "tgr words 4s", Step::Wait(For::Acceptance)),
            (Phase::Sent, "tgr refused", Step::Wait(For::Acceptance)),
            (Phase::Sent, "cfg words", Step::Wait(For::Sql)),
            (Phase::Sent, "cfg words 2s", Step::Take),
            (Phase::Sent, "cfg sql", Step::Take),
            (Phase::Sent, "refused", failed("no")),
            (Phase::Applied, "cfg sql", Step::Tell { success: true }),
            (Phase::Applied, "refused", undoing("no")),
            (Phase::Told, "refused", undoing("no")),
            (Phase::Told, "done", Step::Note(Phase::Finished)),
        ] {
            check(Stem::Deployed, &phase, words, &expected);
        }
    }

    #[test]
    fn what_is_here_is_not_done_again() {
        let shown = read("cfg sql");
        let phase = &Phase::Answered;
        let now =
            Situation { stem: Stem::Document, phase, shown: &shown, is_applied: false, is_fetched: true };
        assert_eq!(decide(&now), Step::Apply);
        assert_eq!(decide(&Situation { is_applied: true, ..now }), Step::Note(Phase::Applied));
    }
}
