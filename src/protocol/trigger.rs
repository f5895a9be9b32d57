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

/// Who alone may write a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writer {
    /// The site of this node.
    Site(Node),
    /// The manager.
    Manager,
}

/// Who alone may write a file of this name; `None`: it is none of ours.
pub fn writer(name: &str) -> Option<Writer> {
    let hidden = name.strip_prefix('.');
    if hidden.is_some_and(|rest| rest.strip_suffix(".ready").is_some()) {
        return Some(Writer::Manager);
    }
    let name = hidden.and_then(|rest| rest.strip_suffix(".claim")).unwrap_or(name);
    if let Some(file) = TriggerFile::parse(name) {
        return file.ok().map(|file| file.writer());
    }
    let (node, ending) = name.split_once('.')?;
    let node: Node = node.parse().ok()?;
    if ending == "counter" {
        return Some(Writer::Site(node));
    }
    sql_file_names(&node).iter().any(|sql| sql == name).then_some(Writer::Manager)
}

impl TriggerFile {
    /// Who alone may write it.
    pub fn writer(&self) -> Writer {
        match self.kind {
            Kind::Request | Kind::SqlApplied => Writer::Site(self.node.clone()),
            // Deployed clients append to `.cfg`; it stays the manager's.
            Kind::Accepted | Kind::SqlDone | Kind::Cleanup | Kind::Done => Writer::Manager,
        }
    }

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
    fn every_name_has_its_writer() {
        let site = || Some(Writer::Site("nso".parse().unwrap()));
        for (name, expected) in [
            ("nso.subscription_series.tgr", site()),
            ("nso.subscribe_series.sqlapplied", site()),
            (".nso.subscribe_series.tgr.claim", site()),
            ("nso.counter", site()),
            ("nso.subscribe_series.cfg", Some(Writer::Manager)),
            ("nso.subscription_series.done", Some(Writer::Manager)),
            ("nso.createns.sql.zst", Some(Writer::Manager)),
            ("nso.sql.tar.gz", Some(Writer::Manager)),
            (".nso.subscribe_series.sql.ready", Some(Writer::Manager)),
            ("a b.subscription_series.tgr", None),
            (".nso.subscription_series.tgr.part", None),
            ("a b.counter", None),
            ("rejected", None),
            ("nso.txt", None),
        ] {
            assert_eq!(writer(name), expected, "{name}");
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
