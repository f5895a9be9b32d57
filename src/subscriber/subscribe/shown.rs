//! What the data centre shows of a request: its files in the drop directory, read.

use std::time::Duration;

use crate::model::{Counter, Series};
use crate::protocol::{Done, SqlDone, SqlFile, Stem, key_value};

/// The files of a node and a stem in the drop directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// `.tgr` is there: nobody has taken it up.
    pub(super) asked: bool,
    /// `.cfg`: the request that was taken up.
    pub(super) accepted: Option<Accepted>,
    /// `.sqldone`.
    pub(super) answer: Option<Answer>,
    /// `.sqlapplied` or `.cleanup` is there: our word is being looked at.
    pub(super) finishing: bool,
    /// `.done`.
    pub(super) done: Option<End>,
    /// For how long it has looked like this.
    pub(super) since: Duration,
}

/// `.cfg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Whose request it is.
    pub(super) whose: Whose,
    /// What the data centre takes the site for, if it says so.
    pub(super) new_site: Option<bool>,
}

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Of this request.
    Ours,
    /// Of another request of this node.
    Another,
    /// It does not say: a refusal of a request whose name could not be read.
    Unnamed,
}

/// `.sqldone`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whose answer it is.
    pub(super) whose: Whose,
    /// What it says.
    pub(super) says: Says,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    /// The SQL is there.
    Ready(Ready),
    /// There is none, for this reason.
    Failure(String),
    /// Words of a NetDRMS server: the SQL is there, once the text has come to rest.
    Words,
}

/// What is to be fetched and applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ready {
    /// Where the stream was cut, if that is said.
    pub(super) cut: Option<Counter>,
    /// The files with sizes and digests; none: those of a NetDRMS server.
    pub(super) files: Vec<SqlFile>,
    /// Series that the SQL leaves out, because the data centre holds them for subscribed.
    pub(super) skipped: Vec<Series>,
}

/// `.done`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// Whose it is.
    pub(super) whose: Whose,
    /// Why the request was rolled back; `None` if it was finished.
    pub(super) failure: Option<String>,
    /// The node's series now, as far as they are told.
    pub(super) series: Vec<Series>,
}

/// What tells our files from those of another request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark<'a> {
    pub(super) stem: Stem,
    pub(super) id: &'a str,
}

impl Mark<'_> {
    /// Deployed files carry no name of their request.
    fn whose(self, id: Option<&str>) -> Whose {
        if self.stem == Stem::Deployed || id == Some(self.id) { Whose::Ours } else { Whose::Another }
    }

    /// The data centre names a request in whatever it answers, unless it could not read it.
    fn whose_failure(self, id: Option<&str>) -> Whose {
        if self.stem == Stem::Document && id.is_none() { Whose::Unnamed } else { self.whose(id) }
    }

    /// Reads `.cfg`.
    pub(super) fn accepted(self, bytes: &[u8]) -> Accepted {
        let text = String::from_utf8_lossy(bytes);
        let last =
            |key: &str| text.lines().map(|line| key_value(line.trim())).rfind(|(word, _)| *word == key);
        Accepted {
            whose: self.whose(last("request").map(|(_, id)| id)),
            new_site: last("new_site").or_else(|| last("new_node")).map(|(_, value)| value == "true"),
        }
    }

    /// Reads `.sqldone`; `None` while it is not whole.
    pub(super) fn answer(self, bytes: &[u8]) -> Option<Answer> {
        match SqlDone::parse(bytes) {
            Ok(SqlDone::Failure { id, reason }) => {
                Some(Answer { whose: self.whose_failure(id.as_deref()), says: Says::Failure(reason) })
            }
            Ok(SqlDone::Ready { id, cut, files, skipped, .. }) => {
                let ready = Ready { cut: Some(cut), files, skipped };
                Some(Answer { whose: self.whose(id.as_deref()), says: Says::Ready(ready) })
            }
            Err(_) if self.stem == Stem::Document => None,
            Err(_) => {
                let text = String::from_utf8_lossy(bytes);
                let small = text.to_ascii_lowercase();
                let failed = small.contains("error") || small.contains("failure");
                let words = || text.split_whitespace().collect::<Vec<_>>().join(" ");
                let says = if failed { Says::Failure(words()) } else { Says::Words };
                Some(Answer { whose: Whose::Ours, says })
            }
        }
    }

    /// Reads `.done`; `None` while it is not whole. That of a NetDRMS server says nothing but that it is there.
    pub(super) fn done(self, bytes: &[u8]) -> Option<End> {
        match (Done::parse(bytes), self.stem) {
            (_, Stem::Deployed) => Some(End { whose: Whose::Ours, failure: None, series: Vec::new() }),
            (Ok(Done { id, failure, series }), _) => {
                Some(End { whose: self.whose(id.as_deref()), failure, series })
            }
            (Err(_), _) => None,
        }
    }
}

impl Shown {
    /// Whether the open request at the data centre is another one, for certain once it has looked like this for a while.
    pub(super) fn is_anothers(&self) -> bool {
        let is_anothers = |whose: Option<Whose>| whose == Some(Whose::Another);
        !self.asked
            && (is_anothers(self.accepted.as_ref().map(|accepted| accepted.whose))
                || is_anothers(self.answer.as_ref().map(|answer| answer.whose)))
    }

    /// Why a request was refused that could not be read: nothing else was taken up, so that it may well be ours.
    pub(super) fn unnamed_refusal(&self) -> Option<&str> {
        match &self.answer {
            Some(Answer { whose: Whose::Unnamed, says: Says::Failure(reason) }) if !self.asked => {
                Some(reason)
            }
            _ => None,
        }
    }

    /// Whether nothing of any request is there.
    pub(super) fn is_nothing(&self) -> bool {
        let Self { asked, accepted, answer, finishing, done, since: _ } = self;
        !asked && accepted.is_none() && answer.is_none() && !finishing && done.is_none()
    }

    /// What the answer to this request says.
    pub(super) fn our_answer(&self) -> Option<&Says> {
        self.answer.as_ref().filter(|answer| answer.whose == Whose::Ours).map(|answer| &answer.says)
    }

    /// Whether this request was taken up.
    pub(super) fn is_accepted(&self) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| accepted.whose == Whose::Ours)
    }

    /// How this request has ended.
    pub(super) fn our_end(&self) -> Option<&End> {
        self.done.as_ref().filter(|done| done.whose == Whose::Ours)
    }

    /// Whether this is the same but for the time.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        Self { since: Duration::ZERO, ..self.clone() } == Self { since: Duration::ZERO, ..other.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Mark<'_> = Mark { stem: Stem::Document, id: "7" };
    const DEPLOYED: Mark<'_> = Mark { stem: Stem::Deployed, id: "7" };

    #[test]
    fn files_are_told_apart_by_their_request() {
        let answer = |text: &str| OURS.answer(text.as_bytes());
        assert_eq!(answer("cut 3\nrequest 7\n").unwrap().whose, Whose::Ours);
        assert_eq!(answer("cut 3\nrequest 8\n").unwrap().whose, Whose::Another);
        assert_eq!(answer("failure no\nrequest 8\n").unwrap().whose, Whose::Another);
        assert_eq!(answer("failure no\n").unwrap().whose, Whose::Unnamed);
        assert_eq!(answer("cut 3\n").unwrap().whose, Whose::Another);
        assert_eq!(answer("request 7\n"), None, "not whole");
        let accepted = OURS.accepted(b"node nso\nrequest 7\nnew_site true\n");
        assert_eq!(accepted, Accepted { whose: Whose::Ours, new_site: Some(true) });
        assert_eq!(OURS.accepted(b"node nso\n").whose, Whose::Another);
        assert_eq!(OURS.done(b"success false\nreason late\nrequest 7\n").unwrap().failure.unwrap(), "late");
        assert_eq!(OURS.done(b"succ"), None);
    }

    #[test]
    fn a_netdrms_server_says_it_in_words() {
        let says = |text: &str| DEPLOYED.answer(text.as_bytes()).unwrap().says;
        assert_eq!(says(""), Says::Words);
        assert_eq!(says("nso sql done!\n"), Says::Words);
        assert_eq!(says("sql_gen: ERROR:\n no table\n"), Says::Failure("sql_gen: ERROR: no table".into()));
        assert!(matches!(says("cut 3\na.b\n"), Says::Ready(_)));
        assert_eq!(DEPLOYED.done(b"").unwrap().failure, None);
    }
}
