//! The names of the files in `triggerdir`.

use std::fmt;

use crate::model::Node;

/// The word in the middle of a name; it tells the dialect of the subscriber, and an answer repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stem {
    /// `subscription_series`, as the document says.
    Document,
    /// `subscribe_series`, as the deployed clients say.
    Deployed,
}

impl Stem {
    /// Both, the document's first.
    pub const ALL: [Self; 2] = [Self::Document, Self::Deployed];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Document => "subscription_series",
            Self::Deployed => "subscribe_series",
        }
    }
}

/// The last word of a name: what the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `.tgr`: the subscriber asks.
    Request,
    /// `.cfg`: the manager has accepted the request.
    Accepted,
    /// `.sqldone`: the manager answers: the SQL may be fetched, or why not.
    SqlDone,
    /// `.sqlapplied`: the subscriber says how it went.
    SqlApplied,
    /// `.cleanup`: the manager is finishing or rolling back; the content is that of `.done` already.
    Cleanup,
    /// `.done`: the manager has finished or rolled back.
    Done,
}

impl Kind {
    /// All of them, in the order of the flow.
    pub const ALL: [Self; 6] =
        [Self::Request, Self::Accepted, Self::SqlDone, Self::SqlApplied, Self::Cleanup, Self::Done];

    /// The ending.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "tgr",
            Self::Accepted => "cfg",
            Self::SqlDone => "sqldone",
            Self::SqlApplied => "sqlapplied",
            Self::Cleanup => "cleanup",
            Self::Done => "done",
        }
    }
}

/// `<node>.<stem>.<kind>`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerFile {
    /// Who it is about.
    pub node: Node,
    /// Its dialect.
    pub stem: Stem,
    /// What it is.
    pub kind: Kind,
}

impl TriggerFile {
    /// Reads a file name. `None` if it is none of ours; `Some(Err(node))` if stem and ending are ours but what
    /// stands before them is no node name.
    pub fn parse(name: &str) -> Option<Result<Self, String>> {
        let (rest, ending) = name.rsplit_once('.')?;
        let (node, stem) = rest.rsplit_once('.')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == ending)?;
        let stem = Stem::ALL.into_iter().find(|known| known.as_str() == stem)?;
        Some(match node.parse() {
            Ok(node) => Ok(Self { node, stem, kind }),
            Err(_) => Err(node.to_owned()),
        })
    }
}

impl fmt::Display for TriggerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.node, self.stem.as_str(), self.kind.as_str())
    }
}

/// Every name under which the SQL of a request may lie in `triggerdir`.
pub fn sql_file_names(node: &Node) -> Vec<String> {
    let plain = [format!("{node}.createns.sql"), format!("{node}.subscribe_series.sql")];
    let compressed =
        plain.iter().flat_map(|name| [format!("{name}.gz"), format!("{name}.zst")]).collect::<Vec<_>>();
    plain.into_iter().chain(compressed).chain([format!("{node}.sql.tar.gz")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for stem in Stem::ALL {
            for kind in Kind::ALL {
                let file = TriggerFile { node: "nso".parse().unwrap(), stem, kind };
                assert_eq!(TriggerFile::parse(&file.to_string()), Some(Ok(file)));
            }
        }
    }

    #[test]
    fn other_names_are_none_of_ours() {
        for name in
            ["", "nso", "nso.tgr", "nso.subscribe_series.sql", "nso.series.tgr", "nso.subscribe_series.TGR"]
        {
            assert_eq!(TriggerFile::parse(name), None, "{name}");
        }
        for (name, node) in [
            ("a b.subscribe_series.tgr", "a b"),
            (".subscription_series.tgr", ""),
            ("nso.new.subscription_series.tgr", "nso.new"),
        ] {
            assert_eq!(TriggerFile::parse(name), Some(Err(node.to_owned())), "{name}");
        }
    }
}
