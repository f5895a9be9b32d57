//! What a node is subscribed to.

use super::{Sequence, Series};

/// One series of a node, with the sequences that the node was given with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The series.
    pub series: Series,
    /// Sequences that its dump created at the site: what decides where a sequence line of an archive goes.
    pub sequences: Vec<Sequence>,
}

impl Subscription {
    /// A series of which only the name is known (a list made by hand or by NetDRMS): DRMS calls its sequence
    /// `<series>_seq`.
    pub fn from_name(series: Series) -> Self {
        let sequence = Sequence::new(series.0.schema.clone(), format!("{}_seq", series.0.name));
        Self { series, sequences: vec![sequence] }
    }
}

/// The series of a node, in the order in which they were asked for, without duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SeriesList(Vec<Subscription>);

impl SeriesList {
    /// Whether the series is in the list.
    pub fn contains(&self, series: &Series) -> bool {
        self.0.iter().any(|subscription| subscription.series == *series)
    }

    /// Appends a series; one that is there already stays as it is.
    pub fn add(&mut self, subscription: Subscription) {
        if !self.contains(&subscription.series) {
            self.0.push(subscription);
        }
    }

    /// Takes a series out, if it is there.
    pub fn remove(&mut self, series: &Series) {
        self.0.retain(|subscription| subscription.series != *series);
    }

    /// The subscriptions in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Subscription> {
        self.0.iter()
    }

    /// How many series.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Subscription> for SeriesList {
    /// Keeps the first of equal series. The look-up is by hash, for lists of ten thousand series.
    fn from_iter<I: IntoIterator<Item = Subscription>>(subscriptions: I) -> Self {
        let mut seen = std::collections::HashSet::new();
        Self(subscriptions.into_iter().filter(|s| seen.insert(s.series.clone())).collect())
    }
}

impl<'a> IntoIterator for &'a SeriesList {
    type Item = &'a Subscription;
    type IntoIter = std::slice::Iter<'a, Subscription>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How site logs are written for a node (PROTOCOL.md, "Site logs").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// For plain `psql -f`, by a role without special rights, at a site that has our offline objects.
    #[default]
    Psql,
    /// The header as slon writes it: for `slony_logshipper` and sites made by `slony1_dump.sh`.
    Slony,
}

impl Dialect {
    /// The format of [`Dialect::Psql`] site logs. They name it in a call of `site_log_offline`, and the offline
    /// objects of a site refuse formats that they do not know.
    pub const PSQL_FORMAT: u32 = 1;
}

/// What the text of values in archives is read by at the data centre, and so has to be at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextStyle {
    /// The encoding of the database.
    pub encoding: String,
    /// `intervalstyle`: what the sign of an interval is for.
    pub intervals: String,
    /// `lc_monetary`: what points and commas in `money` are.
    pub money: String,
}

impl TextStyle {
    /// What PostgreSQL has by default, in this encoding.
    pub fn usual(encoding: &str) -> Self {
        Self { encoding: encoding.to_owned(), intervals: "postgres".into(), money: "C".into() }
    }
}

/// What becomes of a statement of EXECUTE SCRIPT of which it cannot be told whether a node should have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unrouted {
    /// The node stops before the archive, until an operator decides.
    #[default]
    Hold,
    /// The node does not get it.
    Skip,
    /// The node gets it.
    Send,
    /// The node gets no statement of EXECUTE SCRIPT at all.
    SkipScripts,
}

/// How the SQL of a request may be packed, because the subscriber says that it can unpack it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

impl Compression {
    /// What is added to the file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}
