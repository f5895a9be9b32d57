//! `<node>.stopped` and `<node>.ddl`: a node whose logs stop before an archive, and what an operator has decided.
//!
//! ```text
//! before 1234                  the first archive of which the node has no part
//! why line 17: ...             what an operator has to decide, in one line
//! fault write into ...         or: what keeps its logs from being written, which is tried again by itself
//! paused moving to new disks   or: an operator has paused it; what follows says why, and may be empty
//! ```
//!
//! With neither, the node catches up.
//!
//! `<node>.ddl` has a line `COUNTER send` or `COUNTER skip` for each archive with statements that could not be routed, and
//! `COUNTER skip-scripts` for one whose logs are made again without any statement of a script. The lines stay, so that the archive can be split again with the same result.

use std::collections::BTreeMap;

use super::{Malformed, key_value, lines, one_line, plain_text};
use crate::model::Counter;

/// Where a node stopped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The first archive of which it has no part.
    pub before: Counter,
    /// `None`: for no reason any more, the node catches up with the others.
    pub why: Option<Why>,
}

/// Why a node stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// An operator has to decide about a statement.
    Decide(String),
    /// Its list cannot be read, or its directory not be written. It goes on by itself when that is mended.
    Fault(String),
    /// An operator has paused it, for this reason, and lets it go on.
    Paused(String),
}

/// What an operator has decided about statements that could not be routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The node gets them.
    Send,
    /// It does not.
    Skip,
    /// It gets no statement of a script of that archive, routed or not.
    SkipScripts,
}

/// The decisions for one node, by archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decisions(BTreeMap<Counter, Decision>);

impl Stopped {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let mut before = None;
        let mut why = None;
        for (line, words) in lines(&text) {
            match key_value(words) {
                ("before", value) => before = Counter::parse(value),
                ("why", value) => why = Some(Why::Decide(value.to_owned())),
                ("fault", value) => why = Some(Why::Fault(value.to_owned())),
                ("paused", value) => why = Some(Why::Paused(value.to_owned())),
                (key, _) => return Err(Malformed::new(line, format!("`{key}` is not known here"))),
            }
        }
        let before = before.ok_or_else(|| Malformed::new(1, "no line `before COUNTER`"))?;
        Ok(Self { before, why })
    }

    /// Whether an operator has paused the node.
    pub fn is_paused(&self) -> bool {
        matches!(self.why, Some(Why::Paused(_)))
    }

    /// Why, in a word.
    pub fn word(&self) -> &'static str {
        match self.why {
            None => "catching up",
            Some(Why::Decide(_)) => "decide",
            Some(Why::Fault(_)) => "fault",
            Some(Why::Paused(_)) => "paused",
        }
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        let why = match &self.why {
            None => String::new(),
            Some(Why::Decide(what)) => format!("why {}\n", one_line(what)),
            Some(Why::Fault(what)) => format!("fault {}\n", one_line(what)),
            Some(Why::Paused(what)) => format!("paused {}\n", one_line(what)),
        };
        format!("before {}\n{why}", self.before).into_bytes()
    }
}

impl Decisions {
    /// The decision about an archive.
    pub fn at(&self, counter: Counter) -> Option<Decision> {
        self.0.get(&counter).copied()
    }

    /// Decides.
    pub fn decide(&mut self, counter: Counter, decision: Decision) {
        self.0.insert(counter, decision);
    }

    /// The archives that were decided about.
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        self.0.keys().copied()
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let decision = |(line, words): (usize, &str)| {
            let (counter, decision) = key_value(words);
            let decision = match decision {
                "send" => Some(Decision::Send),
                "skip" => Some(Decision::Skip),
                "skip-scripts" => Some(Decision::SkipScripts),
                _ => None,
            };
            let pair = Counter::parse(counter).zip(decision);
            pair.ok_or_else(|| {
                Malformed::new(line, "expected `COUNTER send`, `COUNTER skip` or `COUNTER skip-scripts`")
            })
        };
        lines(&text).map(decision).collect::<Result<_, _>>().map(Self)
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        let word = |decision: &Decision| match decision {
            Decision::Send => "send",
            Decision::Skip => "skip",
            Decision::SkipScripts => "skip-scripts",
        };
        let lines = self.0.iter().map(|(counter, decision)| format!("{counter} {}\n", word(decision)));
        lines.collect::<String>().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    #[test]
    fn a_stop_comes_back_in_one_line() {
        let text = || "line 17: `x = 5` of a.b".to_owned();
        let paused = [Some(Why::Paused(text())), Some(Why::Paused(String::new()))];
        for why in [Some(Why::Decide(text())), Some(Why::Fault(text())), None].into_iter().chain(paused) {
            let stopped = Stopped { before: counter(12), why };
            assert_eq!(Stopped::parse(&stopped.write()), Ok(stopped));
        }
        let odd = Stopped { before: counter(12), why: Some(Why::Fault("a\nbefore 7".into())) };
        assert_eq!(Stopped::parse(&odd.write()).unwrap().why, Some(Why::Fault("a before 7".into())));
        assert!(Stopped::parse(b"why x\n").is_err());
    }

    #[test]
    fn decisions_come_back() {
        let mut decisions = Decisions::default();
        decisions.decide(counter(9), Decision::Send);
        decisions.decide(counter(7), Decision::Send);
        decisions.decide(counter(7), Decision::Skip);
        decisions.decide(counter(11), Decision::SkipScripts);
        assert_eq!(decisions.write(), b"7 skip\n9 send\n11 skip-scripts\n");
        assert_eq!(Decisions::parse(&decisions.write()), Ok(decisions.clone()));
        assert_eq!(decisions.at(counter(7)), Some(Decision::Skip));
        assert!(Decisions::parse(b"7\n").is_err());
    }
}
