//! `<node>.stopped` and `<node>.ddl`: a node whose logs stop before an archive, and what an operator has decided.
//!
//! ```text
//! before 1234                  the first archive of which the node has no part
//! why line 17: ...             what an operator has to decide, in one line; without it the node catches up
//! ```
//!
//! `<node>.ddl` has a line `COUNTER send` or `COUNTER skip` for each archive with statements that could not be routed. The
//! lines stay, so that the archive can be split again with the same result.

use std::collections::BTreeMap;

use super::{Malformed, key_value, lines, plain_text};
use crate::model::Counter;

/// Where a node stopped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The first archive of which it has no part.
    pub before: Counter,
    /// What an operator has to decide; `None`: nothing any more, the node catches up with the others.
    pub why: Option<String>,
}

/// What an operator has decided about statements that could not be routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The node gets them.
    Send,
    /// It does not.
    Skip,
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
                ("why", value) => why = Some(value.to_owned()),
                (key, _) => return Err(Malformed::new(line, format!("`{key}` is not known here"))),
            }
        }
        let before = before.ok_or_else(|| Malformed::new(1, "no line `before COUNTER`"))?;
        Ok(Self { before, why })
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        let one_line =
            |why: &String| why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let why = self.why.as_ref().map(|why| format!("why {}\n", one_line(why))).unwrap_or_default();
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
                _ => None,
            };
            let pair = Counter::parse(counter).zip(decision);
            pair.ok_or_else(|| Malformed::new(line, "expected `COUNTER send` or `COUNTER skip`"))
        };
        lines(&text).map(decision).collect::<Result<_, _>>().map(Self)
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        let word = |decision: &Decision| match decision {
            Decision::Send => "send",
            Decision::Skip => "skip",
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
        for why in [Some("line 17: `x = 5` of a.b".to_owned()), None] {
            let stopped = Stopped { before: counter(12), why };
            assert_eq!(Stopped::parse(&stopped.write()), Ok(stopped));
        }
        let odd = Stopped { before: counter(12), why: Some("a\nbefore 7".into()) };
        assert_eq!(Stopped::parse(&odd.write()).unwrap().why.as_deref(), Some("a before 7"));
        assert!(Stopped::parse(b"why x\n").is_err());
    }

    #[test]
    fn decisions_come_back() {
        let mut decisions = Decisions::default();
        decisions.decide(counter(9), Decision::Send);
        decisions.decide(counter(7), Decision::Send);
        decisions.decide(counter(7), Decision::Skip);
        assert_eq!(decisions.write(), b"7 skip\n9 send\n");
        assert_eq!(Decisions::parse(&decisions.write()), Ok(decisions.clone()));
        assert_eq!(decisions.at(counter(7)), Some(Decision::Skip));
        assert!(Decisions::parse(b"7\n").is_err());
    }
}
