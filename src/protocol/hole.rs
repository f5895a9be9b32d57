//! `holes`: what the log-shipping node has and no archive, and who misses rows since; and `split.confirmed`: how far that was looked
//! for.
//!
//! ```text
//! hole 1 events 5000000124 5000000150 after 1201 before 1204 seen 1763740800
//! site nso hmi.m_45s           the node has to subscribe this series anew
//! away own-set after 1301 seen 1763740900
//! series hmi.v_45s             nothing of this series comes
//! site nso hmi.v_45s
//! ```
//!
//! A line `hole` tells of events that slon applied and did not archive, a line `away` of series that did not come to the node, or not
//! from another one. A copy that was made at the archive `before` or later is whole; without `before` the hole is open. `seen` is a time,
//! in seconds since 1970.
//!
//! `split.confirmed` has a line `at COUNTER`, and a line `origin NODE EVENT [SET]...` for each Slony node from which events come:
//! up to there each was compared with the archives, and these sets came from it then. The node itself is among them, without sets.

use std::collections::{BTreeMap, BTreeSet};

use super::{Malformed, key_value, lines, plain_text};
use crate::model::{Counter, Node, Series};

/// What is in no archive, and where it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// What it is.
    pub what: Missed,
    /// No later archive is known to be before it.
    pub after: Counter,
    /// A copy that is made at this archive or later has it; `None`: it goes on.
    pub before: Option<Counter>,
    /// When it was seen, in seconds since 1970.
    pub seen: u64,
    /// Who misses rows of which series.
    pub concerned: BTreeSet<(Node, Series)>,
}

/// What no archive has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed {
    /// Events that slon applied and did not archive: their Slony node, the first and the last.
    Events(u64, (u64, u64)),
    /// All changes of these series.
    Series(Away, BTreeSet<Series>),
}

/// Why nothing of a series comes into archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Away {
    /// Its set begins at the log-shipping node.
    OwnSet,
    /// No set that the node receives has it under its name.
    NotReceived,
}

impl Away {
    const WORDS: [(Self, &str); 2] = [(Self::OwnSet, "own-set"), (Self::NotReceived, "not-received")];

    fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(away, _)| *away)
    }

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(away, _)| *away == self).map_or("", |(_, word)| *word)
    }
}

/// How far the events of a Slony node were compared with the archives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// Up to this event.
    pub event: u64,
    /// The sets that came from there.
    pub sets: BTreeSet<i32>,
}

/// How far all were compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confirmed {
    /// What was committed up to this archive.
    pub at: Counter,
    /// By Slony node.
    pub origins: BTreeMap<u64, Compared>,
}

/// Reads `holes`.
pub fn read_holes(bytes: &[u8]) -> Result<Vec<Hole>, Malformed> {
    let text = plain_text(bytes)?;
    let mut holes: Vec<Hole> = Vec::new();
    for (line, words) in lines(&text) {
        let malformed = || {
            Malformed::new(
                line,
                "expected `hole NODE events FIRST LAST after COUNTER [before COUNTER] seen TIME`, `away WHY after COUNTER \
                 [before COUNTER] seen TIME` or, below one, `series SERIES` or `site NODE SERIES`",
            )
        };
        match key_value(words) {
            (kind @ ("hole" | "away"), rest) => holes.push(hole(kind, rest).ok_or_else(malformed)?),
            ("series", rest) => {
                let series = rest.trim().parse().map_err(|_| malformed())?;
                match holes.last_mut().map(|hole| &mut hole.what) {
                    Some(Missed::Series(_, all)) => all.insert(series),
                    Some(Missed::Events(..)) | None => return Err(malformed()),
                };
            }
            ("site", rest) => {
                let (node, series) = rest.split_once(char::is_whitespace).ok_or_else(malformed)?;
                let pair = (node.parse().ok()).zip(series.trim().parse().ok()).ok_or_else(malformed)?;
                holes.last_mut().ok_or_else(malformed)?.concerned.insert(pair);
            }
            _ => return Err(malformed()),
        }
    }
    Ok(holes)
}

/// What follows the word `hole` or `away`.
fn hole(kind: &str, text: &str) -> Option<Hole> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (head, before, seen) = match words.as_slice() {
        [head @ .., "before", before, "seen", seen] => (head, Some(Counter::parse(before)?), seen),
        [head @ .., "seen", seen] => (head, None, seen),
        _ => return None,
    };
    let (what, after) = match (kind, head) {
        ("hole", [origin, "events", first, last, "after", after]) => {
            (Missed::Events(origin.parse().ok()?, (first.parse().ok()?, last.parse().ok()?)), after)
        }
        ("away", [why, "after", after]) => (Missed::Series(Away::parse(why)?, BTreeSet::new()), after),
        _ => return None,
    };
    let (after, seen) = (Counter::parse(after)?, seen.parse().ok()?);
    Some(Hole { what, after, before, seen, concerned: BTreeSet::new() })
}

/// Writes `holes`.
pub fn write_holes(holes: &[Hole]) -> Vec<u8> {
    let hole = |Hole { what, after, before, seen, concerned }: &Hole| {
        let (what, series) = match what {
            Missed::Events(origin, (first, last)) => {
                (format!("hole {origin} events {first} {last}"), String::new())
            }
            Missed::Series(why, series) => {
                let series = series.iter().map(|series| format!("series {series}\n")).collect();
                (format!("away {}", why.word()), series)
            }
        };
        let before = before.map(|before| format!(" before {before}")).unwrap_or_default();
        let sites: String =
            concerned.iter().map(|(node, series)| format!("site {node} {series}\n")).collect();
        format!("{what} after {after}{before} seen {seen}\n{series}{sites}")
    };
    holes.iter().map(hole).collect::<String>().into_bytes()
}

impl Confirmed {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let mut at = None;
        let mut origins = BTreeMap::new();
        for (line, words) in lines(&text) {
            let malformed = || Malformed::new(line, "expected `at COUNTER` or `origin NODE EVENT [SET]...`");
            let (key, value) = key_value(words);
            let mut numbers = value.split_whitespace();
            let mut number =
                || numbers.next().and_then(|word| word.parse::<u64>().ok()).ok_or_else(malformed);
            match key {
                "at" => at = Some(Counter::parse(value).ok_or_else(malformed)?),
                "origin" => {
                    let (origin, event) = (number()?, number()?);
                    let sets = numbers.map(str::parse).collect::<Result<_, _>>().map_err(|_| malformed())?;
                    origins.insert(origin, Compared { event, sets });
                }
                _ => return Err(malformed()),
            }
        }
        let at = at.ok_or_else(|| Malformed::new(1, "no line `at COUNTER`"))?;
        Ok(Self { at, origins })
    }

    /// Writes the file.
    pub fn write(&self) -> Vec<u8> {
        let origin = |(origin, Compared { event, sets }): (&u64, &Compared)| {
            let sets: String = sets.iter().map(|set| format!(" {set}")).collect();
            format!("origin {origin} {event}{sets}\n")
        };
        let origins: String = self.origins.iter().map(origin).collect();
        format!("at {}\n{origins}", self.at).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_come_back() {
        let counter = |value: &str| Counter::parse(value).unwrap();
        let pair = |node: &str, series: &str| (node.parse().unwrap(), series.parse().unwrap());
        let first = Hole {
            what: Missed::Events(1, (124, 150)),
            after: counter("1201"),
            before: Some(counter("1204")),
            seen: 1_763_740_800,
            concerned: [pair("nso", "hmi.m"), pair("mps", "\"Odd one\".\"T 1\"")].into(),
        };
        let second = Hole { before: None, concerned: BTreeSet::new(), ..first.clone() };
        let names = ["hmi.v", "\"Odd one\".\"T 1\""].map(|name| name.parse().unwrap());
        let third = Hole { what: Missed::Series(Away::OwnSet, names.into()), ..first.clone() };
        let fourth = Hole { what: Missed::Series(Away::NotReceived, BTreeSet::new()), ..second.clone() };
        let holes = [first, third, second, fourth];
        assert_eq!(read_holes(&write_holes(&holes)).unwrap(), holes);
        for odd in [
            "site nso a.b\n",
            "hole 1\n",
            "hole 1 events 1 2 after 3\n",
            "hole 1 events 1 2 after 3 seen 4\nsite nso\n",
            "hole 1 events 1 2 after 3 seen 4\nseries a.b\n",
            "away nowhere after 3 seen 4\n",
            "away own-set seen 4\n",
        ] {
            assert!(read_holes(odd.as_bytes()).is_err(), "{odd}");
        }
    }

    #[test]
    fn how_far_was_compared_comes_back() {
        let compared = |event, sets: &[i32]| Compared { event, sets: sets.iter().copied().collect() };
        let confirmed = Confirmed {
            at: Counter::parse("1204").unwrap(),
            origins: [(1, compared(5_000_000_124, &[1, 2])), (3, compared(5_000_000_001, &[]))].into(),
        };
        assert_eq!(Confirmed::parse(&confirmed.write()), Ok(confirmed));
        assert!(Confirmed::parse(b"origin 1 5\n").is_err());
        assert!(Confirmed::parse(b"at 5\norigin 1\n").is_err());
    }
}
